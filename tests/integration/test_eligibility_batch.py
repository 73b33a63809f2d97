"""Goal: checks share a transaction and nothing else: each waits for its own commit, a withdrawal
is final, one poisoned check fails alone, and every decision can be made again from its trace.

Method: the desk and its verb on a real database; interleavings are chosen by holding
transactions open, crowds by many tasks; statements are counted by a Tx that counts.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from backend.access.authenticate import TokenRefused
from backend.app import open_desk
from backend.citizen import service as citizen
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal, Unavailable
from backend.programme import service
from backend.programme.desk import EligibilityDesk
from backend.programme.rules.eligibility import (
    Cause,
    ConsentGone,
    DecisionTrace,
    EligibilityAnswer,
    EligibilityCheck,
    LooksSpent,
    Outcome,
    facts_digest,
)
from backend.programme.rules.rule import evaluate
from backend.score import service as score_service
from tests.conftest import DIGEST_KEY, KEK
from tests.support.oauth_client import OauthClient
from tests.support.programme_world import GOOD, City, Person, open_city, set_facts


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


async def check(city: City, tx: Tx, checks: Sequence[EligibilityCheck]) -> list[Outcome]:
    return await service.check_eligibility(
        tx, checks=checks, vault=city.house.vault, now=city.clock.now()
    )


async def committed(city: City, checks: Sequence[EligibilityCheck]) -> list[Outcome]:
    async with city.house.database.write() as tx:
        return await check(city, tx, checks)


def said(outcome: Outcome) -> str:
    if isinstance(outcome, EligibilityAnswer):
        return "yes" if outcome.eligible else "no"
    return type(outcome).__name__


class DecisionRow(msgspec.Struct):
    decision_id: UUID
    eligible: bool
    programme_version: int
    facts_digest: bytes
    trace_sealed: bytes | None
    look_number: int


async def decisions(city: City, person: Person) -> list[DecisionRow]:
    async with city.house.database.read() as tx:
        return await tx.fetch_all(
            DecisionRow,
            """SELECT decision_id, eligible, programme_version, facts_digest, trace_sealed,
                      look_number
               FROM decision WHERE subject_id = $1 ORDER BY look_number""",
            person.subject_id,
        )


async def trace_of(city: City, person: Person, row: DecisionRow) -> DecisionTrace:
    async with city.house.database.read() as tx:
        key = await citizen.find_participation_key(tx, subject_id=person.subject_id)
    assert key is not None
    assert row.trace_sealed is not None
    plain = city.house.vault.unseal(
        key, row.trace_sealed, aad=f"decision|trace_sealed|{row.decision_id}"
    )
    return msgspec.json.decode(plain, type=DecisionTrace)


@asynccontextmanager
async def owner_of(city: City) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the owner of the database, who may do what the application may not."""
    assert city.house.settings.database_url is not None
    owner = await asyncpg.connect(city.house.settings.database_url)
    try:
        yield owner
    finally:
        await owner.close()


async def cut_waiting(city: City) -> int:
    """Cut every connection that waits for a lock, as a failing network would; return how many."""
    async with owner_of(city) as owner:
        count = await owner.fetchval(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        )
    assert isinstance(count, int)
    return count


