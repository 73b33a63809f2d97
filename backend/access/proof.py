"""The key of somebody who has no token yet, and asks for one that is bound to it."""

from datetime import datetime

from backend.kit.dpop import PROOF_REPLAY_TTL_SECONDS, DpopError, verify_proof
from backend.kit.http import AnyRequest
from backend.kit.problem import Refusal
from backend.kit.replay import ReplayGuard

CHALLENGE = 'DPoP algs="ES256 PS256 Ed25519"'  # RFC 9110 section 15.5.2: a 401 names a way in
PROOF_CHARACTERS_MAX = 8192


async def proved_key(
    request: AnyRequest, *, origin: str, replay: ReplayGuard, now: datetime
) -> str:
    """Return the thumbprint of the key whose one fresh proof came along (RFC 9449 section 4.3).

    Raises Refusal dpop_proof_invalid with the reason.
    """
    proofs = request.headers.getall("dpop", [])
    if len(proofs) != 1 or len(proofs[0]) > PROOF_CHARACTERS_MAX:
        raise Refusal("dpop_proof_invalid", reason="exactly one DPoP proof is needed")
    path = request.scope["raw_path"].decode("ascii", "replace")
    try:
        proof = verify_proof(
            proofs[0], method=request.method, url=origin + path, access_token=None, now=now
        )
    except DpopError as error:
        raise Refusal("dpop_proof_invalid", reason=error.description) from None
    if not await replay.first_use(
        "dpop", proof.replay_key, ttl_seconds=PROOF_REPLAY_TTL_SECONDS, now=now
    ):
        raise Refusal("dpop_proof_invalid", reason="the proof was used before")
    return proof.jkt
