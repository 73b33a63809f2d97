"""From the outbox to the queue and to the handlers, at least once and in a transaction each.

arq is a carrier and nothing else: jobs hold an event's id. `Relay` is given everything it needs
by the worker door.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

from arq import Retry
from arq.connections import ArqRedis

from backend.event import service
from backend.event.rules import Event
from backend.kit.clock import Clock
from backend.kit.log import get_log
from backend.kit.metric import OUTBOX_LAG_SECONDS
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal

log = get_log(__name__)

POLL_SECONDS = 0.5
RETRY_SECONDS_MAX = 30
HANDLE_JOB = "handle_event"


class Handler(Protocol):
    """Carries out one topic in the transaction that marks the event done; safe to run twice."""

    def __call__(self, tx: Tx, *, event: Event) -> Awaitable[None]:
        """Make the effect of an event."""
        ...


class Outbound:
    """Carries out one topic beside any transaction: for an effect in the world outside.

    The event is marked done afterwards, in a transaction of its own: what is killed in between is
    carried out again.
    """

    def __init__(self, carry: Callable[[Event], Awaitable[None]]) -> None:
        self.carry = carry


class Relay:
    """Hands open events to the queue, and carries out those that come back from it."""

    def __init__(
        self, *, database: Database, clock: Clock, handlers: Mapping[str, Handler | Outbound]
    ) -> None:
        self._database = database
        self._clock = clock
        self._handlers = handlers

    async def run(self, queue: ArqRedis, *, stopping: asyncio.Event) -> None:
        """Hand over until told to stop; an outage of either server is waited out.

        Told, not only cancelled: a transaction that is cancelled while its server goes away ends
        with the server's error, and the cancellation would be lost on a loop that outlives errors.
        """
        while not stopping.is_set():
            try:
                handed = await self.hand_over(queue)
            except Exception as fault:
                # Whatever it is, a relay that stopped would let everything behind it wait.
                log.warning("relay_waits", exc_info=fault)
                handed = 0
            if not handed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), POLL_SECONDS)

    async def hand_over(self, queue: ArqRedis) -> int:
        """Hand one batch of events to the queue; return how many were claimed.

        They count as handed before the queue has them: if it never gets them, they are claimed
        again a minute later. A topic nobody follows is done as soon as it is seen.
        """
        now = self._clock.now()
        async with self._database.write() as tx:
            events = await service.claim(tx, now=now)
            unfollowed = [e.event_id for e in events if e.topic not in self._handlers]
            await service.finish(tx, event_ids=unfollowed, now=now)
            lag = await service.get_lag(tx, now=now)
        OUTBOX_LAG_SECONDS.set(lag.total_seconds())
        for event in events:
            if event.topic in self._handlers:
                await queue.enqueue_job(
                    HANDLE_JOB, str(event.event_id), _job_id=str(event.event_id)
                )
        return len(events)

    async def handle(self, event_id: UUID, *, attempt: int) -> None:
        """Carry out one event; raises arq's Retry when it failed, later each time."""
        topic = ""
        try:
            async with self._database.write() as tx:
                event = await service.take(tx, event_id=event_id)
                if event is None:
                    return
                topic = event.topic
                handler = self._handlers[topic]
                if not isinstance(handler, Outbound):
                    await handler(tx, event=event)
                    await service.finish(tx, event_ids=[event_id], now=self._clock.now())
                    return
            await handler.carry(event)
            async with self._database.write() as tx:
                await service.finish(tx, event_ids=[event_id], now=self._clock.now())
        except Exception as fault:
            code = fault.code if isinstance(fault, Refusal) else "internal"
            log.error(
                "event_failed",
                topic=topic,
                event_id=str(event_id),
                attempt=attempt,
                code=code,
                exc_info=fault,
            )
            raise Retry(defer=min(2**attempt, RETRY_SECONDS_MAX)) from None


async def handle_event(ctx: dict[str, Any], event_id: str) -> None:
    """Carry out one event: arq's entry; `ctx["relay"]` is the worker's Relay."""
    relay: Relay = ctx["relay"]
    await relay.handle(UUID(event_id), attempt=ctx["job_try"])
