"""Goal: what is used or ended at one process is used or ended at every other.

Method: two whole houses on one database and one Valkey, each with its pools, batches and caches,
as two API processes have them; the same thing is done at both at once, or ended at one while the
other remembers it. Security checklist: single use of codes, assertions and proofs across
processes; "after a withdrawal is acknowledged nothing succeeds 2 s later".
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx
import pytest

from backend.app import House, open_house
from tests.support.citizen import phone
from tests.support.oauth_client import OauthClient
from tests.support.scene import Scene
from tests.support.world import CHECKS, World, problem_of

AT_ONCE = 8
FELT_SECONDS = 2.0


@dataclass
class Two:
    """A scene at the first process, and the second one."""

    scene: Scene
    here: World
    there: World

    def library_at(self, world: World) -> OauthClient:
        """Return the library's software, speaking with one of the processes."""
        library = self.scene.library
        twin = OauthClient(world.http, world.clock, key=library.key, dpop_key=library.dpop_key)
        twin.verifier = library.verifier
        return twin

    async def check_here(self) -> httpx.Response:
        """Ask the first process, which may remember the token."""
        return await self.here.check(self.scene.library, self.scene.tokens.access)


@pytest.fixture
async def two(house: House) -> AsyncIterator[Two]:
    there_house = await open_house(house.settings, clock=house.clock)
    here, there = World(house), World(there_house)
    yield Two(await Scene(here).set_up(), here, there)
    await here.close()
    await there.close()
    await there_house.close()


