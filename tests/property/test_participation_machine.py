"""Goal: in any order of joining, leaving, deleting and coming back, taking part stays whole.

Method: a Hypothesis state machine drives the real verbs on a real PostgreSQL, one transaction a
step, beside a model of a few lines; after each step the database must say what the model says.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from backend.citizen import service
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from tests.conftest import DIGEST_KEY, KEK, NOW
from tests.support.citizen import RecordingHooks, national_id, sign_up
from tests.support.examples import examples

PEOPLE = st.integers(1, 2)
VERSION = service.CURRENT_NOTICE.version
VAULT = Vault(kek=KEK, digest_key=DIGEST_KEY)


class Participating(RuleBasedStateMachine):
    """Two people who come and go; `database` and `runner` are set by the test."""

    database: Database
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        self.accounts: set[int] = set()
        self.keys: dict[int, bytes] = {}
        self.every_key: set[bytes] = set()
        self.expected: list[tuple[str, UUID]] = []
        self.hooks = RecordingHooks()
        self.runner.run(self._empty())

    async def _empty(self) -> None:
        others = ("account", "phone_directory", "session", "sign_in_code", "sign_in_try")
        tables = ("participation", *others)
        async with self.database.write() as tx:
            await tx.execute(";".join(f"DELETE FROM {table}" for table in tables))

    def do(self, verb, **arguments):
        """Run a verb in a transaction of its own; a refusal's code is the outcome."""
        self.now += timedelta(minutes=3)

        async def step():
            async with self.database.write() as tx:
                return await verb(tx, now=self.now, **arguments)

        try:
            return self.runner.run(step())
        except Refusal as refusal:
            return refusal.code

    @staticmethod
    def subject(person: int) -> UUID:
        return VAULT.subject_id(national_id(person))

    @rule(person=PEOPLE)
    def register(self, person: int) -> None:
        outcome = self.do(sign_up, vault=VAULT, serial=person)
        assert (outcome == "account_exists") == (person in self.accounts)
        self.accounts.add(person)

    @rule(person=PEOPLE)
    def join(self, person: int) -> None:
        outcome = self.do(
            service.join,
            subject_id=self.subject(person),
            notice_version=VERSION,
            vault=VAULT,
            hooks=self.hooks,
        )
        if person not in self.accounts:
            assert outcome == "account_missing"
        elif person in self.keys:
            assert outcome.data_key == self.keys[person]
        else:
            assert outcome.data_key not in self.every_key, "a destroyed key never comes back"
            assert outcome.joined_at == self.now
            self.keys[person] = outcome.data_key
            self.every_key.add(outcome.data_key)
            self.expected.append(("joined", self.subject(person)))

    @rule(person=PEOPLE, version=st.sampled_from(["2026-01", "2027-12", ""]))
    def join_on_another_notice(self, person: int, version: str) -> None:
        outcome = self.do(
            service.join,
            subject_id=self.subject(person),
            notice_version=version,
            vault=VAULT,
            hooks=self.hooks,
        )
        assert outcome == ("notice_outdated" if person in self.accounts else "account_missing")

    @rule(person=PEOPLE)
    def leave(self, person: int) -> None:
        left = self.do(service.leave, subject_id=self.subject(person), hooks=self.hooks)
        assert left == (person in self.keys)
        if self.keys.pop(person, None) is not None:
            self.expected.append(("left", self.subject(person)))

    @rule(person=PEOPLE)
    def delete(self, person: int) -> None:
        gone = self.do(service.delete_account, subject_id=self.subject(person), hooks=self.hooks)
        assert gone == (person in self.accounts)
        if person in self.accounts:
            self.accounts.discard(person)
            self.keys.pop(person, None)
            self.expected.append(("left", self.subject(person)))

    @invariant()
    def database_and_model_agree(self) -> None:
        """The row exists exactly while the citizen takes part, and only with an account."""
        assert self.hooks.calls == self.expected
        for person, key in self.runner.run(self._keys()).items():
            assert key == self.keys.get(person)
            assert key is None or person in self.accounts

    async def _keys(self) -> dict[int, bytes | None]:
        async with self.database.read() as tx:
            return {
                person: await service.find_participation_key(tx, subject_id=self.subject(person))
                for person in (1, 2)
            }


@pytest.mark.parametrize("steps", [20])
def test_taking_part_in_any_order(database_url: str, steps: int) -> None:
    """Idempotent, whole, a fresh key each time, hooks in step with the rows."""
    with asyncio.Runner() as runner:
        Participating.runner = runner
        Participating.database = runner.run(Database.open(database_url, size=2))
        try:
            run_state_machine_as_test(
                Participating,
                settings=examples(
                    25,
                    stateful_step_count=steps,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(Participating.database.close())
