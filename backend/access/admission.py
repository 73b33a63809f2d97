"""Who calls, many at a time: what `Authenticator` finds out for one request, for a whole batch.

The checks and their order are the Authenticator's: the token, the proof made for it, the key it is
bound to, the proof's single use. Nobody is refused here: whoever isn't let in is asked again by
the Authenticator, which says why. So one place decides what a refusal says.
"""

from collections.abc import Sequence
from datetime import datetime

from backend.access.authenticate import PROOF_CHARACTERS_MAX, TokenRefused, token_of
from backend.access.ports import BatchCredentialStore, Credential
from backend.access.rules import Principal
from backend.kit.clock import Clock
from backend.kit.dpop import PROOF_REPLAY_TTL_SECONDS, DpopError, verify_proof
from backend.kit.ids import token_hash
from backend.kit.postgres import Tx
from backend.kit.replay import ReplayGuard, Use, take_in_table, use_of


class Arrival:
    """A request whose proof is good for the token it brought; whose token that is, is not known.

    `is_unused` is what the first memory said of the proof. It is asked once, however often the
    batch is tried: it would take a second question for a second use.
    """

    __slots__ = ("is_unused", "jkt", "principal", "token_hash", "use")

    def __init__(self, *, token_hash: bytes, jkt: str, use: Use) -> None:
        self.token_hash = token_hash
        self.jkt = jkt
        self.use = use
        self.principal: Principal | None = None
        self.is_unused: bool | None = None


class Admission:
    """Lets in those who come with tokens of one kind, whose names begin with `prefix`."""

    def __init__(
        self,
        *,
        origin: str,
        clock: Clock,
        replay: ReplayGuard,
        prefix: str,
        store: BatchCredentialStore,
    ) -> None:
        self._origin = origin
        self._clock = clock
        self._replay = replay
        self._prefix = prefix
        self._store = store

    def arrive(
        self, *, method: str, path: str, authorization: list[str], proofs: list[str]
    ) -> Arrival | None:
        """Return a request whose token and proof fit each other, or None for any other."""
        if len(proofs) != 1 or len(proofs[0]) > PROOF_CHARACTERS_MAX:
            return None
        now = self._clock.now()
        try:
            token = token_of(authorization)
            if not token.startswith(self._prefix):
                return None
            proof = verify_proof(
                proofs[0], method=method, url=self._origin + path, access_token=token, now=now
            )
        except (TokenRefused, DpopError):
            return None
        use = use_of("dpop", proof.replay_key, ttl_seconds=PROOF_REPLAY_TTL_SECONDS, now=now)
        return Arrival(token_hash=token_hash(token), jkt=proof.jkt, use=use)

    async def recognise(self, arrivals: Sequence[Arrival], *, now: datetime) -> list[Arrival]:
        """Return those whose token is live and bound to the proof's key, with their principals."""
        credentials = await self._store.find_each([each.token_hash for each in arrivals], now)
        return [
            arrival
            for arrival, credential in zip(arrivals, credentials, strict=True)
            if _is_theirs(arrival, credential, now)
        ]

    async def mark_first(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Return those whose proof Valkey hasn't seen; of two equal ones the earlier is first."""
        fresh: dict[bytes, Arrival] = {}
        for arrival in arrivals:
            if arrival.use.marker in fresh:
                arrival.is_unused = False
            elif arrival.is_unused is None:
                fresh[arrival.use.marker] = arrival
        new = list(fresh.values())
        marked = await self._replay.mark_in_valkey([each.use for each in new])
        for arrival in new:
            arrival.is_unused = arrival.use.marker in marked
        return [each for each in arrivals if each.is_unused]

    @staticmethod
    async def mark_second(tx: Tx, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Return those whose proof the table hasn't seen either."""
        taken = await take_in_table(tx, [each.use for each in arrivals])
        return [each for each in arrivals if each.use.marker in taken]


def _is_theirs(arrival: Arrival, credential: Credential | None, now: datetime) -> bool:
    if credential is None or credential.expires_at <= now or credential.jkt != arrival.jkt:
        return False
    assert credential.on_use is None, "tokens that live by their use come in one by one"
    arrival.principal = credential.principal
    return True
