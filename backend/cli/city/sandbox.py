"""The sandbox's test subjects: made-up citizens for whom each answer a partner can get is known.

They come in through the same doors as everybody; what is on file about them is handed in like any
department's file. A second run changes nothing. docs/sandbox.md tells partners who they are.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from importlib.resources import files
from io import BytesIO
from typing import Final

import msgspec

from backend.citizen.ports import ParticipationHooks
from backend.cli.city.people import national_id
from backend.cli.city.seed import NamedPerson, join_one
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.programme import service as programme
from backend.record import service as record
from backend.record.jobs import send_submission

LIBRARY: Final = "library"
SEATS: Final = "sandbox-seats"
# Beyond any number that a city's own people have (see people.CITIZENS_MAX).
_FIRST_NUMBER: Final = 900_001
_HEADER: Final = "national_id,external_id,version,occurred_on,ended_on,quantity"
_WHO: Final = "sandbox"
_WHY: Final = "沙盒：本人提出异议 (a sandbox: its person says it is wrong)"


class Subject(msgspec.Struct, frozen=True):
    """Somebody to try an answer with; `eligible` is what a check of `programme` says."""

    code: str
    name: str
    programme: str
    eligible: bool
    has_records: bool

    @property
    def person(self) -> NamedPerson:
        """Their name, identity number and phone; nobody's."""
        number = _FIRST_NUMBER + SUBJECTS.index(self)
        return self.name, national_id(number, date(1990, 1, 1)), f"+86199{number:08d}"


SUBJECTS: Final = (
    Subject("eligible", "沙可", LIBRARY, eligible=True, has_records=True),
    Subject("not_yet", "沙迟", LIBRARY, eligible=False, has_records=False),
    Subject("not_enrolled", "沙未", LIBRARY, eligible=False, has_records=True),
    Subject("left", "沙离", LIBRARY, eligible=False, has_records=True),
    Subject("disputed", "沙议", LIBRARY, eligible=False, has_records=True),
    Subject("sold_out", "沙满", SEATS, eligible=False, has_records=True),
)


async def bring_in(
    database: Database, *, as_of: date, hooks: ParticipationHooks, vault: Vault, clock: Clock
) -> int:
    """Bring the subjects to where their answers are known; return how many were not there yet.

    `as_of` is the day of the city: the records about them end there, whenever this is run again.
    """
    text = files("backend.cli.city").joinpath("sandbox-seats.toml").read_text("utf-8")
    async with database.write() as tx:
        seats = programme.load_by_packaged(text)
        await programme.publish(tx, programme=seats, now=clock.now())
    for source, class_code, lines in _files(as_of):
        await send_submission(
            database,
            BytesIO("\n".join([_HEADER, *lines, ""]).encode()),
            source_code=source,
            class_code=class_code,
            batch_id=f"sandbox-{as_of:%Y%m%d}-{class_code}",
            vault=vault,
            clock=clock,
        )
    count = 0
    for place, subject in enumerate(SUBJECTS, start=_FIRST_NUMBER):
        try:
            async with database.write() as tx:
                joined = await join_one(
                    tx,
                    subject.person,
                    place=place,
                    identity=_KnowsSubjects(),
                    hooks=hooks,
                    vault=vault,
                    now=clock.now(),
                )
                if joined:
                    await _live(tx, subject, vault=vault, now=clock.now())
                    count += 1
        except Refusal as refusal:
            # Whoever tries things out may have let a subject leave: that stays so.
            if refusal.code != "account_exists":
                raise
    return count


class _KnowsSubjects:
    """An identity register of the sandbox's subjects alone."""

    def confirms(self, *, national_id: str, name: str, phone: str) -> bool:
        """Tell whether the three are one subject's."""
        return (name, national_id, phone) in [subject.person for subject in SUBJECTS]


def _files(as_of: date) -> Iterator[tuple[str, str, list[str]]]:
    """Write what departments say about the subjects: source, class and lines of each file."""
    people = [subject.person[1] for subject in SUBJECTS if subject.has_records]
    months = [(n, as_of - timedelta(days=30 * n)) for n in range(1, 9)]
    for source, class_code, prefix, quantity in (
        ("city_library", "library_return", "r", 2),
        ("volunteer_federation", "volunteer_service", "v", 6),
    ):
        yield (
            source,
            class_code,
            [
                f"{number},sandbox-{prefix}-{place}-{n},1,{day},,{quantity}"
                for place, number in enumerate(people)
                for n, day in months
            ],
        )
    yield (
        "public_security_bureau",
        "residence_registration",
        [f"{number},sandbox-l-{place},1,2014-03-01,,1" for place, number in enumerate(people)],
    )


async def _live(tx: Tx, subject: Subject, *, vault: Vault, now: datetime) -> None:
    """Let a subject who has just joined do what leads to their answer."""
    subject_id = vault.subject_id(subject.person[1])
    if subject.code in {"eligible", "left", "disputed"}:
        enrolment = await programme.enrol(
            tx, subject_id=subject_id, programme_code=LIBRARY, now=now
        )
        if subject.code == "left":
            await programme.leave_enrolment(
                tx, subject_id=subject_id, enrolment_id=enrolment.enrolment_id, now=now
            )
    if subject.code == "eligible":  # and takes the one seat that others find taken
        await programme.enrol(tx, subject_id=subject_id, programme_code=SEATS, now=now)
    if subject.code == "disputed":
        found = await record.look_at_records(
            tx, subject_id=subject_id, actor=_WHO, reason=_WHY, now=now
        )
        for version in found.versions:
            await record.dispute(
                tx,
                subject_id=subject_id,
                record_id=version.record_id,
                actor=_WHO,
                reason=_WHY,
                now=now,
            )
