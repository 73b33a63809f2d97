"""The door of the queue: carries out events from the outbox, and the regular jobs.

Valkey may go away at any time. arq's worker gives up then; this one waits and starts it again,
and the outbox hands over once more what was lost with the queue.
"""

import asyncio
import contextlib
import signal
from datetime import datetime
from typing import Any, Protocol

import msgspec
from arq import cron
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.worker import Worker, async_check_health, func

from backend.app import House, event_handlers, open_house
from backend.case import service as case
from backend.citizen import service as citizen
from backend.event import service as event
from backend.event.jobs import HANDLE_JOB, Relay, handle_event
from backend.kit import idempotency
from backend.kit import replay as replay_memory
from backend.kit.log import get_log
from backend.kit.metric import SCORES_DIFFERING, serve_metrics
from backend.kit.postgres import Tx
from backend.notice import service as notice
from backend.oauth import service as oauth
from backend.operator import service as operator
from backend.order import jobs as order_jobs
from backend.programme import jobs as programme_jobs
from backend.programme import service as programme
from backend.record import service as record
from backend.record.jobs import purge_records
from backend.score import service as score
from backend.score.jobs import recompute_due, resume_recompute, verify
from backend.settings import Settings
from backend.webhook import jobs as webhook_jobs
from backend.webhook import service as webhook
from backend.webhook.ports import Courier
from backend.webhook.rules.address import TargetPolicy

log = get_log(__name__)

QUEUE = "creditplus:jobs"
JOB_SECONDS = 30  # after kill -9 a job waits this long for its lock to expire, so it is short
JOBS_AT_ONCE = 8
TRIES_MAX = 5
RECONNECT_SECONDS = 1.0
VERIFIED_A_NIGHT = 1_000
STOP_SECONDS = 2.0


class Purge(Protocol):
    """A verb that deletes what has expired and returns how much that was."""

    async def __call__(self, tx: Tx, *, now: datetime) -> int:
        """Delete; bounded, so that no transaction takes long."""
        ...


PURGES: tuple[Purge, ...] = (
    case.purge,
    citizen.sweep,
    event.purge,
    idempotency.purge,
    notice.purge,
    oauth.sweep,
    operator.sweep,
    programme.purge_checks,
    record.purge_uploads,
    replay_memory.purge,
    score.purge_history,
    webhook.purge,
)


async def sweep(house: House) -> int:
    """Delete what has expired in every room, a transaction at a time; return how much that was."""
    count = 0
    for purge in PURGES:
        deleted = 1
        while deleted:  # a purge takes so much and no more: what a busy time left takes several
            async with house.database.write() as tx:
                deleted = await purge(tx, now=house.clock.now())
            count += deleted
    return count


async def sweep_expired(ctx: dict[str, Any]) -> None:
    """Delete what has expired in every room; run twice, it deletes nothing more."""
    house: House = ctx["house"]
    log.info("swept", count=await sweep(house))


async def age_scores(ctx: dict[str, Any]) -> None:
    """Work out anew the scores that a new day has made old; run twice, it finds fewer."""
    house: House = ctx["house"]
    total = await recompute_due(house.database, clock=house.clock)
    if total.seen:
        log.info("scores_aged", count=total.changed, batch_size=total.seen)
    # A pass over all scores that was killed goes on here.
    parts = await resume_recompute(house.database, clock=house.clock)
    if parts:
        log.info("scores_resumed", count=parts)


async def verify_scores(ctx: dict[str, Any]) -> None:
    """Compare a sample of scores with the other engine; an alarm watches the counter."""
    house: House = ctx["house"]
    verified = await verify(house.database, clock=house.clock, sample=VERIFIED_A_NIGHT)
    SCORES_DIFFERING.inc(len(verified.differing))
    if verified.differing:
        log.error("scores_differ", count=len(verified.differing), batch_size=verified.seen)
    else:
        log.info("scores_verified", count=verified.seen)


async def purge_ended_records(ctx: dict[str, Any]) -> None:
    """Delete the records whose time is over, with a proof; run twice, it deletes nothing more."""
    house: House = ctx["house"]
    total = await purge_records(house.database, vault=house.vault, clock=house.clock)
    if total.versions or total.faults:
        log.info("records_purged", count=total.versions)
        log.info("faults_purged", count=total.faults)


async def expire_reservations(ctx: dict[str, Any]) -> None:
    """Give back what was reserved for a time that is over; run twice, it finds fewer."""
    house: House = ctx["house"]
    count = await programme_jobs.expire_reservations(house.database, clock=house.clock)
    if count:
        log.info("reservations_expired", count=count)


