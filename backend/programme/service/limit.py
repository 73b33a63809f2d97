"""The limits of the version that comes into force, given to the balances there are."""

from datetime import datetime

from backend.kit.clock import city_date
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.programme.rules.budget import Bucket, Cause, Kind, limit_of
from backend.programme.rules.document import Limit, Programme
from backend.programme.store import budget as store

_WHOLE = Bucket("programme", "")


async def set_limits(
    tx: Tx, *, programme: Programme, by_whom: str, reason: str, now: datetime
) -> None:
    """Give every balance of a programme that still counts the limit of a version.

    Called in the transaction that puts the version in force, behind the row of the programme.
    A refill before is over: the version says how much there is. Days and months that are past keep
    theirs. Raises Refusal budget_below_reserved (programme, span, bucket, committed_fen, uses).
    """
    document = programme.document
    cause = Cause(by_whom, reason, now)
    whole = limit_of(document.budget, "programme")
    await store.make_balances(tx, document.code, [(_WHOLE, whole)], cause)
    # Whoever reserves waits here: afterwards no balance appears with the limits of before.
    await store.lock_balances(tx, document.code, [_WHOLE])
    day = city_date(now)
    wanted: list[tuple[Bucket, Limit]] = []
    for balance in await store.list_balances(tx, document.code, day, day):
        limit = limit_of(document.budget, balance.span)
        if not balance.bears(limit):
            raise Refusal(
                "budget_below_reserved",
                programme=document.code,
                span=balance.span,
                bucket=balance.bucket,
                committed_fen=balance.committed_fen,
                uses=balance.uses,
            )
        if limit != Limit(amount_fen=balance.limit_fen, uses=balance.limit_uses):
            wanted.append((Bucket(balance.span, balance.bucket), limit))
    changed = await store.save_limits(tx, document.code, wanted, kind=Kind.LIMIT, cause=cause)
    assert changed == len(wanted), "nobody deletes a balance"
