"""Goal: who can't come in stays out, and of two who want the one last thing, one gets it.

Method: the real application in process; what is at once is at once, on real connections. After a
refusal every table is as it was; after a race exactly one of everything is there.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from io import BytesIO
from typing import Any

import httpx
import pytest

from backend.app import House
from backend.record.jobs import send_submission
from tests.support.citizen import national_id, phone
from tests.support.scene import Scene
from tests.support.world import NAME, App, World, problem_of


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def scene(world: World) -> Scene:
    return await Scene(world).set_up()


async def register(
    world: World, *, phone_of: int, identity: str, app: App | None = None, **changes: Any
) -> httpx.Response:
    """Ask for a code and open an account with it."""
    app = app or App(world)
    await app.call("POST", "/v1/sign-in-codes", {"phone": phone(phone_of)})
    body = {"phone": phone(phone_of), "code": world.inbox.code, "national_id": identity}
    return await app.call("POST", "/v1/accounts", {**body, "name": NAME, **changes})


@pytest.mark.parametrize(
    ("born_on", "status"),
    [
        (date(2012, 5, 17), 422),
        (date(2008, 11, 21), 422),  # eighteen tomorrow
        (date(2008, 11, 20), 201),  # eighteen today
    ],
)
async def test_a_minor_opens_no_account(world: World, born_on: date, status: int) -> None:
    """Eighteen in the city's calendar, to the day; the code stays good, nothing else is kept."""
    app = App(world)
    await app.call("POST", "/v1/sign-in-codes", {"phone": phone()})
    before = await world.affairs()
    body = {"phone": phone(), "code": world.inbox.code, "name": NAME}
    body["national_id"] = national_id(1, born_on)
    answer = await app.call("POST", "/v1/accounts", body)
    assert answer.status_code == status
    if status == 422:
        problem_of(answer, 422, "under_age")
        assert await world.affairs() == before
        body["national_id"] = national_id(1)
        assert (await app.call("POST", "/v1/accounts", body)).status_code == 201


async def test_a_minor_is_refused_on_the_pages_too(world: World) -> None:
    """The page says why; no account, no session."""
    browser = world.new_browser()
    page = await browser.open("/sign-in")
    page = await world.sign_in(browser, page, serial=1)
    before = await world.affairs()
    born = date(2012, 5, 17)
    page = await browser.submit(page.form("/register"), name=NAME, national_id=national_id(1, born))
    assert page.status == 422
    assert "十八" in page.html or "18" in page.html
    assert await world.affairs() == before


async def test_a_second_account_is_refused(world: World) -> None:
    """For the identity with another phone, for the phone with another identity."""
    assert (await register(world, phone_of=1, identity=national_id(1))).status_code == 201
    for number, identity in ((2, national_id(1)), (1, national_id(2))):
        app = App(world)
        await app.call("POST", "/v1/sign-in-codes", {"phone": phone(number)})
        before = await world.affairs()
        body = {"phone": phone(number), "code": world.inbox.code, "name": NAME}
        answer = await app.call("POST", "/v1/accounts", {**body, "national_id": identity})
        problem_of(answer, 409, "account_exists")
        assert await world.affairs() == before


async def test_of_two_accounts_at_once_for_one_identity_one_is_opened(world: World) -> None:
    """Two phones, one identity, the same moment: the unique index decides."""
    apps, bodies = [], []
    for number in range(1, 6):
        app = App(world)
        await app.call("POST", "/v1/sign-in-codes", {"phone": phone(number)})
        apps.append(app)
        bodies.append(
            {
                "phone": phone(number),
                "code": world.inbox.code,
                "name": NAME,
                "national_id": national_id(1),
            }
        )
    answers = await asyncio.gather(
        *(app.call("POST", "/v1/accounts", body) for app, body in zip(apps, bodies, strict=True))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 4}
    for table in ("account", "phone_directory", "session"):
        assert await world.count(table) == 1, table


async def test_an_identity_that_is_not_ones_own_opens_nothing(world: World) -> None:
    """The register has to know the three together; a failed try is all that is kept."""

    class Nobody:
        def confirms(self, *, national_id: str, name: str, phone: str) -> bool:
            """Say no."""
            return False

    strict = World(world.house, identity_register=Nobody())
    app = App(strict)
    await app.call("POST", "/v1/sign-in-codes", {"phone": phone()})
    before = await strict.affairs()
    body = {"phone": phone(), "code": strict.inbox.code, "name": NAME}
    answer = await app.call("POST", "/v1/accounts", {**body, "national_id": national_id()})
    problem_of(answer, 422, "identity_not_confirmed")
    assert await strict.affairs() == before
    assert await strict.count("sign_in_try", "cardinality(tried_at) = 1") >= 1
    await strict.close()