async def probe_endpoints(ctx: dict[str, Any]) -> None:
    """Send the endpoints whose turn it is something they must refuse; run twice, it finds fewer."""
    house: House = ctx["house"]
    origin = house.settings.public_origin
    count = await webhook_jobs.probe_due(house.database, origin=origin, clock=house.clock)
    if count:
        log.info("endpoints_probed", count=count)


async def end_orders(ctx: dict[str, Any]) -> None:
    """End what nobody confirmed, let stand what nobody contested; run twice, it finds fewer."""
    house: House = ctx["house"]
    expired = await order_jobs.expire_orders(house.database, clock=house.clock)
    if expired:
        log.info("orders_expired", count=expired)
    stood = await order_jobs.stand_obligations(house.database, clock=house.clock)
    if stood:
        log.info("obligations_standing", count=stood)


def open_dispatch(house: House) -> webhook_jobs.Dispatch:
    """Return the loop that sends partners their messages."""
    policy = TargetPolicy(allow_loopback=house.settings.webhook_allow_loopback)
    return webhook_jobs.Dispatch(
        database=house.database,
        vault=house.vault,
        clock=house.clock,
        courier=Courier(policy),
    )


async def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; a job in hand is finished, others wait for the next worker.

    Raises Unavailable without a database, OSError when the metrics port is taken.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stopping.set)
    house = await open_house(settings)
    # Beside the queue and not on it: messages are sent while Valkey is away, too.
    sending = asyncio.create_task(open_dispatch(house).run(stopping=stopping))
    try:
        if settings.worker_metrics_port:
            serve_metrics(settings.metrics_host, settings.worker_metrics_port)
        relay = Relay(database=house.database, clock=house.clock, handlers=event_handlers(house))
        log.info("working")
        while not stopping.is_set():
            await _work_until(stopping, house, relay)
            if not stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), RECONNECT_SECONDS)
    finally:
        stopping.set()
        await asyncio.wait([sending])
        await house.close()


async def _work_until(stopping: asyncio.Event, house: House, relay: Relay) -> None:
    """Run one arq worker and the relay until told to stop or until Valkey goes away."""
    assert house.settings.valkey_url is not None
    tasks: list[asyncio.Task[Any]] = []
    over = asyncio.Event()
    try:
        queue = await create_pool(
            RedisSettings.from_dsn(house.settings.valkey_url),
            default_queue_name=QUEUE,
            # Not arq's pickle: whoever can write to Valkey must not be able to run code here.
            job_serializer=msgspec.msgpack.encode,
            job_deserializer=msgspec.msgpack.decode,
        )
        worker = _worker(queue, house, relay)
        working = asyncio.create_task(worker.async_run())
        tasks = [
            working,
            asyncio.create_task(relay.run(queue, stopping=over)),
            asyncio.create_task(stopping.wait()),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        async with asyncio.timeout(STOP_SECONDS):
            await worker.close()
    except Exception as fault:
        # Mostly Valkey going away; whatever it is, the outbox keeps what the queue loses.
        log.warning("worker_restarts", exc_info=fault)
    finally:
        over.set()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)


def _worker(queue: ArqRedis, house: House, relay: Relay) -> Worker:
    return Worker(
        functions=[func(handle_event, name=HANDLE_JOB, keep_result=0, max_tries=TRIES_MAX)],
        cron_jobs=[
            cron(age_scores, keep_result=0),
            cron(verify_scores, hour=19, minute=20, keep_result=0),  # 03:20 in the city
            cron(end_orders, minute=set(range(2, 60, 5)), keep_result=0),
            cron(probe_endpoints, minute={11, 41}, keep_result=0),
            cron(expire_reservations, keep_result=0),
            cron(sweep_expired, minute=set(range(0, 60, 5)), keep_result=0),
            # Records end with the city's day; the other hours are for a day that ends very many.
            cron(purge_ended_records, minute=7, keep_result=0),
        ],
        queue_name=QUEUE,
        redis_pool=queue,
        ctx={"house": house, "relay": relay},
        handle_signals=False,
        max_jobs=JOBS_AT_ONCE,
        job_timeout=JOB_SECONDS,
        job_completion_wait=3,
        health_check_interval=10,
        job_serializer=msgspec.msgpack.encode,
        job_deserializer=msgspec.msgpack.decode,
    )


async def is_working(settings: Settings) -> bool:
    """Say whether a worker has given a sign within its interval (arq's health key in Valkey)."""
    assert settings.valkey_url is not None
    server = RedisSettings.from_dsn(settings.valkey_url)
    server.conn_retries = 0
    return await async_check_health(server, queue_name=QUEUE) == 0
