"""Brings a demo city in through the same doors as a real one; a second run changes nothing."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec

from backend.citizen import service as citizen
from backend.citizen.ports import (
    FileIdentityRegister,
    IdentityRegister,
    ParticipationHooks,
    identity_digest,
)
from backend.citizen.rules import CodeToSend, SessionKind, SignedIn
from backend.cli.city.handin import City, DisputedItem
from backend.kit.clock import Clock
from backend.kit.crypto import Vault
from backend.kit.ids import token_hash
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.record import service as record
from backend.record.jobs import send_submission

_CODE = re.compile(r"[0-9]{6}")
DISPUTED_BY = "demo"
DISPUTED_WHY = "演示：本人提出异议 (a demo: its person says it is wrong)"

NamedPerson = tuple[str, str, str]  # name, national id, phone: as in people.csv


class HandedIn(msgspec.Struct):
    """What came of a city's files, in lines."""

    files: int = 0
    accepted: int = 0
    rejected: int = 0


async def hand_in(
    database: Database,
    city: City,
    directory: Path,
    *,
    vault: Vault,
    clock: Clock,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> HandedIn:
    """Hand in every file of a city; `on_bytes` gets how many bytes are done over all files."""
    total, before = HandedIn(), 0
    for file in city.files:
        with (directory / file.path).open("rb") as content:
            submission = await send_submission(
                database,
                content,
                source_code=file.source,
                class_code=file.class_code,
                batch_id=city.batch_id(file),
                vault=vault,
                clock=clock,
                layout=file.layout,
                on_progress=partial(_report, on_bytes, before),
            )
        before += file.bytes
        on_bytes(before)
        total.files += 1
        total.accepted += submission.accepted
        total.rejected += submission.rejected
    return total


def _report(on_bytes: Callable[[int], None], before: int, here: int) -> None:
    on_bytes(before + here)


class _NothingToDo(Exception):
    """Rolls a look back: it changed nothing, and nobody was told anything."""


async def dispute(
    database: Database,
    city: City,
    people: Sequence[NamedPerson],
    *,
    vault: Vault,
    clock: Clock,
) -> int:
    """Let people dispute what the city says; return how many items, without those of before."""
    count = 0
    for item in city.disputed:
        _, national_id, _ = people[item.person]
        try:
            async with database.write() as tx:
                await _dispute(tx, item, vault.subject_id(national_id), clock.now())
        except _NothingToDo:
            continue
        count += 1
    return count


async def _dispute(tx: Tx, item: DisputedItem, subject_id: UUID, now: datetime) -> None:
    found = await record.look_at_records(
        tx, subject_id=subject_id, actor=DISPUTED_BY, reason=DISPUTED_WHY, now=now
    )
    number = (item.source, item.external_id)
    known = {
        each.record_id
        for each in found.versions
        if (each.source_code, each.external_id) == number and each.superseded_at is None
    }
    # Whatever was decided about it since the first run stays so.
    known -= {step.record_id for step in found.steps}
    if not known:
        raise _NothingToDo
    [record_id] = known
    await record.dispute(
        tx,
        subject_id=subject_id,
        record_id=record_id,
        actor=DISPUTED_BY,
        reason=DISPUTED_WHY,
        now=now,
    )


def write_register(path: Path, people: Sequence[NamedPerson], vault: Vault) -> None:
    """Write the identity register: keyed digests, which name nobody, of everybody in the list."""
    digests = sorted(
        identity_digest(vault, national_id=national_id, name=name, phone=phone).hex()
        for name, national_id, phone in people
    )
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(digests) + "\n")
    fresh.replace(path)


def who_joins(people: Sequence[NamedPerson], count: int) -> Sequence[NamedPerson]:
    """Return `count` people from all over the list: numbers tell districts, as in a real city."""
    assert 0 <= count <= len(people), "the command checks its options"
    return [people[place * len(people) // count] for place in range(count)]


async def join(
    database: Database,
    people: Sequence[NamedPerson],
    *,
    register: Path,
    hooks: ParticipationHooks,
    vault: Vault,
    clock: Clock,
    on_person: Callable[[], None] = lambda: None,
) -> int:
    """Let people register and join; return how many did, without those who had before."""
    identity = FileIdentityRegister.load(register, vault)
    count = 0
    for place, person in enumerate(people):
        try:
            async with database.write() as tx:
                count += await join_one(
                    tx,
                    person,
                    place=place,
                    identity=identity,
                    hooks=hooks,
                    vault=vault,
                    now=clock.now(),
                )
        except Refusal as refusal:
            # Somebody who left has an account all the same, and stays away.
            if refusal.code != "account_exists":
                raise
        on_person()
    return count


async def join_one(
    tx: Tx,
    person: NamedPerson,
    *,
    place: int,
    identity: IdentityRegister,
    hooks: ParticipationHooks,
    vault: Vault,
    now: datetime,
) -> bool:
    """Let somebody register and join; False when they take part already.

    Raises Refusal account_exists for one who has an account and left.
    """
    name, national_id, phone = person
    subject_id = vault.subject_id(national_id)
    if await citizen.get_participation(tx, subject_id=subject_id) is not None:
        return False
    # Each from an address of their own: the doors count tries by address.
    address = f"10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}"
    asked = await citizen.request_code(
        tx, phone=phone, device=None, address=address, vault=vault, now=now
    )
    if not isinstance(asked, CodeToSend):
        return False
    code = _CODE.search(asked.text)
    assert code is not None, "a code's message holds the code"
    entered = await citizen.register(
        tx,
        phone=phone,
        code=code.group(),
        national_id=national_id,
        name=name,
        device=None,
        address=address,
        identity=identity,
        vault=vault,
        now=now,
        jkt=None,
        kind=SessionKind.WEB,
    )
    assert isinstance(entered, SignedIn), "the register knows everybody in the city's list"
    await citizen.end_session(tx, token_hash=token_hash(entered.token), now=now)
    await citizen.join(
        tx,
        subject_id=subject_id,
        notice_version=citizen.CURRENT_NOTICE.version,
        vault=vault,
        now=now,
        hooks=hooks,
    )
    return True
