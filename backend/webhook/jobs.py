"""The loop that sends what is due, beside the relay: no Valkey, no job for each delivery.

A delivery is claimed with a lease, sent outside any transaction, and what came of it is written
with that of others. A worker that dies leaves its deliveries to the others when the leases end.
"""

import asyncio
import contextlib
import os
from collections import Counter
from datetime import datetime
from functools import lru_cache
from random import SystemRandom
from uuid import UUID

from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.ids import monotonic_milliseconds
from backend.kit.log import get_log
from backend.kit.metric import WEBHOOK_PAUSES, WEBHOOK_TRIES
from backend.kit.postgres import Database
from backend.webhook import service
from backend.webhook.ports import Courier
from backend.webhook.rules.delivery import BEGUN_WITHIN, Answer, Claimed, judge
from backend.webhook.rules.endpoint import Secret, live_secrets
from backend.webhook.rules.signature import (
    KEY_BYTES,
    SIGNATURE_HEADER,
    head_of,
    keys_of,
    signature_of,
)
from backend.webhook.service.secret import unsealed

log = get_log(__name__)

POLL_SECONDS = 0.25
STOP_SECONDS = 3.0
SENDING_MAX = 128
# Of one endpoint: a receiver that never answers holds so many places for ten seconds, once.
SENDING_ENDPOINT_MAX = 8
_random = SystemRandom()


class Dispatch:
    """Sends what is due to partners' endpoints until it is told to stop."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock, courier: Courier) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._courier = courier
        self._sending: set[asyncio.Task[None]] = set()
        self._busy: Counter[UUID] = Counter()
        self._over: list[service.Sent] = []
        self._progress = asyncio.Event()
        self._secrets = lru_cache(maxsize=1024)(self._unseal)

    async def run(self, *, stopping: asyncio.Event) -> None:
        """Send until told to stop; an outage of the database is waited out."""
        try:
            while not stopping.is_set():
                if not await self._turn():
                    await self._wait(stopping)
        finally:
            await self._finish()
            await self._courier.close()

    async def send_due(self) -> int:
        """Send everything that is due now, wait for it, and return how many tries that were."""
        total = 0
        while True:
            claimed = await self._claim()
            total += len(claimed)
            if not claimed and not self._sending:
                await self._conclude()
                return total
            for each in claimed:
                self._begin(each)
            if self._sending:
                await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
            await self._conclude()

    async def _turn(self) -> int:
        """Write what came back, take what is due; return how many that were."""
        self._progress.clear()
        try:
            concluded = await self._conclude()
            claimed = await self._claim()
        except Exception as fault:
            # Whatever it is, a loop that stopped would let every partner wait.
            log.warning("dispatch_waits", exc_info=fault)
            await asyncio.sleep(POLL_SECONDS)
            return 0
        for each in claimed:
            self._begin(each)
        return concluded + len(claimed)

    async def _wait(self, stopping: asyncio.Event) -> None:
        """Wait until something came back or may have become due."""
        told = asyncio.create_task(stopping.wait())
        progress = asyncio.create_task(self._progress.wait())
        await asyncio.wait(
            {told, progress}, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        told.cancel()
        progress.cancel()

    async def _claim(self) -> list[Claimed]:
        free = SENDING_MAX - len(self._sending)
        if free < SENDING_MAX // 4:  # not for a few at a time
            return []
        async with self._database.single() as tx:
            return await service.claim(
                tx,
                busy=dict(self._busy),
                limit=free,
                limit_endpoint=SENDING_ENDPOINT_MAX,
                now=self._clock.now(),
            )

    def _begin(self, claimed: Claimed) -> None:
        self._busy[claimed.endpoint_id] += 1
        task = asyncio.create_task(self._send(claimed, self._clock.now()))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, claimed: Claimed, taken_at: datetime) -> None:
        try:
            now, started = self._clock.now(), monotonic_milliseconds()
            if now - taken_at > BEGUN_WITHIN:  # this process stood still: others may be at it
                return
            head = head_of(claimed.message_id, now)
            answer = await self._post(claimed, head, now)
            verdict = judge(claimed, answer, random=_random.random())
            WEBHOOK_TRIES.labels(claimed.kind, verdict.fault or "none").inc()
            sent = service.Sent(
                claimed=claimed,
                answer=answer,
                verdict=verdict,
                at=now,
                duration_ms=monotonic_milliseconds() - started,
                request_head=head,
            )
            self._over.append(sent)
        finally:
            self._busy[claimed.endpoint_id] -= 1
            if not self._busy[claimed.endpoint_id]:
                del self._busy[claimed.endpoint_id]
            self._progress.set()

    async def _post(self, claimed: Claimed, head: dict[str, str], now: datetime) -> Answer:
        try:
            signature = self._signature(claimed, now)
            headers = {**head, SIGNATURE_HEADER: signature}
            return await self._courier.post(
                claimed.url,
                receiver_id=claimed.endpoint_id,
                headers=headers,
                body=claimed.body,
            )
        except Exception as fault:
            # A fault of ours: seen in the log, and tried again like a fault of theirs.
            log.error("delivery_failed", partner_id=str(claimed.partner_id), exc_info=fault)
            return Answer(status=None, head={}, content=b"", fault="internal")

    def _signature(self, claimed: Claimed, now: datetime) -> str:
        """Return what the request is signed with; a probe by a key that nobody has."""
        if claimed.kind == "probe":
            keys = [os.urandom(KEY_BYTES)]
        else:
            secrets_kept = self._secrets(claimed.endpoint_id, claimed.secrets_sealed)
            keys = keys_of(live_secrets(secrets_kept, now))
        return signature_of(
            claimed.scheme, keys, message_id=claimed.message_id, body=claimed.body, now=now
        )

    def _unseal(self, endpoint_id: UUID, content: bytes) -> list[Secret]:
        return unsealed(self._vault, endpoint_id, content)

    async def _conclude(self) -> int:
        """Write what came of the tries that are over; they are kept until that is committed."""
        over = list(self._over)
        if not over:
            return 0
        now = self._clock.now()
        async with self._database.write() as tx:
            paused = await service.conclude(tx, sent=over, now=now)
        del self._over[: len(over)]
        for each in paused:
            WEBHOOK_PAUSES.inc()
            log.warning("endpoint_paused", partner_id=str(each.partner_id))
        return len(over)

    async def _finish(self) -> None:
        """Wait for what is on its way and write it; the rest is left to the other workers."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=STOP_SECONDS)
        for task in self._sending:
            task.cancel()
        with contextlib.suppress(Exception):
            await self._conclude()


async def probe_due(database: Database, *, origin: str, clock: Clock) -> int:
    """Probe the endpoints whose turn it is; run twice, it finds fewer."""
    async with database.write() as tx:
        return await service.probe_due(tx, origin=origin, now=clock.now())
