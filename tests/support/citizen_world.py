"""The real application on a database, a Valkey and a clock that a test already holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from io import BytesIO
from uuid import UUID

from backend.app import House, open_desk
from backend.consent import service as consent
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.kit.replay import ReplayGuard
from backend.kit.valkey import Valkey
from backend.programme.desk import EnrolmentDesk
from backend.record.jobs import send_submission
from backend.settings import load_settings
from tests.support.citizen import Everybody, RecordingHooks, national_id
from tests.support.oauth_client import ISSUER
from tests.support.world import App, Inbox, World

__all__ = ["App", "CitizenWorld", "EndingConsents", "open_world"]


class EndingConsents(RecordingHooks):
    """Hooks that end the consents of who leaves."""

    async def left(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """End them, and remember it."""
        await consent.end_all(tx, subject_id=subject_id, now=now)
        await super().left(tx, subject_id=subject_id, now=now)


class CitizenWorld(World):
    """The application, its clock and its inbox."""

    def __init__(self, house: House, clock: FixedClock) -> None:
        super().__init__(house)
        self.clock: FixedClock = clock

    async def hand_in(self, source: str, class_code: str, *lines: str) -> None:
        """Hand in lines of external_id,occurred_on,ended_on,quantity about the first citizen."""
        text = "national_id,external_id,occurred_on,ended_on,quantity\n"
        text += "".join(f"{national_id(1)},{each}\n" for each in lines)
        await send_submission(
            self.database,
            BytesIO(text.encode()),
            source_code=source,
            class_code=class_code,
            batch_id=None,
            vault=self.vault,
            clock=self.clock,
        )


@asynccontextmanager
async def open_world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[CitizenWorld]:
    """Open a world and close what it opened."""
    replay = ReplayGuard(valkey, database)
    house = House(
        settings=load_settings({"CREDIT_PUBLIC_ORIGIN": ISSUER}),
        database=database,
        valkey=valkey,
        vault=vault,
        clock=clock,
        replay=replay,
        desk=open_desk(origin=ISSUER, database=database, vault=vault, clock=clock, replay=replay),
        enrolment_desk=EnrolmentDesk(database=database, vault=vault, clock=clock),
        sender=Inbox(),
        identity_register=Everybody(),
    )
    world = CitizenWorld(house, clock)
    try:
        yield world
    finally:
        await world.close()
        await house.desk.close()
        await house.enrolment_desk.close()
        await house.replay.close()
