"""Goal: a partner asks no more often in a day than it may, over all of its consents together, and
can show later what it was told.

Method: the real verbs and the real application in process; crowds at once on a database of their
own; the city's midnight on a clock that is moved.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from backend.access.rules import Scope
from backend.kit.clock import FixedClock, city_date
from backend.kit.problem import Refusal
from backend.ledger.rules import Actor
from backend.partner import service as partner
from backend.programme import service
from backend.programme.rules.eligibility import EligibilityAnswer, EligibilityCheck, Outcome
from tests.support.oauth_client import OauthClient
from tests.support.partner import PartnerSoftware
from tests.support.programme_world import City, open_city
from tests.support.world import problem_of

CLERK = Actor.at_shell("clerk")


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


async def bound(city: City, checks_a_day: int | None, code: str = "city-library") -> None:
    """Bound a partner's checks."""
    async with city.house.database.write() as tx:
        await partner.set_checks_a_day(
            tx,
            code=code,
            checks_a_day=checks_a_day,
            by=CLERK,
            reason="试点期间限量",
            now=city.clock.now(),
        )


async def answers(city: City, checks: Sequence[EligibilityCheck]) -> list[str]:
    """Decide a batch in a transaction of its own; say how each came out."""
    async with city.house.database.write() as tx:
        outcomes = await service.check_eligibility(
            tx, checks=checks, vault=city.house.vault, now=city.clock.now()
        )
    return [said(outcome) for outcome in outcomes]


def said(outcome: Outcome) -> str:
    if isinstance(outcome, EligibilityAnswer):
        return "yes" if outcome.eligible else "no"
    return type(outcome).__name__


async def made(city: City) -> int:
    """Return how many checks are counted today, of all partners."""
    async with city.house.database.read() as tx:
        return await tx.fetch_value(
            int,
            "SELECT coalesce(sum(checks), 0)::bigint FROM partner_check WHERE day = $1",
            city_date(city.clock.now()),
        )


async def test_the_bound_is_over_all_consents_whatever_the_answer(city: City) -> None:
    """Yes and no count alike, one citizen's and another's; who asks beyond it learns nothing."""
    yes = await city.question(await city.person(enrols=["library"]))
    no = await city.question(await city.person())
    await bound(city, 3)
    assert await answers(city, [yes, no]) == ["yes", "no"]
    assert await answers(city, [no, yes, no]) == ["no", "LooksSpent", "LooksSpent"]
    assert await answers(city, [yes]) == ["LooksSpent"]
    assert await made(city) == 3
    assert await city.count("decision") == 3
    assert await city.count("access_entry") == 3


async def test_a_new_day_of_the_city_and_a_higher_bound_open_it_again(city: City) -> None:
    question = await city.question(await city.person(enrols=["library"]))
    await bound(city, 1)
    assert await answers(city, [question] * 2) == ["yes", "LooksSpent"]
    await bound(city, 2)
    assert await answers(city, [question] * 2) == ["yes", "LooksSpent"]
    city.clock.advance(timedelta(hours=14))  # 10:00 in the city, and 14 hours are midnight
    assert await answers(city, [question]) == ["yes"]
    await bound(city, None)
    assert await answers(city, [question] * 3) == ["yes"] * 3


async def test_a_consent_that_is_spent_costs_the_partner_nothing(city: City) -> None:
    """What the consent's own bound refuses was not asked; nor was what a dead consent was."""
    person, other = await city.person(enrols=["library"]), await city.person(enrols=["library"])
    question, dead = await city.question(person), await city.question(other)
    async with city.house.database.write() as tx:
        await tx.execute("UPDATE consent SET detail = jsonb_set(detail, '{per_day}', '1')")
    await city.withdraw(other, dead.consent_id)
    await bound(city, 2)
    said = await answers(city, [question, question, dead])
    assert said == ["yes", "LooksSpent", "ConsentGone"]
    assert await made(city) == 1


async def test_other_partners_are_counted_by_themselves(city: City) -> None:
    """A bound is one partner's; without one nothing is counted at all."""
    question = await city.question(await city.person(enrols=["library"]))
    assert await answers(city, [question] * 3) == ["yes"] * 3
    assert await made(city) == 0
    await city.add_client(OauthClient(city.http, city.clock, client_id="tour"), "city-tourism")
    await bound(city, 1, "city-tourism")
    assert await answers(city, [question] * 3) == ["yes"] * 3


