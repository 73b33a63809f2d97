"""How often somebody may try: counted for a login and an address, or for a known device alone."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from backend.kit.address import address_key
from backend.kit.crypto import Vault
from backend.kit.postgres import ReadTx, Tx
from backend.operator import rules, store
from backend.operator.rules import CounterKind

Counters = Mapping[bytes, CounterKind]


class Knock(msgspec.Struct, frozen=True):
    """Somebody at the door: for which login, with what device, from where.

    `device` is the key of a program or the secret of a browser. `is_known` when a browser's sealed
    cookie says that it has signed this login in before; whether a key has is looked up.
    """

    login: str
    device: str
    address: str
    is_known: bool = False


async def counters_of(tx: ReadTx, who: Knock, *, vault: Vault) -> Counters:
    """Return what counts the tries of somebody at the door, by keyed hash."""
    is_login = rules.is_login(who.login)
    if who.is_known or (is_login and await store.has_signed_in(tx, who.login, who.device)):
        return _counters(vault, {CounterKind.KNOWN: f"{who.login}|{who.device}"})
    return _counters(
        vault, {CounterKind.LOGIN: who.login, CounterKind.ADDRESS: address_key(who.address)}
    )


async def take_turn(tx: Tx, counters: Counters, now: datetime) -> int:
    """Count a try before it is looked at, or return how many seconds it has to wait.

    Counted first, because looking takes long and many could look at once.
    """
    locked = await store.lock_counters(tx, sorted(counters), now)
    assert len(locked) == len(counters), "each counter exists once it is locked"
    wait = max(
        rules.wait_seconds(
            counter.tried_at, limit=rules.LIMITS[counters[counter.counter_hash]], now=now
        )
        for counter in locked
    )
    if not wait:
        await store.count_try(tx, sorted(counters), now=now, window_start=now - rules.LIMIT_WINDOW)
    return wait


async def forgive(tx: Tx, counters: Counters, *, tried_at: datetime) -> None:
    """Take a try back that was right."""
    await store.forgive_try(tx, sorted(counters), tried_at=tried_at)


async def forget_login(tx: Tx, login: str, *, vault: Vault) -> None:
    """Let a login be tried again at once, from wherever."""
    await store.delete_counters(tx, list(_counters(vault, {CounterKind.LOGIN: login})))


def _counters(vault: Vault, names: Mapping[CounterKind, str]) -> Counters:
    return {vault.digest(kind, name): kind for kind, name in names.items()}
