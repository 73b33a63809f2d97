"""Goal: by whichever doors the same files come in at once, each line is counted once, and what
stands under a number is what its highest version says.

Method: files of versions that overlap, each sent by command twice and over HTTP at the same time,
senders cancelled in the middle, the worker at work; then every file once more, and the books are
compared with the tables.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Coroutine
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from backend.app import House
from backend.record import jobs, service
from backend.record.rules.life import RecordVersion
from tests.support.citizen import national_id
from tests.support.source import SourceSoftware
from tests.support.world import World

FILES, LINES, PEOPLE = 6, 40, range(1, 6)
HEADER = "national_id,external_id,version,action,occurred_on"


def file_of(chance: random.Random) -> bytes:
    """Return a file of lines about few numbers; a version has one content in all files."""
    lines = [HEADER]
    for _ in range(LINES):
        number, version = chance.randrange(20), chance.randrange(1, 6)
        fixed = random.Random(number * 10 + version)
        # By some corrections the record ended long ago.
        day = fixed.choice(
            ["2026-05-01", "2026-06-01", "2019-01-01" if version > 1 else "2026-07-01"]
        )
        action = fixed.choice(["", "", "withdraw"])
        lines.append(f"{national_id(fixed.choice(PEOPLE))},k-{number},{version},{action},{day}")
    return "\n".join([*lines, "bad,line", "", ""]).encode()


class Doors:
    """A library that sends the same files by command and over HTTP."""

    def __init__(self, world: World, software: SourceSoftware, files: list[bytes]) -> None:
        self.world, self.software, self.files = world, software, files

    async def by_command(self, place: int, *, cancelled_after: float | None = None) -> None:
        """Send a file by command; the sender may go away in the middle."""
        sending = asyncio.ensure_future(
            jobs.send_submission(
                self.world.database,
                BytesIO(self.files[place]),
                source_code="city_library",
                class_code="library_return",
                batch_id=f"b-{place}",
                vault=self.world.vault,
                clock=self.world.clock,
            )
        )
        if cancelled_after is not None:
            await asyncio.sleep(cancelled_after)
            sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending

    async def over_http(self, place: int) -> None:
        """Send a file over HTTP."""
        answer = await self.software.send(self.files[place], batch_id=f"b-{place}")
        assert answer.status_code in {200, 202}, answer.text

    async def versions(self) -> dict[str, list[RecordVersion]]:
        """Return what is on file, by number."""
        by_number: dict[str, list[RecordVersion]] = {}
        async with self.world.database.read() as tx:
            for person in PEOPLE:
                subject_id = self.world.vault.subject_id(national_id(person))
                for each in await service.list_versions(tx, subject_id=subject_id):
                    by_number.setdefault(each.external_id, []).append(each)
        return by_number


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.mark.parametrize("seed", range(3))
async def test_the_books_are_right_whoever_was_first(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(jobs, "CHUNK_LINES", 7)
    chance = random.Random(seed)
    files = [file_of(chance) for _ in range(FILES)]
    doors = Doors(world, await SourceSoftware.register(world), files)
    at_once: list[Coroutine[Any, Any, Any]] = [world.work(), world.work()]
    for place in range(FILES):
        at_once += [
            doors.by_command(place, cancelled_after=chance.random() / 20),
            doors.by_command(place),
            doors.over_http(place),
        ]
    chance.shuffle(at_once)
    await asyncio.gather(*at_once)
    for place in range(FILES):
        await doors.by_command(place)
    world.clock.advance(timedelta(minutes=5))
    await world.work()

    async with world.database.read() as tx:
        page = await service.list_submissions(
            tx, source_code="city_library", cursor=None, page_size=FILES + 1
        )
    assert len(page.items) == FILES
    assert {(each.lines_done, each.accepted + each.rejected) for each in page.items} == {
        (LINES + 2, LINES + 1)
    }
    assert all(each.completed_at for each in page.items)
    went_in = sum(each.accepted - each.duplicates for each in page.items)
    assert await world.count("record") == went_in
    kept_aside = await world.count("submission_error", "fault_number = 0")
    assert kept_aside == sum(each.rejected for each in page.items)
    assert await world.count("upload") == 0 == await world.count("upload_part")
    for versions in (await doors.versions()).values():
        highest = max(versions, key=lambda each: each.version)
        stands = [each for each in versions if each.superseded_at is None]
        assert stands == ([] if highest.action == "withdraw" else [highest])
