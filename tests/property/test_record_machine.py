"""Goal: in any order of versions, disputes, repairs, purges and days, what stands is what should.

Method: a Hypothesis state machine hands files in and takes the real verbs on a real PostgreSQL,
beside a model of a few lines; after each step the database must say what the model says, and
whoever has something else counting now must be in an event of the same transaction.
"""

import asyncio
from datetime import timedelta
from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from backend.kit.clock import FixedClock, city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.record import service
from backend.record.jobs import purge_records, send_submission
from backend.record.rules.life import RecordVersion, add_months, counts
from backend.record.rules.status import STEPS, Status, Step, status_of
from tests.conftest import DIGEST_KEY, KEK, NOW
from tests.support.citizen import national_id
from tests.support.examples import examples

PEOPLE = st.integers(1, 2)
NUMBERS = st.sampled_from(["a", "b"])
VERSIONS = st.integers(1, 5)
ACTIONS = st.sampled_from(["report", "report", "report", "withdraw", "repair"])
DAYS = st.integers(0, 60)
VAULT = Vault(kek=KEK, digest_key=DIGEST_KEY)
HEADER = "national_id,external_id,version,action,occurred_on,quantity\n"
STEP_VERBS = {
    Step.DISPUTE: service.dispute,
    Step.CONFIRM: service.confirm,
    Step.REPAIR: service.repair,
}


class Said(NamedTuple):
    """What the source said in one version."""

    person: int
    action: str
    day: Any
    ends_on: Any


