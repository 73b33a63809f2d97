"""Nothing expired stays: every row of this room has an end."""

from datetime import datetime, timedelta

from backend.kit.postgres import Tx
from backend.oauth import store

# A grant goes a day after its codes and tokens, so that none of them is ever without it.
_GRANT_MARGIN = timedelta(days=1)


async def sweep(tx: Tx, *, now: datetime) -> int:
    """Delete requests, codes, tokens and grants that are over; returns how many rows.

    At most 50,000 of each kind at a time: what is left goes the next time.
    """
    count = await store.delete_requests_over(tx, now=now)
    count += await store.delete_access_tokens_over(tx, now=now)
    count += await store.delete_refresh_tokens_over(tx, now=now)
    count += await store.delete_client_tokens_over(tx, now=now)
    count += await store.delete_codes_over(tx, now=now)
    return count + await store.delete_grants_over(tx, ended_before=now - _GRANT_MARGIN)
