"""The same request sent twice has one effect and one answer.

The answer is stored in the transaction of the effect, so there is no moment in which the effect
exists and the answer does not. Draft: draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec

from backend.kit.postgres import Tx
from backend.kit.problem import Refusal

T = TypeVar("T", bound=msgspec.Struct)

KEPT_FOR = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{16,64}\Z")


class _Kept(msgspec.Struct, frozen=True):
    request_digest: bytes
    answer: bytes


async def once(
    tx: Tx,
    *,
    owner_id: UUID,
    key: str | None,
    request: bytes,
    kind: type[T],
    now: datetime,
    run: Callable[[], Awaitable[T]],
) -> T:
    """Run `run` once for this owner and key, and give its answer again to every repetition.

    `request` is what makes the request itself (operation and body). Raises Refusal:
    idempotency_key_missing (no key, or not 16-64 visible ASCII characters),
    idempotency_key_reused (the key came with another request before),
    idempotency_key_in_flight (the first request has not ended yet).
    """
    if key is None or not _KEY.match(key):
        raise Refusal("idempotency_key_missing")
    digest = hashlib.sha256(request).digest()
    if not await _take_turn(tx, owner_id, key):
        raise Refusal("idempotency_key_in_flight")
    kept = await _find(tx, owner_id, key, now)
    if kept is not None:
        if kept.request_digest != digest:
            raise Refusal("idempotency_key_reused")
        return msgspec.json.decode(kept.answer, type=kind)
    answer = await run()
    await _keep(tx, owner_id, key, _Kept(digest, msgspec.json.encode(answer)), now=now)
    return answer


async def _take_turn(tx: Tx, owner_id: UUID, key: str) -> bool:
    """Lock (owner, key) until the transaction ends; False when somebody else holds it."""
    return await tx.fetch_value(
        bool,
        """SELECT pg_try_advisory_xact_lock(hashtextextended($1 || '|' || $2, 7249))""",
        str(owner_id),
        key,
    )


async def _find(tx: Tx, owner_id: UUID, key: str, now: datetime) -> _Kept | None:
    return await tx.fetch_optional(
        _Kept,
        """SELECT request_digest, answer FROM idempotency_key
           WHERE owner_id = $1 AND key = $2 AND expires_at > $3""",
        owner_id,
        key,
        now,
    )


async def _keep(tx: Tx, owner_id: UUID, key: str, kept: _Kept, *, now: datetime) -> None:
    await tx.execute(
        """INSERT INTO idempotency_key (owner_id, key, request_digest, answer, expires_at)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (owner_id, key) DO UPDATE
           SET request_digest = excluded.request_digest, answer = excluded.answer,
               expires_at = excluded.expires_at""",
        owner_id,
        key,
        kept.request_digest,
        kept.answer,
        now + KEPT_FOR,
    )


async def forget(tx: Tx, *, owner_id: UUID) -> None:
    """Delete every answer kept for an owner: it goes with the citizen who leaves."""
    await tx.execute("""DELETE FROM idempotency_key WHERE owner_id = $1""", owner_id)


async def purge(tx: Tx, *, now: datetime) -> int:
    """Delete what has expired and return how much that was; at most 10,000 rows at a time."""
    return await tx.execute(
        """DELETE FROM idempotency_key WHERE (owner_id, key) IN
           (SELECT owner_id, key FROM idempotency_key WHERE expires_at <= $1 LIMIT 10000)""",
        now,
    )