class Life(RuleBasedStateMachine):
    """Two numbers of one source, two people; `database` and `runner` are set by the test."""

    database: Database
    runner: asyncio.Runner
    batches = 0  # of all examples: what was sent under a name before is not taken in again

    def __init__(self) -> None:
        super().__init__()
        self.clock = FixedClock(NOW)
        self.said: dict[str, dict[int, Said]] = {"a": {}, "b": {}}
        # Up to which version a purged number is over, and when that is forgotten.
        self.over: dict[str, tuple[int, Any]] = {"a": (0, self.today), "b": (0, self.today)}
        self.disputed: set[tuple[str, int]] = set()
        self.repaired: set[tuple[str, int]] = set()
        self.counting: set[UUID] = set()
        self.may_begin: set[UUID] = set()
        self.versions: list[RecordVersion] = []  # as the last step left them
        self.runner.run(self._empty())

    async def _empty(self) -> None:
        tables = ("record", "record_step", "ended_number", "outbox", "submission_error")
        async with self.database.write() as tx:
            await tx.execute(";".join(f"DELETE FROM {table}" for table in tables))

    @property
    def today(self) -> Any:
        return city_date(self.clock.now())

    @staticmethod
    def subject(person: int) -> UUID:
        return VAULT.subject_id(national_id(person))

    @rule(number=NUMBERS, version=VERSIONS, person=PEOPLE, action=ACTIONS, ago=DAYS)
    def report(self, number: str, version: int, person: int, action: str, ago: int) -> None:
        """A version comes, in any order, perhaps about somebody else, perhaps once more."""
        day = self.today - timedelta(days=ago)
        line = f"{national_id(person)},{number},{version},{action},{day},1"
        Life.batches += 1
        self.clock.advance(timedelta(seconds=1))
        taken = self.runner.run(
            send_submission(
                self.database,
                BytesIO((HEADER + line + "\n").encode()),
                source_code="city_library",
                class_code="library_overdue",
                batch_id=f"batch-{Life.batches}",
                vault=VAULT,
                clock=self.clock,
            )
        )
        said = Said(person, action, day, add_months(day, 3))
        known = self.said[number].get(version)
        is_over = version <= self.over[number][0]
        assert taken.accepted == (not is_over and (known is None or known == said))
        if known is not None or is_over:
            return
        self.said[number][version] = said
        if action == "repair":
            self.repaired.add((number, person))  # whenever it comes: it was decided

    @rule(number=NUMBERS, step=st.sampled_from([*STEP_VERBS]), which=st.integers(0, 9))
    def decide(self, number: str, step: Step, which: int) -> None:
        """A step is taken with any version on file; the table says whether it may be."""
        versions = [each for each in self.versions if each.external_id == number]
        if not versions:
            return
        chosen = versions[which % len(versions)]
        status = status_of(chosen, self.today)

        async def work() -> str:
            async with self.database.write() as tx:
                await STEP_VERBS[step](
                    tx,
                    subject_id=chosen.subject_id,
                    record_id=chosen.record_id,
                    actor="Wang",
                    reason="property",
                    now=self.clock.now(),
                )
            return "taken"

        self.clock.advance(timedelta(seconds=1))
        try:
            outcome = self.runner.run(work())
        except Refusal as refusal:
            outcome = refusal.code
        assert outcome == ("taken" if (status, step) in STEPS else "record_step_impossible")
        if outcome != "taken":
            return
        key = (number, 1 if chosen.subject_id == self.subject(1) else 2)
        if step is Step.DISPUTE:
            self.disputed.add(key)
        elif step is Step.CONFIRM:
            self.disputed.discard(key)
            self.may_begin.add(chosen.record_id)
        else:
            self.repaired.add(key)

    @rule(days=st.integers(1, 40))
    def let_days_pass(self, days: int) -> None:
        """Time goes on; nothing runs."""
        self.clock.advance(timedelta(days=days))

    @rule()
    def purge(self) -> None:
        """What has ended goes, and takes what was decided about it along."""
        self.clock.advance(timedelta(seconds=1))
        self.runner.run(purge_records(self.database, vault=VAULT, clock=self.clock))
        for number, held in self.said.items():
            if held and held[max(held)].ends_on <= self.today:
                forget_on = max(each.ends_on for each in held.values())
                if forget_on > self.today:
                    over = self.over[number]
                    self.over[number] = (max(over[0], *held), max(over[1], forget_on))
                held.clear()
                self.disputed -= {(number, 1), (number, 2)}
                self.repaired -= {(number, 1), (number, 2)}
            if self.over[number][1] <= self.today:
                self.over[number] = (0, self.today)

    @invariant()
    def database_and_model_agree(self) -> None:
        told = self.runner.run(self._look())
        self.what_stands_is_what_should()
        self.nothing_comes_back_and_every_change_is_told(told)

    def what_stands_is_what_should(self) -> None:
        versions = self.versions
        on_file = {(each.external_id, each.version) for each in versions}
        assert on_file == {(n, v) for n, held in self.said.items() for v in held}
        for number, held in self.said.items():
            current = [e for e in versions if e.external_id == number and not e.superseded_at]
            if not held or held[max(held)].action == "withdraw":
                assert current == [], "nothing stands of what was withdrawn"
                continue
            (record,) = current
            said = held[max(held)]
            key = (number, said.person)
            note(f"{number}: {said}, disputed {self.disputed}, repaired {self.repaired}")
            assert (record.version, record.subject_id) == (max(held), self.subject(said.person))
            assert (record.repaired_at is not None) == (key in self.repaired)
            assert (record.disputed_at is not None) == (key in self.disputed)
            expected = Status.STANDING
            if said.ends_on <= self.today:
                expected = Status.ENDED
            elif key in self.repaired:
                expected = Status.REPAIRED
            elif key in self.disputed:
                expected = Status.DISPUTED
            assert status_of(record, self.today) is expected
            assert counts(record, self.today) == (expected is Status.STANDING)

    def nothing_comes_back_and_every_change_is_told(self, told: set[str]) -> None:
        versions = {each.record_id: each for each in self.versions}
        counting = {
            each.record_id
            for each in versions.values()
            if each.superseded_at is None and counts(each, self.today)
        }
        for record_id in counting - self.counting - self.may_begin:
            is_new = versions[record_id].reported_at == self.clock.now()
            assert is_new, "back to life without a confirmed dispute or a higher version"
        begun = {str(versions[each].subject_id) for each in counting - self.counting}
        assert begun <= told, "who has more counting is told of"
        stopped = {
            str(versions[each].subject_id)
            for each in self.counting - counting
            if each in versions and versions[each].ends_on > self.today
        }
        assert stopped <= told, "who has less counting is told of, unless time did it"
        self.counting, self.may_begin = counting, set()

    async def _look(self) -> set[str]:
        """Look at every version, and return of whom the events since the last step tell."""

        class Payload(msgspec.Struct, frozen=True):
            topic: str
            payload: Any

        async with self.database.write() as tx:
            self.versions = [
                each
                for person in (1, 2)
                for each in await service.list_versions(tx, subject_id=self.subject(person))
            ]
            found = await tx.fetch_all(Payload, "DELETE FROM outbox RETURNING topic, payload")
        told = [each.payload for each in found if each.topic == "records.changed"]
        return {each for payload in told for each in payload["subject_ids"]}


@pytest.mark.parametrize(("number", "steps"), [(25, 25)])
def test_records_in_any_order(database_url: str, number: int, steps: int) -> None:
    """At most one version stands, held-back ones never count, every change is told."""
    with asyncio.Runner() as runner:
        Life.runner = runner
        Life.database = runner.run(Database.open(database_url, size=2))
        try:
            run_state_machine_as_test(
                Life,
                settings=examples(
                    number,
                    stateful_step_count=steps,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(Life.database.close())
