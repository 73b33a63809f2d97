"""Goal: what time alone brings about is carried out by the worker, without anybody asking.

Method: the worker's own list of regular jobs on the real application, run on a later day.
"""

from datetime import timedelta

from arq.connections import RedisSettings, create_pool

from backend import worker
from backend.app import House, event_handlers
from backend.event.jobs import Relay
from backend.kit.clock import FixedClock
from tests.support.world import World


async def run_regular_jobs(house: House, valkey_url: str) -> None:
    """Run each job that the worker runs by the clock, once."""
    queue = await create_pool(RedisSettings.from_dsn(valkey_url), default_queue_name="arq:test")
    relay = Relay(database=house.database, clock=house.clock, handlers=event_handlers(house))
    for job in worker._worker(queue, house, relay).cron_jobs:
        await job.coroutine({"house": house})
    await queue.aclose()


async def test_an_adverse_item_is_over_for_partners_on_the_day_it_ends(
    house: House, clock: FixedClock, valkey_url: str
) -> None:
    """产品原则 7: the item leaves the score by itself, and what depends on the score follows."""
    world = World(house)
    library = await world.found()
    app = await world.reader_of(1)
    token = (await world.tokens_of(await world.browser_of(1), library)).access
    overdue = [f"o-{number},1,2026-08-21,,2" for number in range(3)]
    await world.report(1, "city_library", "library_overdue", overdue)
    await world.work()
    assert (await world.check(library, token)).json() == {"eligible": False}
    clock.advance(timedelta(hours=14))  # midnight in the city: published until 2026-11-21
    token = (await world.tokens_of(await world.browser_of(1), library)).access
    assert (await world.check(library, token)).json() == {"eligible": False}, "nobody worked yet"
    await run_regular_jobs(house, valkey_url)
    assert (await world.check(library, token)).json()["eligible"] is True
    score = (await app.call("GET", "/v1/me/score")).json()
    assert score["as_of"] == "2026-11-21"
    await world.close()
