"""A few citizens, a library, and the worker's hands: what the tests of scores do to a city."""

from io import BytesIO
from typing import Any
from uuid import UUID

from backend.citizen import service as citizen
from backend.event import service as event
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.record.jobs import send_submission
from backend.score import jobs, service
from tests.support.citizen import national_id, sign_up


class Hooks:
    """What joining and leaving do to a score."""

    async def joined(self, tx: Tx, *, subject_id: UUID, now: Any) -> None:
        """Make the score."""
        await service.compute(tx, subject_id=subject_id, now=now)

    async def left(self, tx: Tx, *, subject_id: UUID, now: Any) -> None:
        """Erase the score."""
        await service.erase(tx, subject_id=subject_id)


class City:
    """A few citizens, a library, and the worker's hands."""

    def __init__(self, database: Database, vault: Vault, clock: FixedClock) -> None:
        self.database, self.vault, self.clock = database, vault, clock
        self.hooks = Hooks()
        self.batches = 0

    def subject(self, serial: int) -> UUID:
        """Return the subject id of a person."""
        return self.vault.subject_id(national_id(serial))

    async def join(self, *serials: int) -> None:
        """Let people register and join."""
        for serial in serials:
            async with self.database.write() as tx:
                now = self.clock.now()
                await sign_up(tx, vault=self.vault, now=now, serial=serial)
                await citizen.join(
                    tx,
                    subject_id=self.subject(serial),
                    notice_version=citizen.CURRENT_NOTICE.version,
                    vault=self.vault,
                    now=now,
                    hooks=self.hooks,
                )

    async def leave(self, serial: int) -> None:
        """Let somebody leave."""
        async with self.database.write() as tx:
            subject_id = self.subject(serial)
            assert await citizen.leave(
                tx, subject_id=subject_id, now=self.clock.now(), hooks=self.hooks
            )

    async def borrow(self, serial: int, *, day: str = "2026-11-01", late: bool = False) -> None:
        """Put a returned library item on record."""
        self.batches += 1
        text = "national_id,external_id,occurred_on,quantity\n"
        text += f"{national_id(serial)},lib-{self.batches},{day},5\n"
        await send_submission(
            self.database,
            BytesIO(text.encode()),
            source_code="city_library",
            class_code="library_overdue" if late else "library_return",
            batch_id=None,
            vault=self.vault,
            clock=self.clock,
        )

    async def work(self) -> int:
        """Carry out the open events, as the worker does; return how many there were."""
        async with self.database.write() as tx:
            events = await event.claim(tx, now=self.clock.now())
        for each in events:
            async with self.database.write() as tx:
                if each.topic == "records.changed":
                    await jobs.recompute_changed(tx, event=each, now=self.clock.now())
                await event.finish(tx, event_ids=[each.event_id], now=self.clock.now())
        return len(events)

    async def score(self, serial: int) -> service.Score | None:
        """Return somebody's score."""
        async with self.database.read() as tx:
            return await service.find(tx, subject_id=self.subject(serial))

    async def facts(self, serial: int) -> dict[str, int]:
        """Return what programmes may ask about somebody who has a score."""
        async with self.database.read() as tx:
            facts = await service.find_facts(tx, subject_id=self.subject(serial))
        assert facts is not None
        return facts
