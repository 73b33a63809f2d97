"""Goal: taking part begins with one row and ends without a trace, whatever happens at once.

Method: the verbs on a real PostgreSQL; races as transactions at once on a database of their own.
What the other rooms erase is test_citizen_erasure's part.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from backend.citizen import service
from backend.citizen.service import CURRENT_NOTICE
from backend.kit.crypto import SealBroken, Vault
from backend.kit.ids import token_hash
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from tests.conftest import NOW
from tests.support.citizen import RecordingHooks, sign_up

VERSION = CURRENT_NOTICE.version
LATER = NOW + timedelta(hours=1)


class Topic(msgspec.Struct):
    topic: str
    subject_id: UUID


async def join(tx: Tx, subject_id: UUID, vault: Vault, hooks: RecordingHooks, now=NOW):
    return await service.join(
        tx, subject_id=subject_id, notice_version=VERSION, vault=vault, now=now, hooks=hooks
    )


async def topics(tx: Tx) -> list[tuple[str, UUID]]:
    rows = await tx.fetch_all(
        Topic, "SELECT topic, subject_id FROM outbox ORDER BY created_at, event_id"
    )
    return [(row.topic, row.subject_id) for row in rows]


async def test_joining_makes_a_key_tells_the_rooms_and_the_world_once(tx: Tx, vault: Vault) -> None:
    """The second join changes nothing: same key, same moment, no second score, no second event."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    hooks = RecordingHooks()
    assert await service.get_participation(tx, subject_id=subject_id) is None
    first = await join(tx, subject_id, vault, hooks)
    again = await join(tx, subject_id, vault, hooks, now=LATER)
    assert first == again == await service.get_participation(tx, subject_id=subject_id)
    assert first.joined_at == NOW
    assert await service.find_participation_key(tx, subject_id=subject_id) == first.data_key
    assert hooks.calls == [("joined", subject_id)]
    assert await topics(tx) == [("citizen.joined", subject_id)]


async def test_the_hook_finds_the_participation_in_its_own_transaction(
    tx: Tx, vault: Vault
) -> None:
    """Whoever computes the score on joining needs the data key, and has it."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    keys: list[bytes | None] = []

    class Looking(RecordingHooks):
        async def joined(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
            keys.append(await service.find_participation_key(tx, subject_id=subject_id))

    joined = await join(tx, subject_id, vault, Looking())
    assert keys == [joined.data_key]


async def test_an_outdated_notice_lets_nobody_in(tx: Tx, vault: Vault) -> None:
    """Nothing is written; the refusal names the version to show."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    hooks = RecordingHooks()
    with pytest.raises(Refusal) as refused:
        await service.join(
            tx, subject_id=subject_id, notice_version="2026-01", vault=vault, now=NOW, hooks=hooks
        )
    assert refused.value.code == "notice_outdated"
    assert refused.value.facts == {"current_version": VERSION}
    assert await service.get_participation(tx, subject_id=subject_id) is None
    assert (hooks.calls, await topics(tx)) == ([], [])


async def test_accepting_a_newer_notice_keeps_key_and_score(tx: Tx, vault: Vault) -> None:
    """Confirming anew is not joining anew."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    hooks = RecordingHooks()
    first = await join(tx, subject_id, vault, hooks)
    await tx.execute("UPDATE participation SET notice_version = '2026-01'")
    again = await join(tx, subject_id, vault, hooks, now=LATER)
    assert again == first
    assert await service.get_participation(tx, subject_id=subject_id) == first
    assert hooks.calls == [("joined", subject_id)]


async def test_leaving_destroys_the_key_and_what_it_sealed_stays_closed(
    tx: Tx, vault: Vault
) -> None:
    """Joining again makes another key: what was sealed before does not open any more."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    hooks = RecordingHooks()
    before = await join(tx, subject_id, vault, hooks)
    sealed = vault.seal(before.data_key, b"history", aad="score|x|1")
    assert await service.leave(tx, subject_id=subject_id, now=LATER, hooks=hooks)
    assert await service.find_participation_key(tx, subject_id=subject_id) is None
    assert not await service.leave(tx, subject_id=subject_id, now=LATER, hooks=hooks)
    after = await join(tx, subject_id, vault, hooks, now=LATER)
    with pytest.raises(SealBroken):
        vault.unseal(after.data_key, sealed, aad="score|x|1")
    assert [name for name, _ in hooks.calls] == ["joined", "left", "joined"]
    assert sorted(name for name, _ in await topics(tx)) == [
        "citizen.joined",
        "citizen.joined",
        "citizen.left",
    ]