def statuses(answers: Sequence[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


async def test_a_code_is_redeemed_once_by_all_processes_together(two: Two) -> None:
    """And what came of it is dead, because it came twice."""
    told = await two.here.answer(two.scene.browser, await two.here.ask(two.scene.library))
    clients = [two.library_at(world) for world in (two.here, two.there) for _ in range(AT_ONCE)]
    answers = await asyncio.gather(*(each.redeem(told["code"]) for each in clients))
    assert statuses(answers) == [200] + [400] * (2 * AT_ONCE - 1)
    (token,) = [each.json()["access_token"] for each in answers if each.status_code == 200]
    for world in (two.there, two.here):
        problem_of(await world.check(two.scene.library, token), 401, "token_invalid")


async def test_an_assertion_is_good_once_at_all_processes_together(two: Two) -> None:
    assertion = two.scene.library.assertion()
    clients = [two.library_at(world) for world in (two.here, two.there) for _ in range(AT_ONCE)]
    answers = await asyncio.gather(
        *(each.post("/oauth/introspect", {"token": "x"}, assertion=assertion) for each in clients)
    )
    # None, when each process was the faster one in one of the two memories (ADR 0008).
    assert statuses(answers)[1:] == [401] * (2 * AT_ONCE - 1)


async def test_a_proof_is_good_once_at_all_processes_together(two: Two) -> None:
    token = two.scene.tokens.access
    proof = two.scene.library.proof("POST", CHECKS, access_token=token)
    worlds = [world for world in (two.here, two.there) for _ in range(AT_ONCE)]
    answers = await asyncio.gather(
        *(each.check(two.scene.library, token, headers={"dpop": proof}) for each in worlds)
    )
    assert statuses(answers)[1:] == [401] * (2 * AT_ONCE - 1)


async def test_a_request_is_answered_once_by_all_processes_together(two: Two) -> None:
    """Two tabs of one browser, led to two processes."""
    link = await two.here.ask(two.scene.library)
    page = await two.scene.browser.follow(await two.scene.browser.open(link))
    form = page.form("/consent")
    cookies = "; ".join(f"{n}={v}" for n, v in two.scene.browser.http.cookies.items())
    answers = await asyncio.gather(
        *(
            world.http.post(
                "/consent", data={**form.fields, "answer": "accept"}, headers={"cookie": cookies}
            )
            for world in (two.here, two.there)
            for _ in range(AT_ONCE)
        )
    )
    assert statuses(answers) == [303] + [410] * (2 * AT_ONCE - 1)


async def test_wrong_codes_are_counted_by_all_processes_together(two: Two) -> None:
    """Five are looked at, wherever they come in."""

    async def guess(world: World, code: int) -> httpx.Response:
        signer = OauthClient(world.http, world.clock)
        return await world.http.post(
            "/v1/sessions",
            json={"phone": phone(2), "code": f"{code:06d}"},
            headers={"dpop": signer.proof("POST", "/v1/sessions")},
        )

    worlds = [world for world in (two.here, two.there) for _ in range(AT_ONCE)]
    answers = await asyncio.gather(*(guess(world, n) for n, world in enumerate(worlds)))
    assert statuses(answers) == [401] * 5 + [429] * (2 * AT_ONCE - 5)


async def _revoke_access(two: Two) -> None:
    answer = await two.library_at(two.there).revoke(two.scene.tokens.access)
    assert answer.status_code == 200


async def _revoke_refresh(two: Two) -> None:
    answer = await two.library_at(two.there).revoke(two.scene.tokens.refresh)
    assert answer.status_code == 200


async def _suspend(two: Two, what: str) -> None:
    async with two.there.database.write() as tx:
        await tx.execute(f"UPDATE {what} SET suspended_at = $1", two.there.clock.now())


async def _suspend_client(two: Two) -> None:
    await _suspend(two, "client")


async def _suspend_partner(two: Two) -> None:
    await _suspend(two, "partner")


async def _withdraw(two: Two) -> None:
    path = await two.scene.consent_path()
    answer = await two.there.http.delete(path, headers=two.scene.app.signed("DELETE", path))
    assert answer.status_code == 204


async def _leave(two: Two) -> None:
    path = "/v1/me/participation"
    answer = await two.there.http.delete(path, headers=two.scene.app.signed("DELETE", path))
    assert answer.status_code == 204


async def _delete_account(two: Two) -> None:
    answer = await two.there.http.delete("/v1/me", headers=two.scene.app.signed("DELETE", "/v1/me"))
    assert answer.status_code == 204


ENDINGS: list[Callable[[Two], Awaitable[None]]] = [
    _revoke_access,
    _revoke_refresh,
    _suspend_client,
    _suspend_partner,
    _withdraw,
    _leave,
    _delete_account,
]


@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__.strip("_"))
async def test_an_end_at_one_process_is_felt_at_the_other(
    two: Two, end: Callable[[Two], Awaitable[None]]
) -> None:
    """Within two seconds, though it has just used the token; a citizen's no at once."""
    assert (await two.check_here()).status_code == 200
    await end(two)
    ended_at = time.monotonic()
    answer = await two.check_here()
    if end in (_withdraw, _leave, _delete_account):
        problem_of(answer, 401, "token_invalid")
    # A suspended partner is told no while the token is remembered.
    if end is _suspend_partner and answer.status_code == 200:
        assert answer.content == b'{"eligible":false}'
    while answer.status_code == 200:
        assert time.monotonic() - ended_at < FELT_SECONDS, "it is still remembered"
        await asyncio.sleep(0.05)
        answer = await two.check_here()
    problem_of(answer, 401, "token_invalid")


@pytest.mark.parametrize("end", [_withdraw, _leave, _delete_account], ids=lambda end: end.__name__)
async def test_no_refresh_outruns_a_citizens_no(
    two: Two, end: Callable[[Two], Awaitable[None]]
) -> None:
    """Whatever was refreshed while it was said is dead when it has been said."""
    clients = [two.library_at(world) for world in (two.here, two.there) for _ in range(AT_ONCE)]
    answers, _ = await asyncio.gather(
        asyncio.gather(*(each.refresh(two.scene.tokens.refresh) for each in clients)), end(two)
    )
    assert set(statuses(answers)) <= {200, 400}
    tokens = [each.json()["access_token"] for each in answers if each.status_code == 200]
    for token in [*tokens, two.scene.tokens.access]:
        for world in (two.here, two.there):
            problem_of(await world.check(two.scene.library, token), 401, "token_invalid")
    again = await two.scene.library.refresh(two.scene.tokens.refresh)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_signing_out_at_one_process_is_felt_at_the_other_at_once(two: Two) -> None:
    """Sessions are not remembered."""
    app = two.scene.app
    assert (await app.call("GET", "/v1/me")).status_code == 200
    path = "/v1/sessions/current"
    answer = await two.there.http.delete(path, headers=app.signed("DELETE", path))
    assert answer.status_code == 204
    problem_of(await app.call("GET", "/v1/me"), 401, "token_invalid")


async def test_one_code_opens_one_session_at_all_processes_together(two: Two) -> None:
    await two.scene.app.call("POST", "/v1/sign-in-codes", {"phone": phone(1)})
    code = two.here.inbox.code

    async def sign_in(world: World) -> httpx.Response:
        signer = OauthClient(world.http, world.clock)
        return await world.http.post(
            "/v1/sessions",
            json={"phone": phone(1), "code": code},
            headers={"dpop": signer.proof("POST", "/v1/sessions")},
        )

    answers = await asyncio.gather(*(sign_in(world) for world in (two.here, two.there) * 3))
    assert statuses(answers) == [201] + [401] * 5