async def until_one_waits(city: City) -> None:
    """Return once a connection waits for a lock."""
    async with owner_of(city) as owner, asyncio.timeout(20):
        while not await owner.fetchval(
            """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        ):
            await asyncio.sleep(0.02)


class CountingTx(Tx):
    """A transaction that counts its statements."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._connection)
        self.count = 0

    async def fetch_all(self, *args: Any) -> Any:
        self.count += 1
        return await super().fetch_all(*args)

    async def fetch_optional(self, *args: Any) -> Any:
        self.count += 1
        return await super().fetch_optional(*args)

    async def execute(self, *args: Any) -> int:
        self.count += 1
        return await super().execute(*args)


class CountingVault(Vault):
    """A vault that counts what is sealed from one new key to the next."""

    def __init__(self, **keys: bytes) -> None:
        super().__init__(**keys)
        self.seals: list[int] = []

    def new_data_key(self) -> bytes:
        self.seals.append(0)
        return super().new_data_key()

    def seal(self, data_key: bytes, plaintext: bytes, *, aad: str) -> bytes:
        self.seals[-1] += 1
        return super().seal(data_key, plaintext, aad=aad)


async def test_a_batch_is_two_statements_however_many_checks(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    await committed(city, [question])  # the programme's document is known from here on
    for size in (1, 40):
        async with city.house.database.write() as tx:
            counting = CountingTx(tx)
            await check(city, counting, [question] * size)
        assert counting.count == 2


async def test_answers_come_in_the_order_of_the_questions(city: City) -> None:
    good = await city.person(enrols=["library"])
    bad = await city.person()
    gone = await city.person(enrols=["library"])
    questions = [await city.question(each) for each in (good, bad, gone)]
    await city.withdraw(gone, questions[2].consent_id)
    foreign = msgspec.structs.replace(questions[0], subject_id=bad.subject_id)
    stolen = msgspec.structs.replace(questions[0], client_id="somebody-else")
    other = msgspec.structs.replace(questions[0], programme_code="rental")
    museum = await city.add_client(
        OauthClient(city.http, city.clock, client_id="museum"), "city-museum"
    )
    stranger = msgspec.structs.replace(questions[0], partner_id=museum)
    batch = [questions[2], questions[1], foreign, questions[0], stolen, other, questions[1]]
    batch.append(stranger)
    assert [said(outcome) for outcome in await committed(city, batch)] == [
        "ConsentGone",
        "no",
        "ConsentGone",
        "yes",
        "ConsentGone",
        "ConsentGone",
        "no",
        "ConsentGone",
    ]
    assert await city.count("decision") == 3
    assert await city.count("access_entry") == 3


async def test_a_withdrawal_waits_for_the_answer_under_way_and_there_is_none_after(
    city: City,
) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    async with city.house.database.write() as tx:
        (outcome,) = await check(city, tx, [question])
        withdrawal = asyncio.create_task(city.withdraw(person, question.consent_id))
        await asyncio.sleep(0.1)
        assert not withdrawal.done(), "it waits for the batch"
    await withdrawal
    assert said(outcome) == "yes"
    assert [said(each) for each in await committed(city, [question])] == ["ConsentGone"]
    assert await city.count("access_entry") == 1


async def test_a_check_that_waited_for_a_withdrawal_finds_no_consent(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    async with city.house.database.write() as tx:
        await tx.execute(
            """UPDATE consent SET ended_at = given_at, end_reason = 'withdrawn'
               WHERE subject_id = $1""",
            person.subject_id,
        )
        answer = asyncio.create_task(committed(city, [question]))
        await asyncio.sleep(0.1)
        assert not answer.done(), "it waits for the withdrawal"
    assert [said(outcome) for outcome in await answer] == ["ConsentGone"]
    assert await city.count("decision") == 0


async def test_an_expired_consent_is_gone(city: City, clock: FixedClock) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    clock.advance(timedelta(days=365))
    assert [said(each) for each in await committed(city, [question])] == ["ConsentGone"]


async def test_an_answer_of_the_desk_is_in_the_ledger_before_it_arrives(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)

    async def ask() -> None:
        answer = await city.house.desk.check(question)
        async with city.house.database.read() as tx:
            found = await tx.fetch_value(
                int,
                "SELECT count(*) FROM access_entry WHERE decision_id = $1",
                answer.decision_id,
            )
        assert found == 1

    await asyncio.gather(*(ask() for _ in range(30)))
    assert await city.count("access_entry") == 30


async def test_the_desk_raises_for_what_is_no_answer(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    async with city.house.database.write() as tx:
        await tx.execute("UPDATE consent SET detail = jsonb_set(detail, '{per_day}', '1')")
    assert (await city.house.desk.check(question)).eligible
    with pytest.raises(Refusal) as refused:
        await city.house.desk.check(question)
    assert refused.value.code == "too_many_requests"
    await city.withdraw(person, question.consent_id)
    with pytest.raises(TokenRefused):
        await city.house.desk.check(question)


async def test_one_poisoned_check_fails_alone_and_its_neighbours_are_written_once(
    city: City,
) -> None:
    people = [await city.person(enrols=["library"]) for _ in range(5)]
    questions = [await city.question(person) for person in people]
    async with city.house.database.write() as tx:
        await tx.execute(
            "UPDATE consent SET detail = detail - 'per_day' WHERE subject_id = $1",
            people[2].subject_id,
        )
    answers = await asyncio.gather(
        *(city.house.desk.check(question) for question in questions), return_exceptions=True
    )
    for number, answer in enumerate(answers):
        if number == 2:
            assert isinstance(answer, TypeError)
        else:
            assert isinstance(answer, EligibilityAnswer)
            assert answer.eligible
    assert await city.count("access_entry") == 4
    assert await city.count("decision") == 4


async def test_a_cut_connection_is_unavailable_and_the_next_check_works(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    async with city.house.database.write() as tx:
        # The batch waits for this lock, so that it can be cut in the middle.
        await tx.execute("SELECT FROM consent FOR UPDATE")
        asking = asyncio.create_task(city.house.desk.check(question))
        await until_one_waits(city)
        assert await cut_waiting(city) == 1
    with pytest.raises(Unavailable):
        await asking
    assert await city.count("access_entry") == 0
    assert (await city.house.desk.check(question)).eligible


async def test_looks_of_two_processes_are_numbered_without_a_gap_and_bounded(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    async with city.house.database.write() as tx:
        await tx.execute("UPDATE consent SET detail = jsonb_set(detail, '{per_day}', '20')")
    house = city.house
    desks = [
        open_desk(
            origin=house.settings.public_origin,
            database=house.database,
            vault=house.vault,
            clock=house.clock,
            replay=house.replay,
        )
        for _ in range(3)
    ]

    async def ask(desk: EligibilityDesk) -> str:
        for _ in range(20):
            try:
                return "yes" if (await desk.check(question)).eligible else "no"
            except Unavailable:
                continue  # lost the race for a number too often: as the caller does, again
            except Refusal as refused:
                return refused.code
        return "unavailable"

    codes = await asyncio.gather(*(ask(desk) for desk in desks for _ in range(20)))
    assert Counter(codes) == {"yes": 20, "too_many_requests": 40}
    numbers = [row.look_number for row in await decisions(city, person)]
    assert numbers == list(range(1, 21))
    assert await city.count("access_entry") == 20
    for desk in desks:
        await desk.close()


async def test_only_the_check_that_lost_the_race_for_a_number_is_left_out(city: City) -> None:
    hot, neighbour = await city.person(enrols=["library"]), await city.person(enrols=["library"])
    question, other = await city.question(hot), await city.question(neighbour)
    async with city.house.database.write() as first:
        await check(city, first, [question])
        second = asyncio.create_task(committed(city, [other, question]))
        await until_one_waits(city)
        assert not second.done(), "the unique index makes it wait"
    assert [said(outcome) for outcome in await second] == ["yes", "LookRaced"]
    assert await city.count("decision") == 2
    assert await city.count("access_entry") == 2, "what was not decided left no look"


async def test_who_keeps_losing_the_race_fails_alone(city: City) -> None:
    """A partner that hammers one consent from everywhere takes nobody else's answers away."""
    hot, neighbour = await city.person(enrols=["library"]), await city.person(enrols=["library"])
    question, other = await city.question(hot), await city.question(neighbour)
    async with owner_of(city) as owner:
        # Somebody is always faster with this consent: its rows never go in.
        await owner.execute(
            f"""CREATE FUNCTION always_taken() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.consent_id = '{question.consent_id}' THEN RETURN NULL; END IF;
                    RETURN NEW;
                END $$"""
        )
        await owner.execute(
            """CREATE TRIGGER always_taken BEFORE INSERT ON decision
               FOR EACH ROW EXECUTE FUNCTION always_taken()"""
        )
    desk = city.house.desk
    answers = await asyncio.gather(
        *(desk.check(each) for each in (other, question, other)), return_exceptions=True
    )
    assert [type(each).__name__ for each in answers] == [
        "EligibilityAnswer",
        "Unavailable",
        "EligibilityAnswer",
    ]
    assert await city.count("access_entry") == 2


async def test_two_batches_of_the_same_consents_in_another_order_do_not_lock_each_other_out(
    city: City,
) -> None:
    people = [await city.person(enrols=["library"]) for _ in range(3)]
    low, middle, high = sorted(
        [await city.question(person) for person in people], key=lambda each: each.subject_id.bytes
    )
    async with city.house.database.write() as first:
        # Both batches wait here, each with a look in its hands that the other one wants.
        await check(city, first, [middle])
        batches = [
            asyncio.create_task(committed(city, [low, middle, high])),
            asyncio.create_task(committed(city, [high, middle, low])),
        ]
        await asyncio.sleep(0.2)
    answers = [[said(outcome) for outcome in await batch] for batch in batches]
    assert sorted(outcome for batch in answers for outcome in batch) == [
        *["LookRaced"] * 4,
        *["yes"] * 2,
    ]


async def test_the_desk_checks_again_when_it_lost_the_race(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    async with city.house.database.write() as first:
        await check(city, first, [question])
        second = asyncio.create_task(city.house.desk.check(question))
        await asyncio.sleep(0.1)
        assert not second.done()
    assert (await second).eligible
    assert [row.look_number for row in await decisions(city, person)] == [1, 2]


@pytest.mark.parametrize("enrols", [["library"], []])
async def test_looks_of_one_batch_are_bounded_too(city: City, enrols: list[str]) -> None:
    """After a no as after a yes: else who asks often could tell them apart by the refusal."""
    person = await city.person(enrols=enrols)
    question = await city.question(person)
    async with city.house.database.write() as tx:
        await tx.execute("UPDATE consent SET detail = jsonb_set(detail, '{per_day}', '2')")
    outcomes = await committed(city, [question] * 4)
    answer = "yes" if enrols else "no"
    assert [said(outcome) for outcome in outcomes] == [answer, answer, "LooksSpent", "LooksSpent"]
    assert isinstance(outcomes[3], LooksSpent)


async def test_a_decision_can_be_made_again_from_its_trace(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    await committed(city, [question])
    async with city.house.database.write() as tx:
        await set_facts(tx, person.subject_id, {**GOOD, "score": 599})
    await committed(city, [question])
    (library,) = [p for p in service.packaged_documents() if p.document.code == "library"]
    async with city.house.database.read() as tx:
        score = await score_service.get(tx, subject_id=person.subject_id)
    for row, cause in zip(
        await decisions(city, person), (Cause.ELIGIBLE, Cause.RULE_NOT_MET), strict=True
    ):
        trace = await trace_of(city, person, row)
        assert trace.cause is cause
        assert trace.programme_digest == library.digest
        assert row.programme_version == trace.programme_version == 2
        assert facts_digest(trace) == row.facts_digest
        assert trace.scorecard_version == score.scorecard_version
        assert trace.score_digest == score.input_digest
        assert trace.score_as_of == score.as_of
        assert evaluate(library.rule, trace.facts).clauses == trace.clauses
        assert evaluate(library.rule, trace.facts).holds is row.eligible
    salts = {(await trace_of(city, person, row)).salt for row in await decisions(city, person)}
    assert len(salts) == 2


async def test_a_trace_moved_to_another_decision_does_not_open(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    await committed(city, [question, question])
    first, second = await decisions(city, person)
    moved = msgspec.structs.replace(first, trace_sealed=second.trace_sealed)
    with pytest.raises(Exception, match="decision"):
        await trace_of(city, person, moved)


async def test_a_check_without_a_key_seals_as_much_as_one_with_it(city: City) -> None:
    """A no costs what a yes costs (ADR 0009), also where there is nothing to keep."""
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    vault = CountingVault(kek=KEK, digest_key=DIGEST_KEY)
    for _ in range(2):
        async with city.house.database.write() as tx:
            await service.check_eligibility(
                tx, checks=[question], vault=vault, now=city.clock.now()
            )
            await tx.execute("DELETE FROM participation WHERE subject_id = $1", person.subject_id)
    assert vault.seals == [1, 1], "the second check found no participation, and no key"


async def test_of_a_citizen_who_does_not_take_part_no_facts_are_kept(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    async with city.house.database.write() as tx:
        await tx.execute("DELETE FROM participation WHERE subject_id = $1", person.subject_id)
        await tx.execute("DELETE FROM score WHERE subject_id = $1", person.subject_id)
    assert [said(outcome) for outcome in await committed(city, [question])] == ["no"]
    (row,) = await decisions(city, person)
    assert row.trace_sealed is None


async def test_a_running_enrolment_is_answered_by_the_version_it_was_promised(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    text = (files("backend.programme") / "data/library.toml").read_text("utf-8")
    text = text.replace("version = 2", "version = 3").replace("at_least = 600", "at_least = 900")
    async with city.house.database.write() as tx:
        programme = await service.load(tx, text=text)
        await service.publish(tx, programme=programme, now=city.clock.now())
    assert [said(outcome) for outcome in await committed(city, [question])] == ["yes"]
    (row,) = await decisions(city, person)
    assert row.programme_version == 2


async def test_a_closed_desk_takes_no_checks(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    await city.house.desk.close()
    with pytest.raises(Unavailable):
        await city.house.desk.check(question)


async def test_what_is_gone_needs_no_second_statement(city: City) -> None:
    person = await city.person(enrols=["library"])
    question = await city.question(person)
    await city.withdraw(person, question.consent_id)
    async with city.house.database.write() as tx:
        counting = CountingTx(tx)
        assert await check(city, counting, [question]) == [ConsentGone()]
    assert counting.count == 1
