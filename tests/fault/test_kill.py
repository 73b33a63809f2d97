"""Goal: kill -9 at any moment, of anything: started again, nothing is lost and nothing half done.

Method: PostgreSQL, Valkey, API and worker as real processes; players who retry go through the main
job while one after the other is killed. The order of kills is seeded, their moments are as they
come. Afterwards everything is killed at once and started again, and the books must be right: what
must hold is written down in tests/fault/books.py, each sentence with its query.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import asyncpg
import pytest

from backend.app import open_vault
from backend.citizen.ports import identity_digest
from backend.kit.clock import SystemClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.problem import Unavailable
from backend.record.jobs import send_submission
from backend.score import jobs as score_jobs
from tests.fault.aftermath import missing, power_cut
from tests.fault.books import broken
from tests.fault.fleet import Fleet
from tests.fault.players import Player, Told
from tests.support.citizen import national_id, phone
from tests.support.in_process import LoopThread
from tests.support.world import NAME

pytestmark = pytest.mark.xdist_group("fault")

PLAYERS = 6
SEATS = 4
KILLS = {"api": 4, "postgres": 3, "valkey": 2, "worker": 2}
# Who is killed when the demo has said so many of its 130 lines.
CUTS = (("api", 15), ("worker", 60), ("api", 75), ("api", 105))
SEED = 20261124


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
        fleet = Fleet(Path(name) / "fleet")
        try:
            asyncio.run(_prepare(fleet))
            fleet.revive()
            yield fleet
        finally:
            fleet.stop()


def serials() -> list[int]:
    """Return everybody the players may be."""
    return [n for player in range(1, PLAYERS + 1) for n in range(player * 100, player * 100 + 100)]


async def _prepare(fleet: Fleet) -> None:
    """Let the identity register know the players, and make all of them readers."""
    vault = open_vault(fleet.settings)
    with (fleet.directory / "demo" / "identity-register").open("a") as register:
        for serial in serials():
            known = {"national_id": national_id(serial), "name": NAME, "phone": phone(serial)}
            register.write(identity_digest(vault, **known).hex() + "\n")
    database = await Database.open(fleet.database_url, size=2)
    for source, class_code, row in (
        ("city_library", "library_return", "1,2026-05-10,,20"),
        ("volunteer_federation", "volunteer_service", "1,2026-06-15,,40"),
        ("public_security_bureau", "residence_registration", "1,2014-03-01,,1"),
    ):
        lines = [f"{national_id(n)},p-{class_code}-{n},{row}" for n in serials()]
        await _hand_in(database, vault, source=source, class_code=class_code, lines=lines)
    await database.close()


async def _set_seats(fleet: Fleet, *, free: int) -> None:
    connection = await asyncpg.connect(fleet.database_url)
    await connection.execute(
        "UPDATE seat_budget SET seats_total = seats_taken + $1 WHERE programme_code = 'library'",
        free,
    )
    await connection.close()


async def _hand_in(
    database: Database, vault: Vault, *, source: str, class_code: str, lines: list[str]
) -> None:
    """Hand in a file, as often as it takes."""
    header = "national_id,external_id,version,occurred_on,ended_on,quantity"
    content = BytesIO("\n".join([header, *lines, ""]).encode())
    while True:
        try:
            await send_submission(
                database,
                content,
                source_code=source,
                class_code=class_code,
                batch_id=None,
                vault=vault,
                clock=SystemClock(),
            )
        except Unavailable:
            await asyncio.sleep(0.1)
        else:
            return


async def _report_on(fleet: Fleet, stopped: asyncio.Event) -> None:
    """Hand in small files about the players for as long as they play: the worker has work."""
    database = await Database.open(fleet.database_url, size=2)
    vault, number, chance = open_vault(fleet.settings), 0, random.Random(SEED)
    while not stopped.is_set():
        number += 1
        lines = [
            f"{national_id(n)},t-{number}-{n},1,2026-11-01,,1" for n in chance.sample(serials(), 20)
        ]
        await _hand_in(
            database, vault, source="city_library", class_code="library_return", lines=lines
        )
        await asyncio.sleep(0.2)
    await database.close()


async def _play(fleet: Fleet, stopped: asyncio.Event) -> list[Told]:
    demo = fleet.directory / "demo"
    players = [Player(number, fleet.origin, demo) for number in range(1, PLAYERS + 1)]
    async with asyncio.TaskGroup() as group:
        playing = [group.create_task(player.play(stopped)) for player in players]
        group.create_task(_report_on(fleet, stopped))
    return [task.result() for task in playing]


def _kill_in_turn(fleet: Fleet) -> None:
    """Kill each of the four a few times, in a seeded order, and bring it back each time."""
    chance = random.Random(SEED)
    victims = [name for name, times in KILLS.items() for _ in range(times)]
    chance.shuffle(victims)
    for victim in victims:
        time.sleep(chance.uniform(0.2, 1.0))
        fleet.kill(victim)
        time.sleep(chance.uniform(0.0, 0.3))
        fleet.revive()


async def _scores_not_up_to_date(fleet: Fleet) -> int:
    """Work every score out anew, and return how many came out differently."""
    connection = await asyncpg.connect(fleet.database_url)
    before = dict(await connection.fetch("SELECT subject_id, input_digest FROM score"))
    database = await Database.open(fleet.database_url, size=2)
    await score_jobs.recompute_all(database, clock=SystemClock())
    await database.close()
    after = dict(await connection.fetch("SELECT subject_id, input_digest FROM score"))
    await connection.close()
    assert before.keys() == after.keys()
    return sum(before[subject_id] != digest for subject_id, digest in after.items())


def test_whatever_is_killed_nothing_is_lost_or_half_done(fleet: Fleet) -> None:
    """Six players, eleven kills, one power cut; then the books, the scores and every yes told."""
    asyncio.run(_set_seats(fleet, free=SEATS))
    thread = LoopThread()
    stopped = asyncio.Event()
    playing = asyncio.run_coroutine_threadsafe(_play(fleet, stopped), thread.loop)
    try:
        _kill_in_turn(fleet)
    finally:
        thread.loop.call_soon_threadsafe(stopped.set)
    told = playing.result(90)
    thread.close()
    power_cut(fleet)
    assert asyncio.run(broken(fleet.database_url)) == {}
    yes = [decision_id for each in told for decision_id in each.yes]
    assert asyncio.run(missing(fleet, yes)) == []
    assert asyncio.run(_scores_not_up_to_date(fleet)) == 0
    assert fleet.faults() == []
    stories, lost = sum(each.stories for each in told), sum(each.lost for each in told)
    statuses = sum((each.statuses for each in told), Counter[int]())
    print(f"{stories} stories, {lost} answers lost, {len(yes)} times yes, {dict(statuses)}")
    assert stories >= PLAYERS, "they got through"
    assert lost, "something was killed while it worked"
    assert yes, "somebody was eligible"


def test_the_demo_may_be_cut_short_anywhere_and_played_again(fleet: Fleet) -> None:
    """It says in one line that nothing answers any more; the next time it is played to its end."""
    asyncio.run(_set_seats(fleet, free=1))
    for victim, lines in CUTS:
        demo = fleet.command("demo")
        assert demo.stdout is not None
        said = [demo.stdout.readline() for _ in range(lines)]
        assert said[-1], "".join(said)
        fleet.kill(victim)
        if victim == "worker":
            fleet.revive()  # a file that was handed in waits for the next one, and so does the demo
        rest, complaint = demo.communicate(timeout=200)
        print(victim, lines, rest.count("\n"), complaint)
        fleet.revive()
        if demo.returncode != 0:
            assert victim == "api", "whoever waits for a worker is served by the next one"
            assert complaint.count("\n") == 1, complaint
            assert complaint.startswith("creditplus: "), rest + complaint
    demo = fleet.command("demo")
    said, complaint = demo.communicate(timeout=200)
    assert demo.returncode == 0, said + complaint
    power_cut(fleet)
    assert asyncio.run(broken(fleet.database_url)) == {}
    assert fleet.faults() == []