async def test_a_crowd_of_batches_gets_exactly_the_bound(city: City) -> None:
    """Eight batches of five at once, twenty to be had: twenty, and each is a decision."""
    questions = [await city.question(await city.person(enrols=["library"])) for _ in range(8)]
    await bound(city, 20)
    batches = await asyncio.gather(*(answers(city, [question] * 5) for question in questions))
    said = Counter(each for batch in batches for each in batch)
    assert said == {"yes": 20, "LooksSpent": 20}
    assert await made(city) == await city.count("decision") == 20


async def test_the_partner_is_told_when_to_come_back(city: City) -> None:
    """As for a consent's own bound: 429 with the seconds to the city's midnight."""
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    await bound(city, 1)
    assert (await city.check(token)).status_code == 200
    answer = await city.check(token)
    problem_of(answer, 429, "too_many_requests")
    assert answer.headers["retry-after"] == str(14 * 3600)


async def test_only_a_partner_there_is_can_be_bounded_and_it_is_written_down(city: City) -> None:
    with pytest.raises(Refusal, match="partner_unknown"):
        await bound(city, 5, "nobody")
    await bound(city, 5)
    async with city.house.database.read() as tx:
        thing = await tx.fetch_value(
            str, "SELECT object FROM operator_entry WHERE action = 'partner.checks_bounded'"
        )
    assert thing == "partner:city-library"


async def test_counts_of_days_that_are_over_go(city: City) -> None:
    question = await city.question(await city.person(enrols=["library"]))
    await bound(city, 5)
    await answers(city, [question])
    async with city.house.database.write() as tx:
        assert await service.purge_checks(tx, now=city.clock.now()) == 0
        tomorrow = city.clock.now() + timedelta(days=1)
        assert await service.purge_checks(tx, now=tomorrow) == 1


async def test_a_yes_can_be_looked_up_by_the_partner_that_was_told_it(city: City) -> None:
    """What it was told and until when; whether it still may be relied on; never of whom."""
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    told = (await city.check(token)).json()
    own = await PartnerSoftware.of(city.library, scope="decisions:read")
    path = f"/v1/decisions/{told['decision_id']}"
    found = (await own.call("GET", path)).json()
    assert {name: found[name] for name in told} == told
    assert (found["decided_at"], found["is_valid"]) == ("2026-11-20T02:00:00Z", True)
    assert found.keys() == {*told, "decided_at", "is_valid"}
    city.clock.advance(timedelta(days=2))
    await own.sign_in()
    assert (await own.call("GET", path)).json()["is_valid"] is False


async def test_it_stays_when_the_citizen_withdraws_and_leaves(city: City) -> None:
    """The partner relied on it; it learns nothing by looking, not even that somebody left."""
    person = await city.person(enrols=["library"])
    told = (await city.check(await city.token(person))).json()
    own = await PartnerSoftware.of(city.library)
    path = f"/v1/decisions/{told['decision_id']}"
    before = (await own.call("GET", path)).json()
    await city.leave(person)
    assert (await own.call("GET", path)).json() == before


async def test_no_other_decision_is_there(city: City) -> None:
    """Another partner's, a no (whose id nobody was told) and none at all: one and the same."""
    eligible, other = await city.person(enrols=["library"]), await city.person()
    told = (await city.check(await city.token(eligible))).json()
    assert (await city.check(await city.token(other))).json() == {"eligible": False}
    async with city.house.database.read() as tx:
        no = await tx.fetch_value(str, "SELECT decision_id::text FROM decision WHERE NOT eligible")
    office = OauthClient(city.http, city.clock, client_id="tour")
    await city.add_client(office, "city-tourism")
    library, tourism = await PartnerSoftware.of(city.library), await PartnerSoftware.of(office)
    for own, decision_id in ((tourism, told["decision_id"]), (library, no), (library, uuid4())):
        problem_of(await own.call("GET", f"/v1/decisions/{decision_id}"), 404, "not_found")


async def test_a_citizens_token_looks_up_no_decision(city: City) -> None:
    """And an own token checks nobody."""
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    own = await PartnerSoftware.of(city.library)
    path = f"/v1/decisions/{uuid4()}"
    headers = {
        "authorization": f"DPoP {token}",
        "dpop": city.library.proof("GET", path, access_token=token),
    }
    answer = await city.http.get(path, headers=headers)
    assert problem_of(answer, 403, "scope_insufficient")["scope"] == Scope.DECISIONS_READ
    problem_of(await city.check(own.token), 403, "scope_insufficient")
