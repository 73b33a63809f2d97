"""Goal: a partner learns yes, or nothing; the citizen sees every look before its answer leaves.

Method: the whole application and the whole OAuth way to a token; answers compared byte by byte.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from backend.kit.clock import FixedClock
from backend.kit.postgres import ReadTx
from backend.ledger.rules import Actor
from backend.programme import service
from tests.support.oauth_client import OauthClient
from tests.support.programme_world import GOOD, City, Person, open_city, set_facts

SHELL = Actor.at_shell("王敏")

NO = b'{"eligible":false}'


@pytest.fixture
async def city(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    async with open_city(
        tmp_path, database_url=database_url, valkey_url=valkey_url, clock=clock
    ) as city:
        yield city


async def looks(city: City, person: Person) -> list[dict[str, object]]:
    answer = await city.call(person, "GET", "/v1/me/accesses")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


def comparable_headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


async def test_a_yes_names_the_benefit_and_can_be_proved(city: City, clock: FixedClock) -> None:
    person = await city.person(enrols=["library"])
    answer = await city.check(await city.token(person))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert sorted(body) == ["benefit", "decision_id", "eligible", "programme", "valid_until"]
    assert body["eligible"] is True
    assert body["programme"] == "library"
    assert body["benefit"] == {"type": "deposit_waiver", "cap_fen": 10000}
    assert datetime.fromisoformat(body["valid_until"]) == clock.now() + timedelta(seconds=600)
    assert "no-store" in answer.headers["cache-control"]
    assert not re.search(r"800|score|name", answer.text), "nothing about the citizen"


async def test_the_citizen_sees_who_looked_when_why_and_under_which_consent(
    city: City, clock: FixedClock
) -> None:
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    answer = await city.check(token)
    (look,) = await looks(city, person)
    consents = (await city.call(person, "GET", "/v1/me/consents")).json()["items"]
    assert look["actor"] == {
        "kind": "partner",
        "id": "city-library",
        "name_zh": "市图书馆",
        "name_en": "City Library",
    }
    assert look["action"] == "eligibility_check"
    assert datetime.fromisoformat(str(look["at"])) == clock.now()
    assert look["purpose"] == {
        "code": "deposit_free_borrowing",
        "text_zh": consents[0]["purpose"]["text_zh"],
        "text_en": consents[0]["purpose"]["text_en"],
    }
    assert look["consent_id"] == consents[0]["consent_id"]
    assert look["programme"] == "library"
    assert look["data_kinds"] == ["eligibility"]
    assert look["decision_id"] == answer.json()["decision_id"]
    assert look["disclosed"] == "eligible"


async def test_every_cause_of_a_no_gives_the_same_bytes_status_and_headers(city: City) -> None:
    not_eligible = await city.person(enrols=["library"])
    not_enrolled = await city.person()
    left_programme = await city.person()
    never_scored = await city.person(enrols=["library"])
    tokens = [
        await city.token(person)
        for person in (not_eligible, not_enrolled, left_programme, never_scored)
    ]
    made = await city.call(left_programme, "POST", "/v1/me/enrolments", {"programme": "library"})
    await city.call(left_programme, "DELETE", f"/v1/me/enrolments/{made.json()['enrolment_id']}")
    async with city.house.database.write() as tx:
        await set_facts(tx, not_eligible.subject_id, {**GOOD, "score": 599})
        await tx.execute("DELETE FROM score WHERE subject_id = $1", never_scored.subject_id)
    answers = [await city.check(token) for token in tokens]
    eligible = await city.person(enrols=["library"])
    token = await city.token(eligible)
    assert (await city.check(token)).json()["eligible"] is True
    async with city.house.database.write() as tx:
        await service.end(
            tx, programme_code="library", by=SHELL, reason="封存", now=city.clock.now()
        )
    answers.append(await city.check(token))
    assert {answer.content for answer in answers} == {NO}
    assert {answer.status_code for answer in answers} == {200}
    headers = [comparable_headers(answer) for answer in answers]
    assert all(each == headers[0] for each in headers)
    for person in (not_eligible, not_enrolled, left_programme, never_scored):
        (look,) = await looks(city, person)
        assert look["disclosed"] == "not_eligible"


async def test_a_no_is_written_as_a_yes_is(city: City) -> None:
    yes, no = await city.person(enrols=["library"]), await city.person()
    for person in (yes, no):
        await city.check(await city.token(person))
        async with city.house.database.read() as tx:
            row = await decision_of(tx, person)
        assert row == {"decisions": 1, "looks": 1, "traces": 1, "digests": 32}


async def decision_of(tx: ReadTx, person: Person) -> dict[str, int]:
    return {
        name: await tx.fetch_value(int, sql, person.subject_id)
        for name, sql in (
            ("decisions", "SELECT count(*) FROM decision WHERE subject_id = $1"),
            ("looks", "SELECT count(*) FROM access_entry WHERE subject_id = $1"),
            ("traces", "SELECT count(trace_sealed) FROM decision WHERE subject_id = $1"),
            ("digests", "SELECT octet_length(facts_digest) FROM decision WHERE subject_id = $1"),
        )
    }


async def test_a_withdrawn_consent_is_a_dead_token_at_once(city: City) -> None:
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    assert (await city.check(token)).json()["eligible"] is True
    consents = (await city.call(person, "GET", "/v1/me/consents")).json()["items"]
    gone = await city.call(person, "DELETE", f"/v1/me/consents/{consents[0]['consent_id']}")
    assert gone.status_code == 204
    answer = await city.check(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert len(await looks(city, person)) == 1, "nothing was disclosed, nothing is recorded"


async def test_who_left_the_service_is_a_dead_token_and_keeps_the_ledger(city: City) -> None:
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    await city.check(token)
    await city.leave(person)
    assert (await city.check(token)).status_code == 401
    assert len(await looks(city, person)) == 1
    async with city.house.database.read() as tx:
        assert (await decision_of(tx, person))["traces"] == 0


async def test_a_token_for_another_programme_is_a_matter_of_scope(city: City) -> None:
    person = await city.person(enrols=["library", "rental"])
    token = await city.token(person)
    for programme_code in ("rental", "casino"):
        answer = await city.check(token, programme_code=programme_code)
        assert answer.status_code == 403
        assert answer.json()["code"] == "insufficient_authorization_details"
    assert await looks(city, person) == []


@pytest.mark.parametrize(
    "body", [{}, {"programme": 1}, {"programme": "library", "threshold": 600}, {"programme": ""}]
)
async def test_the_caller_sends_a_programme_and_nothing_else(city: City, body: object) -> None:
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    path = "/v1/eligibility-checks"
    answer = await city.http.post(
        path,
        json=body,
        headers={
            "authorization": f"DPoP {token}",
            "dpop": city.library.proof("POST", path, access_token=token),
        },
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "body_invalid")
    assert await looks(city, person) == []


async def test_a_citizens_token_verifies_nothing_and_a_partners_enrols_nobody(city: City) -> None:
    person = await city.person(enrols=["library"])
    as_partner = await city.call(person, "POST", "/v1/eligibility-checks", {"programme": "library"})
    assert (as_partner.status_code, as_partner.json()["code"]) == (403, "scope_insufficient")
    token = await city.token(person)
    as_citizen = await city.call(
        Person(person.subject_id, token, city.library), "GET", "/v1/me/programmes"
    )
    assert (as_citizen.status_code, as_citizen.json()["code"]) == (403, "scope_insufficient")


async def test_a_partner_that_is_no_longer_listed_gets_a_no(city: City) -> None:
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    text = (files("backend.programme") / "data/library.toml").read_text("utf-8")
    text = text.replace("version = 2", "version = 3").replace('"city-library"', '"city-museum"')
    async with city.house.database.write() as tx:
        programme = await service.load(tx, text=text)
        await service.publish(tx, programme=programme, now=city.clock.now())
    assert (await city.check(token)).content == NO


async def test_a_consent_can_not_be_asked_for_what_the_partner_may_not_verify(city: City) -> None:
    pushed = await city.library.push(
        authorization_details='[{"type":"eligibility","programme":"rental",'
        '"purpose":"deposit_free_rental"}]'
    )
    query = {"client_id": "library-demo", "request_uri": pushed.json().get("request_uri", "")}
    opened = await city.http.get("/oauth/authorize", params=query)
    refused = pushed.status_code == 400 or "error=" in opened.headers.get("location", "")
    assert refused, (pushed.text, opened.text)


async def test_looks_are_counted_and_bounded_by_the_day(city: City, clock: FixedClock) -> None:
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    async with city.house.database.write() as tx:
        await tx.execute("UPDATE consent SET detail = jsonb_set(detail, '{per_day}', '3')")
    answers = await asyncio.gather(*(city.check(token) for _ in range(8)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200, 200, 200, 429, 429, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "too_many_requests"
    # 10:00 in the city: 14 hours to midnight.
    assert refused.headers["retry-after"] == str(14 * 3600)
    assert len(await looks(city, person)) == 3, "what was refused disclosed nothing"
    clock.advance(timedelta(hours=14))
    person.token, token = await sign_in_again(city, person), await city.token(person)
    assert (await city.check(token)).status_code == 200


async def sign_in_again(city: City, person: Person) -> str:
    """Keep the session of the app alive over a day that passes."""
    async with city.house.database.write() as tx:
        await tx.execute("UPDATE session SET expires_at = expires_at + interval '30 days'")
    return person.token


async def test_two_partners_know_one_citizen_apart(city: City) -> None:
    tour = OauthClient(city.http, city.clock, client_id="tourism-demo")
    await city.add_client(tour, "city-tourism")
    person = await city.person(enrols=["library", "tourism"])
    library_token = await city.token(person)
    tourism_token = await city.token(person, programme_code="tourism", client=tour)
    yes = await city.check(tourism_token, programme_code="tourism", client=tour)
    assert yes.json()["benefit"] == {"type": "discount", "discount_percent_tenths": 200}
    stolen = await city.check(library_token, client=tour)
    assert stolen.status_code == 401, "a token is bound to its key"
    assert len(await looks(city, person)) == 1


async def test_the_ledger_is_paged_newest_first(city: City, clock: FixedClock) -> None:
    person = await city.person(enrols=["library"])
    token = await city.token(person)
    for _ in range(5):
        assert (await city.check(token)).status_code == 200
        clock.advance(timedelta(seconds=1))
    seen: list[str] = []
    address = "/v1/me/accesses?page_size=2"
    cursor = None
    for _ in range(3):
        suffix = "" if cursor is None else f"&cursor={cursor}"
        page = (await city.call(person, "GET", address + suffix)).json()
        seen += [each["at"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)
    other = await city.person()
    assert await looks(city, other) == []
