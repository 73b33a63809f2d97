"""SQL of the outbox."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backend.event.rules import Event
from backend.kit.postgres import ReadTx, Tx


async def insert_event(
    tx: Tx, event: Event, created_at: datetime, *, handed_at: datetime | None
) -> None:
    """Write one event."""
    await tx.execute(
        """INSERT INTO outbox (event_id, topic, subject_id, payload, created_at, handed_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        event.event_id,
        event.topic,
        event.subject_id,
        event.payload,
        created_at,
        handed_at,
    )


async def insert_events(tx: Tx, events: Sequence[Event], created_at: datetime) -> None:
    """Write many events."""
    await tx.execute_many(
        """INSERT INTO outbox (event_id, topic, subject_id, payload, created_at)
           VALUES ($1, $2, $3, $4, $5)""",
        [(each.event_id, each.topic, each.subject_id, each.payload, created_at) for each in events],
    )


async def claim_events(
    tx: Tx, *, now: datetime, handed_before: datetime, limit: int
) -> list[Event]:
    """Mark open events as handed over and return them; two relays never get the same one."""
    return await tx.fetch_all(
        Event,
        """UPDATE outbox SET handed_at = $1
           WHERE event_id IN (
               SELECT event_id FROM outbox
               WHERE done_at IS NULL AND (handed_at IS NULL OR handed_at < $2)
               ORDER BY event_id LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING event_id, topic, subject_id, payload""",
        now,
        handed_before,
        limit,
    )


async def lock_open_event(tx: Tx, event_id: UUID) -> Event | None:
    """Lock an event that is not done; None when it is, or when somebody is at it now."""
    return await tx.fetch_optional(
        Event,
        """SELECT event_id, topic, subject_id, payload FROM outbox
           WHERE event_id = $1 AND done_at IS NULL FOR UPDATE SKIP LOCKED""",
        event_id,
    )


async def lock_open_before(tx: Tx, *, topic: str, object_id: str, sequence: int) -> list[Event]:
    """Lock what is open about an object and numbered lower; waits for others who hold it."""
    return await tx.fetch_all(
        Event,
        """SELECT event_id, topic, subject_id, payload FROM outbox
           WHERE topic = $1 AND payload ->> 'object_id' = $2 AND done_at IS NULL
               AND (payload ->> 'sequence')::bigint < $3
           ORDER BY (payload ->> 'sequence')::bigint, event_id FOR UPDATE""",
        topic,
        object_id,
        sequence,
    )


async def mark_done(tx: Tx, event_ids: list[UUID], now: datetime) -> int:
    """Mark events as done."""
    return await tx.execute(
        """UPDATE outbox SET done_at = $2 WHERE event_id = ANY($1) AND done_at IS NULL""",
        event_ids,
        now,
    )


async def find_oldest_open(tx: ReadTx) -> datetime | None:
    """Return when the oldest event that isn't done was written."""
    return await tx.fetch_optional_value(
        datetime, """SELECT min(created_at) FROM outbox WHERE done_at IS NULL"""
    )


async def delete_done(tx: Tx, *, done_before: datetime) -> int:
    """Delete events that were done long ago; at most 10,000 at a time."""
    return await tx.execute(
        """DELETE FROM outbox WHERE event_id IN
           (SELECT event_id FROM outbox WHERE done_at < $1 LIMIT 10000)""",
        done_before,
    )
