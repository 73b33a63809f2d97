"""What readiness stands on, asked of the rooms: see kit/health.py for how it is asked."""

from datetime import timedelta

from backend.calendar import service as calendar
from backend.event import service as event
from backend.kit.clock import Clock, city_date
from backend.kit.health import Check, NotReady, database_check, schema_check, valkey_check
from backend.kit.migrate import schema_window
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.kit.valkey import Valkey
from backend.oauth import service as oauth
from backend.record import service as record
from backend.score import service as score

OUTBOX_LAG_SECONDS_MAX = 300
CALENDAR_DAYS_AHEAD_MIN = 60


def health_checks(*, database: Database, valkey: Valkey, clock: Clock) -> list[Check]:
    """Return the checks of a process, those it can't serve without and those an operator sees."""

    async def signing_key() -> None:
        async with database.read() as tx:
            if not await oauth.has_active_signing_key(tx):
                raise NotReady("no active signing key: run `creditplus key ensure`")

    async def catalogue() -> None:
        try:
            async with database.read() as tx:
                await record.get_catalogue(tx)
        except Refusal as refusal:
            if refusal.code != "catalogue_missing":
                raise
            raise NotReady(
                "no catalogue is published: run `creditplus catalogue publish FILE --sources FILE`"
            ) from None

    async def scorecard() -> None:
        async with database.read() as tx:
            if await score.find_version_in_force(tx) is None:
                raise NotReady(
                    "no scorecard is in force: two people approve one (docs/scorecards.md)"
                )

    async def outbox() -> None:
        async with database.read() as tx:
            lag = await event.get_lag(tx, now=clock.now())
        if lag.total_seconds() > OUTBOX_LAG_SECONDS_MAX:
            raise NotReady("events wait for more than five minutes: is the worker running?")

    async def work_calendar() -> None:
        today = city_date(clock.now())
        async with database.read() as tx:
            until = await calendar.find_known_until(tx, today=today)
        if until is None:
            raise NotReady(
                "today is not in the working-day calendar: run `creditplus calendar import`"
            )
        if until - today < timedelta(days=CALENDAR_DAYS_AHEAD_MIN):
            raise NotReady(
                f"working days are known until {until} only: run `creditplus calendar import FILE`"
                " with the next year once the State Council has announced it"
            )

    return [
        database_check(database),
        schema_check(database, schema_window()),
        valkey_check(valkey),
        Check("signing_key", signing_key),
        Check("catalogue", catalogue),
        Check("scorecard", scorecard),
        # The API can serve while events wait; an operator should know all the same.
        Check("outbox", outbox, is_required=False),
        # What needs a working day that isn't known refuses by itself, and nothing else does.
        Check("work_calendar", work_calendar, is_required=False),
    ]
