"""Liveness and readiness: what the service stands on, asked all at once and never for long.

Live means the process answers. Ready means a request would succeed: the required checks pass. A
check that is not required may fail and leave the service ready but "degraded": what stands on it
has another way (single-use markers fall back to PostgreSQL when Valkey is away).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from backend.kit.log import get_log
from backend.kit.migrate import SchemaWindow, schema_version
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.kit.valkey import Valkey, ValkeyDown

log = get_log(__name__)

CHECK_SECONDS: Final = 2.0


class NotReady(Exception):
    """What a check raises; its text is shown to anyone: no address, no person in it."""


class Check(msgspec.Struct, frozen=True):
    """One thing the service stands on; `probe` returns when it is well and raises when not."""

    name: str
    probe: Callable[[], Awaitable[None]]
    is_required: bool = True


class CheckView(msgspec.Struct, frozen=True):
    """How one check went: "ok", or what is wrong."""

    name: str
    status: str


class HealthView(msgspec.Struct, frozen=True):
    """`status` is "ok", "degraded" (ready, something optional is away) or "unavailable"."""

    status: str
    checks: list[CheckView]


async def examine(checks: Sequence[Check]) -> HealthView:
    """Run all checks at the same time, each for at most CHECK_SECONDS."""
    found = await asyncio.gather(*(_run(check) for check in checks))
    faulty = [check for check, said in zip(checks, found, strict=True) if said != "ok"]
    status = "ok" if not faulty else "degraded"
    if any(check.is_required for check in faulty):
        status = "unavailable"
    views = [CheckView(check.name, said) for check, said in zip(checks, found, strict=True)]
    return HealthView(status, views)


async def _run(check: Check) -> str:
    try:
        await asyncio.wait_for(check.probe(), CHECK_SECONDS)
    except NotReady as reason:
        return str(reason)
    except TimeoutError:
        return "does not answer in time"
    except (Refusal, ValkeyDown):
        return "does not answer"
    except Exception as fault:
        # Unknown trouble is no reason to call the service ready, nor to show it to the world.
        log.error("health_check_failed", component=check.name, exc_info=fault)
        return "failed"
    return "ok"


def database_check(db: Database) -> Check:
    """Check that PostgreSQL answers."""

    async def probe() -> None:
        async with db.read() as tx:
            await tx.fetch_value(int, "SELECT 1")

    return Check("database", probe)


def schema_check(db: Database, window: SchemaWindow) -> Check:
    """Check that the database's schema is one this code works on."""

    async def probe() -> None:
        async with db.read() as tx:
            fault = window.fault(await schema_version(tx))
        if fault is not None:
            raise NotReady(fault)

    return Check("schema", probe)


def valkey_check(valkey: Valkey) -> Check:
    """Check that Valkey answers; without it everything goes on, with more work for Postgres."""
    return Check("valkey", valkey.ping, is_required=False)
