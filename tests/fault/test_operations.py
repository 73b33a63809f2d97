"""Goal: whatever is killed in a partner's whole day, no acknowledged write is lost, none is done
twice, budgets, seats and exposures add up, and partners hear of everything, in order.

Method: PostgreSQL, Valkey, API and worker as real processes; many hands enrol, leave, check, open,
confirm, lower, complete and cancel orders, report and pay what is owed, and fill budgets up, and
send again whatever has no answer, while one process after the other is killed with SIGKILL. What
they were told is held against the database and against what real receivers took. So that this sees
loss, it must fail on a server that forgets what it acknowledged, and on each planted row.

CREDIT_FAULT_OPERATIONS says how many operations there are; something is killed up to 30 times.
"""

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import asyncpg
import pytest

from tests.fault.aftermath import drain, power_cut
from tests.fault.fleet import Fleet
from tests.fault.hands import Hand
from tests.fault.reckoning import Balance, Reckoning, balances
from tests.fault.told import Told
from tests.fault.town import CODES, Resident, Town, open_town, subjects_of
from tests.support.in_process import LoopThread
from tests.support.receiver import Message

pytestmark = pytest.mark.xdist_group("fault")

OPERATIONS = int(os.environ.get("CREDIT_FAULT_OPERATIONS", "300"))
OPERATIONS_A_KILL = max(40, OPERATIONS // 30)
VICTIMS = ("api", "postgres", "worker", "api", "postgres", "valkey", "worker")
RESIDENTS, HANDS = 8, 2
# Fewer seats than residents: some are told that there is none.
SEATS = 6
SEED = 20261124
GAME_SECONDS = 3_600
DELIVERY_SECONDS = 600
WRITERS = ("walwriter", "background writer", "checkpointer")


class Game:
    """One game of many hands on a fleet, with residents of its own."""

    def __init__(self, fleet: Fleet, thread: LoopThread, town: Town) -> None:
        self.fleet, self.town, self.told = fleet, town, Told()
        self._thread = thread
        self.residents: list[Resident] = thread.run(town.residents(RESIDENTS))
        self.before: dict[str, Balance] = asyncio.run(self._prepare())
        for receiver in town.receivers.values():
            receiver.messages.clear()

    async def _prepare(self) -> dict[str, Balance]:
        connection = await asyncpg.connect(self.fleet.database_url)
        await connection.execute(
            """UPDATE seat_budget SET seats_total = seats_taken + $1
               WHERE programme_code = ANY($2)""",
            SEATS,
            CODES,
        )
        found = await balances(connection, CODES)
        await connection.close()
        return found

    def begin(self, operations: int) -> "Future[None]":
        """Let the hands play in their own loop."""
        return asyncio.run_coroutine_threadsafe(self._play(operations), self._thread.loop)

    async def _play(self, operations: int) -> None:
        hands = [
            Hand(self.town, resident, self.told, seed=SEED + number)
            for number, resident in enumerate(self.residents * HANDS)
        ]
        async with asyncio.TaskGroup() as group:
            for hand in hands:
                group.create_task(hand.play(operations))

    def behave(self, behaviour: str) -> None:
        """Let all receivers behave so."""
        for receiver in self.town.receivers.values():
            receiver.behaviour = behaviour

    def arrived(self) -> list[Message]:
        """Return what receivers took."""
        return [each for receiver in self.town.receivers.values() for each in receiver.taken]

    async def deliver(self) -> None:
        """Wait until every message was taken; what waits for another try is due at once."""
        await drain(self.fleet)
        connection = await asyncpg.connect(self.fleet.database_url)
        async with asyncio.timeout(DELIVERY_SECONDS):
            while await connection.fetchval(
                "SELECT count(*) FROM webhook_delivery WHERE ended_at IS NULL"
            ):
                await connection.execute(
                    "UPDATE webhook_delivery SET due_at = now() WHERE state = 'pending'"
                )
                await asyncio.sleep(1)
        await connection.close()

    async def reckon(self) -> dict[str, list[str]]:
        """Hold what was told against the books and the receivers."""
        connection = await asyncpg.connect(self.fleet.database_url)
        found = await self.reckon_in(connection, self.told, self.arrived())
        await connection.close()
        return found

    async def reckon_in(
        self, connection: asyncpg.Connection, told: Told, arrived: list[Message]
    ) -> dict[str, list[str]]:
        """Hold it against what one connection sees."""
        reckoning = Reckoning(connection, told, before=self.before)
        return await reckoning.reckon(subjects_of(self.residents), arrived)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
        fleet = Fleet(Path(name) / "fleet")
        try:
            fleet.revive()
            yield fleet
        finally:
            fleet.stop()


@pytest.fixture(scope="module")
def thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture(scope="module")
def town(fleet: Fleet, thread: LoopThread) -> Iterator[Town]:
    opened = open_town(fleet.settings)
    town = thread.run(opened.__aenter__())
    yield town
    thread.run(opened.__aexit__(None, None, None))


@pytest.fixture
def game(fleet: Fleet, thread: LoopThread, town: Town) -> Game:
    return Game(fleet, thread, town)


def _kill_in_turn(game: Game, playing: "Future[None]", operations: int) -> int:
    """Kill one after the other, each in the midst of the work, and return how often."""
    chance, kills = random.Random(SEED), 0
    while not playing.done():
        if game.told.operations < min((kills + 1) * OPERATIONS_A_KILL, operations):
            time.sleep(0.01)
            continue
        if game.told.operations >= operations:
            break
        victim = VICTIMS[kills % len(VICTIMS)]
        game.behave(chance.choice(["ok", "slow:0.05", "status:500"]))
        game.fleet.kill(victim)
        time.sleep(chance.uniform(0.0, 0.3))
        game.fleet.revive()
        kills += 1
    return kills


def test_whatever_is_killed_every_acknowledged_write_is_done_once(game: Game) -> None:
    began = time.monotonic()
    playing = game.begin(OPERATIONS)
    kills = _kill_in_turn(game, playing, OPERATIONS)
    playing.result(GAME_SECONDS)
    seconds, told = time.monotonic() - began, game.told
    game.behave("ok")
    power_cut(game.fleet)
    asyncio.run(game.deliver())
    assert asyncio.run(game.reckon()) == {}
    assert game.fleet.faults() == []
    arrived = game.arrived()
    print(
        f"{told.operations} operations, {kills} kills and a power cut, {told.lost} times no answer,"
        f" {told.retries} retries, {told.repeated} answers asked for twice in {seconds:.0f} s;"
        f" {len(told.orders)} orders, {len(told.yes)} times yes, {len(told.refills)} refills,"
        f" {len(told.messages())} messages due, {len(arrived)} taken; {dict(told.statuses)}"
    )
    assert kills >= OPERATIONS // OPERATIONS_A_KILL // 2, "something was killed all the time"
    assert told.lost, "it was killed while it worked"
    assert told.orders, "orders were opened"
    assert told.yes, "somebody was eligible"
    assert told.refills, "budgets were filled up"


# Each state that must not be, and the sentence that has to see it; {order} is any order there is.
PLANTED = {
    "DELETE FROM service_order WHERE order_id = {order}": "an order stands as it was told last",
    "UPDATE service_order SET revision = revision + 1 WHERE order_id = {order}": (
        "an order stands as it was told last"
    ),
    """INSERT INTO service_order SELECT doubled.* FROM service_order AS kept,
         jsonb_populate_record(kept, jsonb_build_object(
           'order_id', gen_random_uuid(), 'reference', 'again')) AS doubled
       WHERE kept.order_id = {order}""": "an order stands as it was told last",
    "UPDATE exposure SET open_fen = open_fen + 1": "exposure is what running orders were told",
    "DELETE FROM enrolment WHERE subject_id = {citizen}": (
        "an enrolment runs until its end was told"
    ),
    """INSERT INTO enrolment SELECT doubled.* FROM enrolment AS kept,
         jsonb_populate_record(kept, jsonb_build_object(
           'enrolment_id', gen_random_uuid(), 'ended_at', now(), 'end_reason', 'left')) AS doubled
       WHERE kept.subject_id = {citizen}""": "an enrolment runs until its end was told",
    "UPDATE seat_budget SET seats_taken = seats_taken - 1 WHERE programme_code = 'transit'": (
        "taken seats are running enrolments"
    ),
    "DELETE FROM budget_entry WHERE kind = 'refill'": (
        "a balance is what was told of orders and refills"
    ),
    "DELETE FROM budget_entry WHERE kind = 'settle'": "a balance is the sum of its history",
    "UPDATE budget SET limit_fen = limit_fen + 1 WHERE programme_code = 'transit'": (
        "a balance has the limits of its last entry"
    ),
    "UPDATE budget SET uses = uses + 1 WHERE programme_code = 'transit'": (
        "a reservation is in its four buckets, once, and in no other"
    ),
    "DELETE FROM reservation": "an order's reservation is where its order is",
    "DELETE FROM decision": "a yes can be looked up, and its look is in the ledger",
    "DELETE FROM record WHERE source_code = 'service_orders'": "a performed order is one record",
    """INSERT INTO obligation (subject_id, obligation_id, order_id, partner_id, amount_fen, state,
         announced_at, stands_on, revision)
       SELECT subject_id, gen_random_uuid(), order_id, partner_id, 1, 'announced', now(), now(), 1
       FROM service_order WHERE subject_id IN ({citizens})
         AND order_id NOT IN (SELECT order_id FROM obligation) LIMIT 1""": (
        "what is owed is what was told and not paid"
    ),
    "INSERT INTO notice SELECT doubled.* FROM notice AS kept, jsonb_populate_record("
    "kept, jsonb_build_object('notice_id', gen_random_uuid())) AS doubled": (
        "a citizen is told of a step once"
    ),
}


async def _see_planted(game: Game) -> None:
    connection = await asyncpg.connect(game.fleet.database_url)
    names = {
        "order": f"'{next(iter(game.told.orders))}'",
        "citizen": f"'{next(iter(game.told.enrolled.values()))[0]}'",
        "citizens": ", ".join(f"'{each[0]}'" for each in game.told.enrolled.values()),
    }
    for sql, sentence in PLANTED.items():
        transaction = connection.transaction()
        await transaction.start()
        # Whoever loses rows loses them past every trigger.
        await connection.execute("SET LOCAL session_replication_role = replica")
        done = await connection.execute(sql.format(**names))
        assert not done.endswith(" 0"), f"nothing to plant: {sql}"
        found = await game.reckon_in(connection, game.told, game.arrived())
        assert sentence in found, (sql, found)
        await transaction.rollback()
    await _see_messages(game, connection)
    await connection.close()


async def _see_messages(game: Game, connection: asyncpg.Connection) -> None:
    """See a message that never came, one too many, and two of one object the wrong way round."""
    arrived, told = game.arrived(), game.told
    first = arrived[0].object_id
    missing = [each for each in arrived if each.object_id != first]
    assert "every event was delivered" in await game.reckon_in(connection, told, missing)
    turned = arrived[::-1]
    assert "an object's events come in order" in await game.reckon_in(connection, told, turned)
    other = Told()
    found = await game.reckon_in(connection, other, arrived)
    assert "nothing was delivered that nobody was told of" in found
    change = next(iter(told.claims))
    told.claims[change].add("another request")
    found = await game.reckon_in(connection, told, arrived)
    assert found.keys() == {"a change of an order is the work of one request"}


def test_a_missing_row_and_a_doubled_one_are_seen(game: Game) -> None:
    game.begin(250).result(GAME_SECONDS)
    asyncio.run(game.deliver())
    assert asyncio.run(game.reckon()) == {}
    asyncio.run(_see_planted(game))


async def _hold_back_writers(fleet: Fleet, commit: str) -> list[int]:
    """Stop all that writes the log in the background; whether a commit waits for it is `commit`."""
    connection = await asyncpg.connect(fleet.database_url)
    await connection.execute(f"ALTER SYSTEM SET synchronous_commit = {commit}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("CHECKPOINT")
    rows = await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = ANY($1)", WRITERS
    )
    await connection.close()
    for row in rows:
        os.kill(row[0], signal.SIGSTOP)
    return [row[0] for row in rows]


async def _reset(fleet: Fleet) -> None:
    connection = await asyncpg.connect(fleet.database_url)
    await connection.execute("ALTER SYSTEM RESET synchronous_commit")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.mark.parametrize("commit", ["on", "off"])
def test_a_server_that_forgets_is_seen(game: Game, commit: str) -> None:
    """The same crash twice: the log's writers are held back, and PostgreSQL is killed.

    Whoever waited for the log at each commit has lost nothing; whoever didn't has lost its tail.
    """
    writers = asyncio.run(_hold_back_writers(game.fleet, commit))
    try:
        game.begin(120).result(GAME_SECONDS)
        game.fleet.kill("postgres", *writers)
        game.fleet.revive()
        asyncio.run(game.deliver())
        found = asyncio.run(game.reckon())
    finally:
        asyncio.run(_reset(game.fleet))
    if commit == "on":
        assert found == {}
        return
    print({sentence: wrong[-1] for sentence, wrong in found.items()})
    assert "an order stands as it was told last" in found
    assert "an enrolment runs until its end was told" in found
    assert "a yes can be looked up, and its look is in the ledger" in found
