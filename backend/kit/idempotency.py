"""The same request sent twice has one effect and one answer.

The answer is stored in the transaction of the effect, so there is no moment in which the effect
exists and the answer does not. Draft: draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
    key = check_key(key)
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


class Turn(msgspec.Struct, frozen=True):
    """One request of a batch: whose it is, its key, and what makes the request itself."""

    owner_id: UUID
    key: str
    request: bytes


def check_key(key: str | None) -> str:
    """Return a key as it may be kept; raises Refusal idempotency_key_missing."""
    if key is None or not _KEY.match(key):
        raise Refusal("idempotency_key_missing")
    return key


async def once_each(
    tx: Tx,
    *,
    turns: Sequence[Turn],
    kind: type[T],
    now: datetime,
    run: Callable[[Sequence[int]], Awaitable[Sequence[T | Refusal]]],
) -> list[T | Refusal]:
    """Do for each request of a batch what `once` does for one; one outcome a turn, in order.

    `run` gets the places of those that were never answered, and gives an answer or a refusal for
    each; a refusal is kept nowhere, so it has to change nothing by itself. Of two turns with the
    same key the second is in flight.
    """
    first: dict[tuple[UUID, str], int] = {}
    for place, turn in enumerate(turns):
        first.setdefault((turn.owner_id, turn.key), place)
    outcomes: dict[int, T | Refusal] = {}
    places = list(first.values())
    taken = await _take_turns(tx, [turns[place] for place in places])
    mine = [place for number, place in enumerate(places) if number in taken]
    kept = {(each.owner_id, each.key): each for each in await _find_each(tx, turns, mine, now)}
    fresh = []
    for place in mine:
        turn = turns[place]
        answered = kept.get((turn.owner_id, turn.key))
        if answered is None:
            fresh.append(place)
        elif answered.request_digest != hashlib.sha256(turn.request).digest():
            outcomes[place] = Refusal("idempotency_key_reused")
        else:
            outcomes[place] = msgspec.json.decode(answered.answer, type=kind)
    if fresh:
        answers = dict(zip(fresh, await run(fresh), strict=True))
        outcomes.update(answers)
        done = {p: a for p, a in answers.items() if not isinstance(a, Refusal)}
        await _keep_each(tx, {turns[place]: answer for place, answer in done.items()}, now=now)
    for place in range(len(turns)):
        outcomes.setdefault(place, Refusal("idempotency_key_in_flight"))
    return [outcomes[place] for place in range(len(turns))]


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


class _Taken(msgspec.Struct, frozen=True):
    place: int


class _KeptFor(msgspec.Struct, frozen=True):
    owner_id: UUID
    key: str
    request_digest: bytes
    answer: bytes


async def _take_turns(tx: Tx, turns: Sequence[Turn]) -> set[int]:
    """Lock what `_take_turn` locks, for each; return the places of those nobody else holds."""
    taken = await tx.fetch_all(
        _Taken,
        """SELECT wanted.place - 1 AS place
           FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (owner_id, key, place)
           WHERE pg_try_advisory_xact_lock(
             hashtextextended(wanted.owner_id || '|' || wanted.key, 7249))""",
        [str(turn.owner_id) for turn in turns],
        [turn.key for turn in turns],
    )
    return {each.place for each in taken}


async def _find_each(
    tx: Tx, turns: Sequence[Turn], places: Sequence[int], now: datetime
) -> list[_KeptFor]:
    return await tx.fetch_all(
        _KeptFor,
        """SELECT kept.owner_id, kept.key, kept.request_digest, kept.answer
           FROM unnest($1::uuid[], $2::text[]) AS wanted (owner_id, key)
           JOIN idempotency_key AS kept
             ON kept.owner_id = wanted.owner_id AND kept.key = wanted.key
           WHERE kept.expires_at > $3""",
        [turns[place].owner_id for place in places],
        [turns[place].key for place in places],
        now,
    )


async def _keep_each(tx: Tx, answers: Mapping[Turn, msgspec.Struct], *, now: datetime) -> None:
    await tx.execute(
        """INSERT INTO idempotency_key (owner_id, key, request_digest, answer, expires_at)
           SELECT made.*, $5 FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[])
             AS made (owner_id, key, request_digest, answer)
           ON CONFLICT (owner_id, key) DO UPDATE
           SET request_digest = excluded.request_digest, answer = excluded.answer,
               expires_at = excluded.expires_at""",
        [turn.owner_id for turn in answers],
        [turn.key for turn in answers],
        [hashlib.sha256(turn.request).digest() for turn in answers],
        [msgspec.json.encode(answer) for answer in answers.values()],
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