async def test_of_many_enrolments_at_once_for_the_last_seat_one_wins(world: World) -> None:
    """The others are told, have no enrolment, and may send the same key again."""
    await world.found()
    apps = [await world.reader_of(serial, enrols=()) for serial in range(1, 7)]
    async with world.database.write() as tx:
        await tx.execute("UPDATE seat_budget SET seats_total = 1 WHERE programme_code = 'library'")
    body = {"programme": "library"}
    keys = [{"idempotency-key": f"last-seat-of-{serial:04}"} for serial in range(6)]
    answers = await asyncio.gather(
        *(
            app.call("POST", "/v1/me/enrolments", body, headers=key)
            for app, key in zip(apps, keys, strict=True)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}
    assert await world.count("enrolment", "ended_at IS NULL") == 1
    assert await world.count("seat_budget", "seats_taken = 1 AND seats_total = 1") == 1
    assert await world.count("idempotency_key") == 1
    (winner,) = (place for place, each in enumerate(answers) if each.status_code == 201)
    for place, answer in enumerate(answers):
        if place != winner:
            problem_of(answer, 409, "seats_sold_out")
    left = f"/v1/me/enrolments/{answers[winner].json()['enrolment_id']}"
    assert (await apps[winner].call("DELETE", left)).status_code == 204
    loser = (winner + 1) % 6
    again = await apps[loser].call("POST", "/v1/me/enrolments", body, headers=keys[loser])
    assert again.status_code == 201, "the seat that was given back can be had"


async def test_one_citizen_enrolling_twice_at_once_is_enrolled_once(scene: Scene) -> None:
    """With two keys a conflict; with one key one effect and, later, the same answer."""
    app = await scene.world.reader_of(2, enrols=())
    body = {"programme": "library"}
    answers = await asyncio.gather(*(app.call("POST", "/v1/me/enrolments", body) for _ in range(4)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 3}
    other = await scene.world.reader_of(3, enrols=())
    key = {"idempotency-key": "the-same-key-for-all"}
    answers = await asyncio.gather(
        *(other.call("POST", "/v1/me/enrolments", body, headers=key) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    first = {answer.text for answer in answers if answer.status_code == 201}
    assert len(first) == 1
    for answer in answers:
        if answer.status_code == 409:
            problem_of(answer, 409, "idempotency_key_in_flight")
    again = await other.call("POST", "/v1/me/enrolments", body, headers=key)
    assert (again.status_code, {again.text}) == (201, first)
    assert await scene.world.count("enrolment") == 3
    assert await scene.world.count("seat_budget", "seats_taken = 3") == 1


async def test_an_idempotency_key_belongs_to_one_request(scene: Scene) -> None:
    """None, a bad one, one that came with another body: refused, and nothing is enrolled."""
    app = scene.app
    good = {"idempotency-key": "k" * 16}
    assert (await app.call("POST", "/v1/me/enrolments", {"programme": "tourism"})).status_code in {
        201,
        409,
    }
    async with scene.nothing_changes():
        for bad in ("", "short", "x" * 65, "with space in it", "键" * 20):
            headers = {"idempotency-key": bad.encode().decode("latin-1")}
            sent = {**app.signed("POST", "/v1/me/enrolments"), **headers}
            answer = await scene.world.http.post(
                "/v1/me/enrolments",
                json={"programme": "rental"},
                headers={name: value.encode("latin-1") for name, value in sent.items()},
            )
            problem_of(answer, 400, "idempotency_key_missing")
        sent = app.signed("POST", "/v1/me/enrolments")
        del sent["idempotency-key"]
        answer = await scene.world.http.post(
            "/v1/me/enrolments", json={"programme": "rental"}, headers=sent
        )
        problem_of(answer, 400, "idempotency_key_missing")
    fresh = await scene.world.reader_of(2, enrols=())
    first = await fresh.call("POST", "/v1/me/enrolments", {"programme": "library"}, headers=good)
    assert first.status_code == 201
    async with scene.nothing_changes():
        answer = await fresh.call(
            "POST", "/v1/me/enrolments", {"programme": "transit"}, headers=good
        )
        problem_of(answer, 422, "idempotency_key_reused")


async def test_a_token_for_another_programme_verifies_nothing(scene: Scene) -> None:
    """One answer for a programme outside the consent, whether there is such a programme."""
    async with scene.nothing_changes():
        answers = [
            await scene.world.check(scene.library, scene.tokens.access, code)
            for code in ("rental", "tourism", "casino")
        ]
        for answer in answers:
            problem = problem_of(answer, 403, "insufficient_authorization_details")
            del problem["request_id"]
            first = problem_of(answers[0], 403, "insufficient_authorization_details")
            del first["request_id"]
            assert problem == first


async def test_bad_rows_are_kept_aside_and_the_good_ones_go_in(world: World) -> None:
    """With line, column and reason, sealed; sent again, nothing comes twice."""
    good, other = national_id(1), national_id(2)
    lines = [
        "national_id,external_id,version,occurred_on,ended_on,quantity",
        f"{good},g-1,1,2026-10-01,,2",
        f"{good[:-1]}?,b-1,1,2026-10-01,,2",
        f"{good},b-2,1,2026-13-01,,2",
        f"{good},b-3,1,2026-10-01,,minus",
        f"{other},g-2,1,2026-10-02,,3",
    ]
    content = "\n".join([*lines, ""]).encode()

    async def send() -> Any:
        return await send_submission(
            world.database,
            BytesIO(content),
            source_code="city_library",
            class_code="library_return",
            batch_id="autumn",
            vault=world.vault,
            clock=world.clock,
        )

    taken = await send()
    assert (taken.accepted, taken.rejected) == (2, 3)
    assert await world.count("record") == 2
    for line, column in ((3, "national_id"), (4, "occurred_on"), (5, "quantity")):
        kept = await world.count(
            "submission_error",
            """line_number = $1 AND column_name = $2 AND message <> '' AND row_sealed IS NOT NULL
               AND position($3 IN row_sealed) = 0""",
            line,
            column,
            good[:16].encode(),
        )
        assert kept == 1, (line, column)
    before = await world.affairs()
    again = await send()
    assert (again.accepted, again.rejected) == (2, 3)
    assert await world.affairs() == before
