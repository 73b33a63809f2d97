"""Goal: the books that are read after a crash see each kind of half-done state.

Method: a city in which everything has happened once has right books; then each state that must
not be is planted, in a transaction that is rolled back, and its sentence must be the one broken.
"""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from backend.app import House
from tests.fault.books import BOOKS, broken
from tests.support.scene import Scene
from tests.support.world import World

PLANTED = {
    "a consent has the one grant it was given with": "DELETE FROM oauth_grant",
    "a grant has a consent": "DELETE FROM consent",
    "a grant that stands has a consent that stands": (
        "UPDATE consent SET ended_at = now(), end_reason = 'withdrawn'"
    ),
    "a grant has the one code it was made with, and a code its grant": "DELETE FROM oauth_code",
    "a request that was answered has its consent or its refusal": (
        "UPDATE oauth_request SET consumed_at = NULL"
    ),
    "a code that was used has its tokens, one that was not has none": (
        "DELETE FROM oauth_refresh_token"
    ),
    "a token has a grant": "DELETE FROM oauth_grant",
    "taken seats are running enrolments": (
        "UPDATE seat_budget SET seats_taken = 2 WHERE programme_code = 'library'"
    ),
    "what hangs on taking part ends with it": "DELETE FROM participation",
    "who takes part has a score": "DELETE FROM score",
    "an account has a phone, and a phone an account": "DELETE FROM phone_directory",
    "a session has an account": "DELETE FROM participation; DELETE FROM account",
    "a decision has its one look, and a look its decision": "DELETE FROM decision",
    "an answer that is kept for repetition is true": "DELETE FROM enrolment",
    "a file that came in is in, line by line": "DELETE FROM record",
    "each event was carried out": "UPDATE outbox SET done_at = NULL",
}


@pytest.fixture
async def scene(house: House) -> AsyncIterator[Scene]:
    scene = await Scene(World(house)).set_up()
    await scene.world.check(scene.library, scene.tokens.access)
    await scene.world.work()
    yield scene
    await scene.world.close()


async def test_every_sentence_can_be_broken(scene: Scene, database_url: str) -> None:
    assert PLANTED.keys() == BOOKS.keys()
    assert await broken(database_url) == {}
    connection = await asyncpg.connect(database_url)
    for sentence, sql in PLANTED.items():
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(sql)
        assert await connection.fetch(BOOKS[sentence]), sentence
        await transaction.rollback()
    await connection.close()
