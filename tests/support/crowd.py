"""Many people who take part at once, of several ages and districts, with records of their own."""

from datetime import date
from io import BytesIO
from uuid import UUID

from backend.app import House, Participation, event_handlers
from backend.citizen import service as citizen
from backend.citizen.rules import CodeToSend, SessionKind, SignedIn
from backend.event import service as event
from backend.event.jobs import Relay
from backend.record.jobs import send_submission
from tests.support.citizen import Everybody, code_in, phone

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
DISTRICTS = ("999001", "999002", "999003")
BIRTH_YEARS = (2005, 1995, 1985, 1975, 1965, 1955)


def born_on(serial: int) -> date:
    """Return a birthday: every six people are of six age bands."""
    return date(BIRTH_YEARS[serial % len(BIRTH_YEARS)], 3, 1 + serial % 28)


def national_id(serial: int, district: str | None = None) -> str:
    """Return a valid number; the district by turns, unless one is named."""
    area = district or DISTRICTS[serial % len(DISTRICTS)]
    first_17 = f"{area}{born_on(serial):%Y%m%d}{serial:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(first_17, _WEIGHTS, strict=True))
    return first_17 + "10X98765432"[total % 11]


class Crowd:
    """A city in which people join by the real doors."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ids: dict[int, str] = {}

    def subject(self, serial: int) -> UUID:
        """Return the subject id of somebody who joined."""
        return self.house.vault.subject_id(self.ids[serial])

    async def join(self, *serials: int, district: str | None = None) -> None:
        """Let people register and join."""
        house, now = self.house, self.house.clock.now()
        for serial in serials:
            self.ids[serial] = national_id(serial, district)
            address = f"10.0.{serial >> 8 & 255}.{serial & 255}"
            async with house.database.write() as tx:
                asked = await citizen.request_code(
                    tx,
                    phone=phone(serial),
                    device=None,
                    address=address,
                    vault=house.vault,
                    now=now,
                )
                assert isinstance(asked, CodeToSend)
                entered = await citizen.register(
                    tx,
                    phone=phone(serial),
                    code=code_in(asked),
                    national_id=self.ids[serial],
                    name="林晓",
                    device=None,
                    address=address,
                    identity=Everybody(),
                    vault=house.vault,
                    now=now,
                    jkt=None,
                    kind=SessionKind.WEB,
                )
                assert isinstance(entered, SignedIn)
                await citizen.join(
                    tx,
                    subject_id=self.subject(serial),
                    notice_version=citizen.CURRENT_NOTICE.version,
                    vault=house.vault,
                    now=now,
                    hooks=Participation(),
                )

    async def report(
        self, source: str, class_code: str, day: date, quantities: dict[int, int]
    ) -> None:
        """Hand in a file that holds a record of that day for each person named."""
        lines = ["national_id,external_id,occurred_on,quantity"]
        lines += [
            ",".join(
                (
                    self.ids.get(serial) or national_id(serial),
                    f"{class_code}-{serial}-{day}",
                    f"{day}",
                    f"{quantity}",
                )
            )
            for serial, quantity in quantities.items()
        ]
        await send_submission(
            self.house.database,
            BytesIO("\n".join([*lines, ""]).encode()),
            source_code=source,
            class_code=class_code,
            batch_id=None,
            vault=self.house.vault,
            clock=self.house.clock,
        )

    async def work(self, events_max: int = 1_000) -> int:
        """Carry out what waits in the outbox, as the worker does; return how much that was."""
        handlers, now = event_handlers(self.house), self.house.clock.now()
        relay = Relay(database=self.house.database, clock=self.house.clock, handlers=handlers)
        count = 0
        while count < events_max:
            async with self.house.database.write() as tx:
                events = await event.claim(tx, now=now)
                unfollowed = [each.event_id for each in events if each.topic not in handlers]
                await event.finish(tx, event_ids=unfollowed, now=now)
            if not events:
                break
            for each in events:
                await relay.handle(each.event_id, attempt=1)
            count += len(events)
        return count
