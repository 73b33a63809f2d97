"""How often somebody may knock: wrong and sent codes, counted for a phone, device and address.

A device that has signed a phone in before is known there and has a count of its own, in place of
all three. Else a stranger with five wrong codes every ten minutes could keep somebody out of her
account for ever, and one clumsy reader everybody at the library's address.
"""

from datetime import datetime

import msgspec

from backend.citizen import rules, store
from backend.citizen.rules import CounterKind
from backend.kit.address import address_key
from backend.kit.crypto import Vault
from backend.kit.postgres import ReadTx, Tx

Counters = dict[bytes, CounterKind]


class Knock(msgspec.Struct, frozen=True):
    """Somebody at the door: for which phone, with what device, from where.

    `is_known` when a browser's sealed cookie says that the device has signed this phone in before;
    whether an app's key has is looked up.
    """

    phone: str
    device: str | None
    address: str
    is_known: bool = False


async def try_counters(tx: ReadTx, who: Knock, *, vault: Vault) -> Counters:
    """Return what counts wrong codes, by keyed hash."""
    if await _is_known(tx, who, vault=vault):
        return _counters(vault, {CounterKind.TRY_KNOWN: f"{who.phone}|{who.device}"})
    return _counters(
        vault,
        {
            CounterKind.TRY_PHONE: who.phone,
            CounterKind.TRY_DEVICE: who.device,
            CounterKind.TRY_ADDRESS: address_key(who.address),
        },
    )


async def send_counters(tx: ReadTx, who: Knock, *, vault: Vault) -> Counters:
    """Return what counts sent codes, by keyed hash."""
    if await _is_known(tx, who, vault=vault):
        return _counters(vault, {CounterKind.SEND_KNOWN: f"{who.phone}|{who.device}"})
    return _counters(
        vault,
        {
            CounterKind.SEND_PHONE: who.phone,
            CounterKind.SEND_DEVICE: who.device,
            CounterKind.SEND_ADDRESS: address_key(who.address),
        },
    )


async def wait_seconds(tx: Tx, counters: Counters, now: datetime) -> int:
    """Lock the counters and return the longest wait any of them demands."""
    locked = await store.lock_counters(tx, sorted(counters), now)
    assert len(locked) == len(counters), "each counter exists once it is locked"
    return max(
        rules.wait_seconds(
            counter.tried_at, limit=rules.LIMITS[counters[counter.counter_hash]], now=now
        )
        for counter in locked
    )


async def count(tx: Tx, counters: Counters, now: datetime) -> None:
    """Count one more, on counters that are locked."""
    await store.count_try(tx, sorted(counters), now=now, window_start=now - rules.LIMIT_WINDOW)


async def forgive_sent(tx: Tx, who: Knock, *, vault: Vault) -> None:
    """Forget the codes that were sent: the owner of the phone wanted them, as it turns out."""
    sent = {CounterKind.SEND_PHONE: who.phone, CounterKind.SEND_KNOWN: f"{who.phone}|{who.device}"}
    for counter_hash in _counters(vault, dict(sent)):
        await store.delete_counter(tx, counter_hash)


async def _is_known(tx: ReadTx, who: Knock, *, vault: Vault) -> bool:
    if who.is_known:
        assert who.device is not None, "a known device is one"
        return True
    if who.device is None:
        return False
    return await store.has_signed_in(tx, vault.digest("phone", who.phone), who.device)


def _counters(vault: Vault, names: dict[CounterKind, str | None]) -> Counters:
    return {vault.digest(kind, name): kind for kind, name in names.items() if name is not None}
