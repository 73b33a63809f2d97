"""Goal: citizens see where they stand, enrol and leave; a seat is taken and given back once.

Method: the whole application on a database of its own; crowds with as many connections as fit.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from backend.citizen import service as citizen
from backend.kit.clock import FixedClock
from backend.kit.problem import Refusal
from backend.ledger.rules import Actor
from backend.programme import service
from backend.programme.rules.offer import OfferState
from tests.support.programme_world import GOOD, City, add_strangers, open_city, set_facts

SHELL = Actor.at_shell("王敏")


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


async def enrol(city: City, subject_id: UUID, programme_code: str = "library") -> str:
    try:
        async with city.house.database.write() as tx:
            await service.enrol(
                tx, subject_id=subject_id, programme_code=programme_code, now=city.clock.now()
            )
    except Refusal as refused:
        return refused.code
    return "enrolled"


async def test_a_citizen_reads_every_programme_with_baseline_benefit_and_what_is_missing(
    city: City,
) -> None:
    person = await city.person(facts={**GOOD, "score": 590, "dimension.civic": 0})
    answer = await city.call(person, "GET", "/v1/me/programmes")
    assert answer.status_code == 200, answer.text
    offers = {each["programme"]: each for each in answer.json()["items"]}
    assert sorted(offers) == ["approval", "library", "loan", "rental", "tourism", "transit"]
    assert offers["transit"]["offer"] == "available"
    library = offers["library"]
    assert library["offer"] == "not_yet"
    assert library["baseline"] == {"type": "deposit", "deposit_fen": 10000}
    assert library["benefit"] == {"type": "deposit_waiver", "cap_fen": 10000}
    assert library["seats_left"] == 200000
    assert library["enrolment"] is None
    assert library["missing"] == [
        {
            "one_of": [
                {
                    "fact": "score",
                    "name_zh": "信用分",
                    "name_en": "Score",
                    "unit": "points",
                    "comparison": "at_least",
                    "current": 590,
                    "needed": 600,
                }
            ]
        }
    ]
    assert [len(group["one_of"]) for group in offers["tourism"]["missing"]] == [2]
    assert "no-store" in answer.headers["cache-control"]


async def test_one_programme_is_the_one_in_the_list_and_an_unknown_one_is_404(city: City) -> None:
    person = await city.person()
    listed = (await city.call(person, "GET", "/v1/me/programmes")).json()["items"]
    one = await city.call(person, "GET", "/v1/me/programmes/library")
    assert one.json() in listed
    assert (await city.call(person, "GET", "/v1/me/programmes/casino")).status_code == 404


async def test_enrolling_takes_a_seat_and_leaving_gives_it_back_once(city: City) -> None:
    person = await city.person()
    made = await city.call(person, "POST", "/v1/me/enrolments", {"programme": "library"})
    assert made.status_code == 201, made.text
    assert (made.json()["programme"], made.json()["version"]) == ("library", 2)
    assert await city.seats() == (200000, 1)
    shown = (await city.call(person, "GET", "/v1/me/programmes/library")).json()
    assert shown["offer"] == "enrolled"
    assert shown["enrolment"]["enrolment_id"] == made.json()["enrolment_id"]
    address = f"/v1/me/enrolments/{made.json()['enrolment_id']}"
    for _ in range(3):
        assert (await city.call(person, "DELETE", address)).status_code == 204
    assert await city.seats() == (200000, 0)
    assert (await city.call(person, "GET", "/v1/me/programmes/library")).json()[
        "offer"
    ] == "available"
    again = await city.call(person, "POST", "/v1/me/enrolments", {"programme": "library"})
    assert again.status_code == 201
    assert again.json()["enrolment_id"] != made.json()["enrolment_id"]


async def test_the_same_request_sent_twice_enrols_once_and_answers_the_same(city: City) -> None:
    person = await city.person()
    key = {"idempotency-key": "a-fresh-key-of-a-test"}
    body = {"programme": "library"}
    first = await city.call(person, "POST", "/v1/me/enrolments", body, headers=key)
    second = await city.call(person, "POST", "/v1/me/enrolments", body, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert await city.seats() == (200000, 1)
    other = await city.call(
        person, "POST", "/v1/me/enrolments", {"programme": "transit"}, headers=key
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    missing = await city.call(
        person, "POST", "/v1/me/enrolments", body, headers={"idempotency-key": ""}
    )
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")


async def test_leaving_forgets_the_answers_that_are_kept_for_repetitions(city: City) -> None:
    """An answer names the programme and the moment: it goes with what it was an answer about."""
    person = await city.person()
    other = await city.person()
    key = {"idempotency-key": "a-fresh-key-of-a-test"}
    body = {"programme": "library"}
    for each in (person, other):
        made = await city.call(each, "POST", "/v1/me/enrolments", body, headers=key)
        assert made.status_code == 201
    await city.leave(person)
    assert await city.count("idempotency_key") == 1, "the other citizen's stays"
    again = await city.call(person, "POST", "/v1/me/enrolments", body, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "participation_required")
    kept = await city.call(other, "POST", "/v1/me/enrolments", body, headers=key)
    assert kept.json() == made.json()


async def test_who_may_not_enrol_is_told_why_and_takes_no_seat(city: City) -> None:
    await city.set_seats(1, "transit")
    enrolled = await city.person(enrols=["library", "transit"])
    poor = await city.person(facts={**GOOD, "indicator.library_overdue": 9})
    stranger = await city.person(joins=False)
    rich = await city.person()
    async with city.house.database.write() as tx:
        await service.end(
            tx, programme_code="rental", by=SHELL, reason="封存", now=city.clock.now()
        )
    for person, programme_code, code in (
        (enrolled, "library", "already_enrolled"),
        (poor, "library", "not_eligible_yet"),
        (stranger, "library", "participation_required"),
        (rich, "rental", "programme_closed"),
        (rich, "transit", "seats_sold_out"),
        (rich, "casino", "not_found"),
    ):
        answer = await city.call(person, "POST", "/v1/me/enrolments", {"programme": programme_code})
        assert answer.json()["code"] == code
        assert answer.status_code == (404 if code == "not_found" else 409)
        if code == "not_eligible_yet":
            lacks = answer.json()["missing"]
            assert [(e["fact"], e["current"], e["needed"]) for e in lacks[0]["one_of"]] == [
                ("indicator.library_overdue", 9, 2)
            ]
    assert await city.seats() == (200000, 1)
    assert await city.seats("transit") == (1, 1)
    shown = await city.call(rich, "GET", "/v1/me/programmes/transit")
    assert (shown.json()["offer"], shown.json()["seats_left"]) == ("sold_out", 0)


@pytest.mark.parametrize(
    "body", [{}, {"programme": 1}, {"programme": "library", "version": 1}, {"programme": ""}, []]
)
async def test_a_body_that_is_not_an_enrolment_is_refused(city: City, body: object) -> None:
    person = await city.person()
    answer = await city.call(person, "POST", "/v1/me/enrolments", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "body_invalid")


async def test_somebody_elses_enrolment_is_404_and_stays(city: City) -> None:
    owner, other = await city.person(), await city.person()
    made = await city.call(owner, "POST", "/v1/me/enrolments", {"programme": "library"})
    address = f"/v1/me/enrolments/{made.json()['enrolment_id']}"
    assert (await city.call(other, "DELETE", address)).status_code == 404
    assert (await city.call(other, "DELETE", f"/v1/me/enrolments/{uuid4()}")).status_code == 404
    assert await city.seats() == (200000, 1)


async def test_200_contenders_for_10_seats_are_exactly_10(city: City) -> None:
    await city.set_seats(10)
    async with city.house.database.write() as tx:
        crowd = await add_strangers(tx, 200, now=city.clock.now())
    codes = await asyncio.gather(*(enrol(city, subject_id) for subject_id in crowd))
    assert Counter(codes) == {"enrolled": 10, "seats_sold_out": 190}
    assert await city.seats() == (10, 10)
    assert await city.count("enrolment") == 10


async def test_of_two_at_once_for_the_last_seat_one_wins(city: City) -> None:
    for _ in range(5):
        _, taken = await city.seats()
        await city.set_seats(taken + 1)
        async with city.house.database.write() as tx:
            two = await add_strangers(tx, 2, now=city.clock.now())
        codes = await asyncio.gather(*(enrol(city, subject_id) for subject_id in two))
        assert sorted(codes) == ["enrolled", "seats_sold_out"]


async def test_one_citizen_with_two_phones_takes_one_seat(city: City) -> None:
    person = await city.person()
    codes = await asyncio.gather(*(enrol(city, person.subject_id) for _ in range(8)))
    assert Counter(codes) == {"enrolled": 1, "already_enrolled": 7}
    assert await city.seats() == (200000, 1)


async def test_leaving_from_two_phones_gives_one_seat_back(city: City) -> None:
    person = await city.person()
    other = await city.person(enrols=["library"])
    async with city.house.database.write() as tx:
        made = await service.enrol(
            tx, subject_id=person.subject_id, programme_code="library", now=city.clock.now()
        )

    async def leave() -> None:
        async with city.house.database.write() as tx:
            await service.leave_enrolment(
                tx,
                subject_id=person.subject_id,
                enrolment_id=made.enrolment_id,
                now=city.clock.now(),
            )

    await asyncio.gather(*(leave() for _ in range(8)))
    assert await city.seats() == (200000, 1)
    assert other.subject_id != person.subject_id


async def test_the_database_itself_refuses_to_oversell(city: City) -> None:
    await city.set_seats(1)
    for taken in (2, -1):
        with pytest.raises(Exception, match="seat_budget"):
            async with city.house.database.write() as tx:
                await tx.execute("UPDATE seat_budget SET seats_taken = $1", taken)


async def test_leaving_the_service_erases_enrolments_and_gives_every_seat_back(
    city: City,
) -> None:
    person = await city.person(enrols=["library", "transit"])
    stays = await city.person(enrols=["library"])
    left = await city.call(person, "POST", "/v1/me/enrolments", {"programme": "tourism"})
    await city.call(person, "DELETE", f"/v1/me/enrolments/{left.json()['enrolment_id']}")
    for _ in range(2):
        await city.leave(person)
    assert await city.seats("library") == (200000, 1)
    assert await city.seats("transit") == (100000, 0)
    assert await city.seats("tourism") == (50000, 0)
    assert await city.count("enrolment") == 1
    offers = await city.call(person, "GET", "/v1/me/programmes/library")
    assert offers.json()["offer"] == "join_first"
    assert offers.json()["missing"] == []
    assert (await city.call(stays, "GET", "/v1/me/programmes/library")).json()[
        "offer"
    ] == "enrolled"


async def test_enrolling_while_leaving_leaves_no_enrolment_and_no_seat_behind(city: City) -> None:
    for _ in range(5):
        person = await city.person()
        _, outcome = await asyncio.gather(
            city.leave(person), enrol(city, person.subject_id), return_exceptions=True
        )
        assert outcome in {"enrolled", "participation_required"}
        assert await city.count("enrolment") == 0
        assert await city.seats() == (200000, 0)


async def test_many_who_leave_at_once_do_not_wait_for_each_other_for_ever(city: City) -> None:
    codes = ["library", "transit", "tourism", "approval"]
    people = [await city.person(enrols=codes[turn:] + codes[:turn]) for turn in range(4)]
    await asyncio.gather(*(city.leave(person) for person in people))
    for code in codes:
        assert (await city.seats(code))[1] == 0


async def test_a_running_enrolment_keeps_its_version_when_a_new_one_comes(city: City) -> None:
    person = await city.person(enrols=["library"])
    text = (files("backend.programme") / "data/library.toml").read_text("utf-8")
    text = text.replace("version = 2", "version = 3").replace("at_least = 600", "at_least = 900")
    async with city.house.database.write() as tx:
        programme = await service.load(tx, text=text)
        await service.publish(tx, programme=programme, now=city.clock.now())
        offer = await service.get_offer(
            tx, subject_id=person.subject_id, programme_code="library", now=city.clock.now()
        )
    assert (offer.state, offer.programme.document.version) == (OfferState.ENROLLED, 2)
    assert offer.missing == [], "by the rule it was promised"
    newcomer = await city.person()
    async with city.house.database.read() as tx:
        offer = await service.get_offer(
            tx, subject_id=newcomer.subject_id, programme_code="library", now=city.clock.now()
        )
    assert (offer.state, offer.programme.document.version) == (OfferState.NOT_YET, 3)


async def test_facts_that_change_change_the_offer_at_once(city: City) -> None:
    person = await city.person(facts={**GOOD, "score": 1})
    async with city.house.database.write() as tx:
        before = await service.list_offers(tx, subject_id=person.subject_id, now=city.clock.now())
        await set_facts(tx, person.subject_id, GOOD)
        after = await service.list_offers(tx, subject_id=person.subject_id, now=city.clock.now())
    states = [{o.programme.document.code: o.state for o in each} for each in (before, after)]
    assert states[0]["library"] is OfferState.NOT_YET
    assert states[1]["library"] is OfferState.AVAILABLE


async def test_an_account_that_never_joined_has_no_facts(city: City) -> None:
    person = await city.person(joins=False)
    async with city.house.database.read() as tx:
        assert await citizen.find_participation_key(tx, subject_id=person.subject_id) is None
        offers = await service.list_offers(tx, subject_id=person.subject_id, now=city.clock.now())
    assert {offer.state for offer in offers} == {OfferState.JOIN_FIRST}
