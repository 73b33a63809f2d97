"""Goal: a partner's developer finds each answer in the sandbox with the subject the docs name.

Method: the subjects are brought in as the local stack does it, twice; the worker's part is carried
out; each signs in at a browser with the phone of docs/sandbox.md, agrees, and is checked over HTTP.
"""

import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from backend.app import House, Participation
from backend.cli.city import sandbox
from backend.cli.city.people import CITIZENS_MAX
from backend.cli.city.sandbox import SUBJECTS, Subject
from backend.kit.clock import city_date
from tests.support.oauth_client import OauthClient
from tests.support.web import Browser
from tests.support.world import PURPOSES, World

TEXT = (Path(__file__).parents[2] / "docs/sandbox.md").read_text("utf-8")


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


async def bring_in(world: World, *, as_of: date | None = None) -> int:
    return await sandbox.bring_in(
        world.database,
        as_of=as_of or city_date(world.clock.now()),
        hooks=Participation(),
        vault=world.vault,
        clock=world.clock,
    )


async def browser_of(world: World, subject: Subject) -> Browser:
    """Sign a subject in with the phone alone, as the docs say."""
    browser = world.new_browser()
    page = await browser.open("/sign-in")
    phone = subject.person[2].removeprefix("+86")
    page = await browser.follow(await browser.submit(page.form("/sign-in"), phone=phone))
    page = await browser.follow(
        await browser.submit(page.form("/sign-in/code"), code=world.inbox.code)
    )
    assert page.status == 200, page.html
    return browser


@pytest.fixture
async def library(world: World, monkeypatch: pytest.MonkeyPatch) -> OauthClient:
    """The library, in a city with all the subjects; every programme is asked for its purpose."""
    library = await world.found()
    assert await bring_in(world) == len(SUBJECTS)
    await world.work()
    monkeypatch.setitem(PURPOSES, sandbox.SEATS, PURPOSES[sandbox.LIBRARY])
    return library


async def test_each_subject_gets_the_answer_that_is_documented(
    world: World, library: OauthClient
) -> None:
    """One yes; five causes of a no, which look the same."""
    for subject in SUBJECTS:
        browser = await browser_of(world, subject)
        tokens = await world.tokens_of(browser, library, subject.programme)
        answer = await world.check(library, tokens.access, subject.programme)
        assert answer.status_code == 200, answer.text
        if subject.eligible:
            assert answer.json()["programme"] == subject.programme, subject.code
        else:
            assert answer.content == b'{"eligible":false}', subject.code


async def test_each_cause_is_the_one_that_is_documented(world: World, library: OauthClient) -> None:
    """As the subjects themselves see it on their pages' data."""
    assert await world.count("enrolment", "ended_at IS NULL AND programme_code = 'library'") == 2
    assert await world.count("enrolment", "end_reason = 'left'") == 1
    assert await world.count("seat_budget", "seats_taken = seats_total") == 1
    causes = {}
    for subject in SUBJECTS:
        async with world.database.read() as tx:
            causes[subject.code] = await tx.fetch_optional_value(
                int,
                "SELECT points FROM score WHERE subject_id = $1",
                world.vault.subject_id(subject.person[1]),
            )
    assert causes["not_enrolled"] == causes["left"] == causes["sold_out"] == causes["eligible"]
    assert (causes["eligible"] or 0) >= 600
    assert (causes["not_yet"] or 0) < 600
    assert (causes["disputed"] or 0) < 600
    assert library.client_id == "library-demo"


async def test_a_second_run_changes_nothing(world: World, library: OauthClient) -> None:
    """Nor does one on a later day of a city whose day stays what it was at first."""
    assert library.client_id
    before = await world.affairs()
    assert await bring_in(world) == 0
    after = await world.affairs()
    assert {name for name in after if after[name] != before[name]} == set()


def test_the_docs_name_every_subject() -> None:
    """Name, phone and programme of each, in its row; none that isn't there."""
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| ([\d ]+) \| `(\S+)` \| (\w+)", TEXT, re.MULTILINE)
    expected = [
        (
            each.code,
            each.name,
            each.person[2].removeprefix("+86"),
            each.programme,
            "yes" if each.eligible else "no",
        )
        for each in SUBJECTS
    ]
    found = [
        (code, name, phone.replace(" ", ""), programme, said)
        for code, name, phone, programme, said in rows
    ]
    assert found == expected


def test_no_citizen_of_a_city_is_a_subject() -> None:
    """Numbers and phones are beyond those of the largest city."""
    phones = {each.person[2] for each in SUBJECTS}
    assert len(phones) == len(SUBJECTS)
    assert all(int(phone.removeprefix("+86199")) > CITIZENS_MAX for phone in phones)
