"""From the Authorization header to a principal: RFC 9449 (DPoP), RFC 6750 section 3 errors.

Every token of this service is bound to a key: a copied token is of no use without it. A bound
token sent as Bearer is refused (RFC 9449 section 7.1), and so is a token in a query.
"""

from collections.abc import Mapping

from backend.access.ports import CredentialStore
from backend.access.rules import Principal
from backend.kit.clock import Clock
from backend.kit.dpop import PROOF_REPLAY_TTL_SECONDS, DpopError, verify_proof
from backend.kit.ids import token_hash
from backend.kit.problem import Refusal
from backend.kit.replay import ReplayGuard

_TOKEN_CHARACTERS_MAX = 256
PROOF_CHARACTERS_MAX = 8192


class TokenRefused(Refusal):
    """Authentication failed; `error` is the code for WWW-Authenticate, None without a token."""

    def __init__(self, error: str | None, description: str | None = None) -> None:
        super().__init__("token_invalid")
        self.error = error
        self.description = description


class Authenticator:
    """Finds out who calls. `stores` maps a token prefix ("cp_at_") to where such tokens live."""

    def __init__(
        self,
        *,
        origin: str,
        clock: Clock,
        replay: ReplayGuard,
        stores: Mapping[str, CredentialStore],
    ) -> None:
        self._origin = origin
        self._clock = clock
        self._replay = replay
        self._stores = stores

    async def authenticate(
        self, *, method: str, path: str, authorization: list[str], proofs: list[str]
    ) -> Principal:
        """Return the principal behind one request, or raise TokenRefused.

        `authorization` and `proofs` are all values of the Authorization and DPoP headers.
        """
        token = token_of(authorization)
        now = self._clock.now()
        store = self._stores.get(token[:6])
        credential = await store.find(token_hash(token), now) if store is not None else None
        if credential is None or credential.expires_at <= now:
            raise TokenRefused("invalid_token", "the token is unknown, expired or revoked")
        # RFC 9449 section 4.3 check 1: one proof, not several to choose from.
        if len(proofs) != 1 or len(proofs[0]) > PROOF_CHARACTERS_MAX:
            raise TokenRefused("invalid_dpop_proof", "exactly one DPoP proof is needed")
        try:
            proof = verify_proof(
                proofs[0],
                method=method,
                url=self._origin + path,
                access_token=token,
                now=now,
            )
        except DpopError as error:
            raise TokenRefused(error.code, error.description) from None
        if proof.jkt != credential.jkt:
            raise TokenRefused("invalid_token", "the token is bound to another key")
        if not await self._replay.first_use(
            "dpop", proof.replay_key, ttl_seconds=PROOF_REPLAY_TTL_SECONDS, now=now
        ):
            raise TokenRefused("invalid_dpop_proof", "the proof was used before")
        if credential.on_use is not None:
            await credential.on_use()
        return credential.principal


def token_of(authorization: list[str]) -> str:
    """Return the token in the one Authorization header; raises TokenRefused."""
    if not authorization:
        raise TokenRefused(None)
    if len(authorization) > 1:
        raise TokenRefused("invalid_request", "more than one Authorization header")
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "dpop":
        raise TokenRefused("invalid_token", "tokens of this service are sent with scheme DPoP")
    if not token.isascii() or not 0 < len(token) <= _TOKEN_CHARACTERS_MAX:
        raise TokenRefused("invalid_token", "the token is malformed")
    return token