async def test_who_never_joined_leaves_without_effect(tx: Tx, vault: Vault) -> None:
    """Leaving is idempotent from the start."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    hooks = RecordingHooks()
    assert not await service.leave(tx, subject_id=subject_id, now=NOW, hooks=hooks)
    assert not await service.leave(tx, subject_id=UUID(int=5), now=NOW, hooks=hooks)
    assert (hooks.calls, await topics(tx)) == ([], [])


async def test_joining_and_the_score_stand_or_fall_together(
    database: Database, vault: Vault
) -> None:
    """When a room can't do its part, nobody has joined."""

    class Failing(RecordingHooks):
        async def joined(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
            raise RuntimeError

    async with database.write() as tx:
        subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    with pytest.raises(RuntimeError):
        async with database.write() as tx:
            await join(tx, subject_id, vault, Failing())
    async with database.write() as tx:
        assert await service.get_participation(tx, subject_id=subject_id) is None
        assert await topics(tx) == []


async def test_of_joins_at_once_one_makes_the_key_and_all_see_it(
    database: Database, vault: Vault
) -> None:
    """Eight requests of an impatient finger: one participation, one score, one event."""
    hooks = RecordingHooks()
    async with database.write() as tx:
        subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id

    async def one() -> bytes:
        async with database.write() as tx:
            return (await join(tx, subject_id, vault, hooks)).data_key

    assert len(set(await asyncio.gather(*(one() for _ in range(8))))) == 1
    assert hooks.calls == [("joined", subject_id)]


async def test_joining_leaving_and_deleting_at_once_ends_in_a_whole_state(
    database: Database, vault: Vault
) -> None:
    """Whatever order they come in: no participation without an account, hooks in pairs."""
    refusals: set[str] = set()
    for _ in range(5):
        hooks = RecordingHooks()
        async with database.write() as tx:
            subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id

        async def act(
            verb: str, subject_id: UUID = subject_id, hooks: RecordingHooks = hooks
        ) -> None:
            try:
                async with database.write() as tx:
                    if verb == "join":
                        await join(tx, subject_id, vault, hooks)
                    elif verb == "leave":
                        await service.leave(tx, subject_id=subject_id, now=NOW, hooks=hooks)
                    else:
                        await service.delete_account(
                            tx, subject_id=subject_id, now=NOW, hooks=hooks
                        )
            except Refusal as refusal:
                refusals.add(refusal.code)

        await asyncio.gather(*map(act, ["join", "join", "leave", "delete", "join", "leave"]))
        async with database.write() as tx:
            assert await service.get_participation(tx, subject_id=subject_id) is None
            assert await tx.fetch_value(int, "SELECT count(*) FROM account") == 0
        names = [name for name, _ in hooks.calls]
        assert names[-1] == "left"
        assert names.count("left") >= names.count("joined")
    assert refusals <= {"account_missing"}


async def test_leaving_waits_for_who_holds_the_participation(
    database: Database, vault: Vault
) -> None:
    """What is written under the hold is there when leaving erases; a later hold finds nothing."""
    hooks = RecordingHooks()
    async with database.write() as tx:
        subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
        await join(tx, subject_id, vault, hooks)

    async def leave() -> None:
        async with database.write() as tx:
            await service.leave(tx, subject_id=subject_id, now=NOW, hooks=hooks)

    async with database.write() as tx:
        assert await service.hold_participation(tx, subject_id=subject_id) is not None
        leaving = asyncio.create_task(leave())
        done, _ = await asyncio.wait({leaving}, timeout=0.2)
        assert not done
    await leaving
    async with database.write() as tx:
        assert await service.hold_participation(tx, subject_id=subject_id) is None


async def test_deleting_the_account_leaves_no_row_of_this_room_behind(tx: Tx, vault: Vault) -> None:
    """Account, phone, sessions, participation are gone; a neighbour's are not."""
    signed = await sign_up(tx, vault=vault, now=NOW)
    subject_id = signed.session.subject_id
    neighbour = await sign_up(tx, vault=vault, now=NOW, serial=2)
    hooks = RecordingHooks()
    await join(tx, subject_id, vault, hooks)
    assert await service.delete_account(tx, subject_id=subject_id, now=LATER, hooks=hooks)
    for table in ("account", "phone_directory", "session", "participation"):
        sql = f"SELECT count(*) FROM {table} WHERE subject_id = $1"
        assert await tx.fetch_value(int, sql, subject_id) == 0, table
    key = token_hash(signed.token)
    assert await service.find_session(tx, token_hash=key, now=LATER) is None
    key = token_hash(neighbour.token)
    assert await service.find_session(tx, token_hash=key, now=LATER) is not None
    assert [name for name, _ in hooks.calls] == ["joined", "left"]
    assert sorted(await topics(tx)) == [
        (name, subject_id) for name in ("account.deleted", "citizen.joined", "citizen.left")
    ]
    assert not await service.delete_account(tx, subject_id=subject_id, now=LATER, hooks=hooks)


async def test_deleting_an_account_that_does_not_take_part_still_tells_the_rooms(
    tx: Tx, vault: Vault
) -> None:
    """Whatever hangs on the citizen goes, also what was there before or after taking part."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    hooks = RecordingHooks()
    await service.delete_account(tx, subject_id=subject_id, now=NOW, hooks=hooks)
    assert hooks.calls == [("left", subject_id)]
    assert [name for name, _ in await topics(tx)] == ["account.deleted"]


async def test_the_same_person_may_come_back_under_the_same_pseudonym(tx: Tx, vault: Vault) -> None:
    """Records find their subject before, with and after an account."""
    before = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    hooks = RecordingHooks()
    await service.delete_account(tx, subject_id=before, now=NOW, hooks=hooks)
    again = await sign_up(tx, vault=vault, now=LATER)
    assert again.session.subject_id == before
    profile = await service.get_profile(tx, subject_id=before, vault=vault)
    assert profile.created_at == LATER
    assert profile.participation is None


async def test_the_profile_is_masked(tx: Tx, vault: Vault) -> None:
    """The owner knows it again; a screenshot gives little away."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    profile = await service.get_profile(tx, subject_id=subject_id, vault=vault)
    assert (profile.name_masked, profile.phone_masked) == ("林*", "138****0001")
    with pytest.raises(Refusal) as refused:
        await service.get_profile(tx, subject_id=UUID(int=9), vault=vault)
    assert refused.value.code == "account_missing"
