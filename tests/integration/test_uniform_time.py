"""Goal: nobody tells one no from another by a clock, any more than by its bytes.

Method: one reader for each of the five causes that a partner with a live token must not tell apart,
each brought there the real way; the same check of each, in turn, in an order that changes with
every round, on the real application in process. Status, headers and bytes are equal. The times of a
round are ranked among each other (Friedman's test), so that what the machine does besides cannot
decide: a cause that is told apart by its ranks, and by more than a tenth of its median, is a leak.
The control is a no that takes longer on purpose: the same ranks must find it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from statistics import median
from uuid import UUID

import httpx
import msgspec
import pytest

from backend.app import House
from backend.record import service as record
from tests.support.oauth_client import OauthClient
from tests.support.scene import proved
from tests.support.world import CHECKS, App, World

NO = b'{"eligible":false}'
ROUNDS = 60
# Chi-square with as many degrees of freedom as causes less one: what chance exceeds once in 10,000.
RANKS_MAX = 23.5
FACTOR_MAX = 1.1
ATTEMPTS = 3
CONTROL_SECONDS = 0.02


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


class _Record(msgspec.Struct, frozen=True):
    record_id: UUID


async def below(world: World, app: App, serial: int) -> None:
    """Report what the rule does not bear; the worker works the score out again."""
    overdue = [f"o-{serial}-{n},1,2026-10-{n:02d},,1" for n in range(1, 7)]
    await world.report(serial, "city_library", "library_overdue", overdue)
    assert await world.work() >= 1


async def left_programme(_world: World, app: App, _serial: int) -> None:
    """Give the place back."""
    offer = (await app.call("GET", "/v1/me/programmes/library")).json()
    path = f"/v1/me/enrolments/{offer['enrolment']['enrolment_id']}"
    assert (await app.call("DELETE", path)).status_code == 204


async def left_service(world: World, app: App, _serial: int) -> None:
    """Leave altogether, and let the consent that this ends be in force all the same.

    No way leads there; were there one, it would tell nothing.
    """
    subject_id = await app.subject_id
    assert (await app.call("DELETE", "/v1/me/participation")).status_code == 204
    async with world.database.write() as tx:
        await tx.execute(
            "UPDATE consent SET ended_at = NULL, end_reason = NULL WHERE subject_id = $1",
            subject_id,
        )
        await tx.execute(
            "UPDATE oauth_grant SET revoked_at = NULL WHERE subject_id = $1", subject_id
        )


async def disputed(world: World, app: App, _serial: int) -> None:
    """Dispute every good record: none counts until somebody has looked at it."""
    subject_id, now = await app.subject_id, world.clock.now()
    async with world.database.write() as tx:
        found = await tx.fetch_all(
            _Record, "SELECT record_id FROM record WHERE subject_id = $1", subject_id
        )
        for each in found:
            await record.dispute(
                tx,
                subject_id=subject_id,
                record_id=each.record_id,
                actor="王敏",
                reason="本人提出异议",
                now=now,
            )
    assert await world.work() >= 1


async def sold_out(world: World, app: App, serial: int) -> None:
    """Come when every seat is taken."""
    await left_programme(world, app, serial)
    async with world.database.write() as tx:
        await tx.execute("UPDATE seat_budget SET seats_total = seats_taken")
    answer = await app.call("POST", "/v1/me/enrolments", {"programme": "library"})
    assert answer.json()["code"] == "seats_sold_out"


CAUSES: dict[str, Callable[[World, App, int], Awaitable[None]]] = {
    "not eligible": below,
    "not enrolled": left_programme,
    "left the service": left_service,
    "disputed": disputed,
    "sold out": sold_out,
}


async def tokens_of(world: World, library: OauthClient) -> dict[str, str]:
    """Bring a reader to each cause; return a token for each, good for many looks."""
    apps, held = {}, {}
    for serial, cause in enumerate(CAUSES, start=1):
        app = await world.reader_of(serial)
        tokens = await world.tokens_of(await world.browser_of(serial), library)
        assert (await world.check(library, tokens.access)).json()["eligible"] is True
        apps[cause], held[cause] = app, tokens.access
    for serial, (cause, bring) in enumerate(CAUSES.items(), start=1):
        await bring(world, apps[cause], serial)
    async with world.database.write() as tx:
        await tx.execute("UPDATE consent SET detail = jsonb_set(detail, '{per_day}', '1000')")
    return held


async def timed(
    world: World, client: OauthClient, token: str, *, delay: float
) -> tuple[float, httpx.Response]:
    """Check, and return how long the answer took; the proof was made before."""
    headers = proved(client, token, "POST", CHECKS)
    began = time.perf_counter()
    if delay:
        await asyncio.sleep(delay)
    answer = await world.http.post(CHECKS, json={"programme": "library"}, headers=headers)
    return time.perf_counter() - began, answer


def comparable(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [item for item in answer.headers.multi_items() if item[0] != "x-request-id"]
    return answer.status_code, headers, answer.content


async def rounds(
    world: World, library: OauthClient, tokens: dict[str, str], *, slow: str | None = None
) -> list[dict[str, float]]:
    """Check each cause in turn, round by round; `slow` is made to take longer."""
    causes, taken = list(tokens), []
    answers = set()
    for turn in range(ROUNDS):
        ahead = turn % len(causes)
        times = {}
        for cause in [*causes[ahead:], *causes[:ahead]]:
            delay = CONTROL_SECONDS if cause == slow else 0.0
            times[cause], answer = await timed(world, library, tokens[cause], delay=delay)
            status, headers, body = comparable(answer)
            answers.add((status, tuple(headers), body))
        taken.append(times)
    assert len(answers) == 1, "causes of a no can be told apart by their answers"
    ((status, _, body),) = answers
    assert (status, body) == (200, NO)
    return taken


def is_told_apart(taken: list[dict[str, float]]) -> bool:
    """Whether the ranks of the causes differ by more than chance, and their medians visibly."""
    causes = list(taken[0])
    count = len(causes)
    sums = dict.fromkeys(causes, 0)
    for times in taken:
        for rank, cause in enumerate(sorted(causes, key=times.__getitem__), start=1):
            sums[cause] += rank
    squares = sum(total * total for total in sums.values())
    ranks = 12 * squares / (len(taken) * count * (count + 1)) - 3 * len(taken) * (count + 1)
    medians = [median(times[cause] for times in taken) for cause in causes]
    return ranks > RANKS_MAX and max(medians) / min(medians) > FACTOR_MAX


async def test_the_five_causes_take_the_same_time(world: World) -> None:
    """What is told apart once may be chance; three times running, it is not."""
    library = await world.found()
    tokens = await tokens_of(world, library)
    for attempt in range(1, ATTEMPTS + 1):
        if not is_told_apart(await rounds(world, library, tokens)):
            break
        assert attempt < ATTEMPTS, "causes of a no can be told apart by time"
    assert is_told_apart(await rounds(world, library, tokens, slow="disputed")), "the control"
