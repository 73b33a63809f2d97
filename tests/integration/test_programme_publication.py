"""Goal: a programme comes into force once, whole and provable, and never changes afterwards.

Method: the city's own documents and changed ones, published on a real database; races with two
connections.
"""

import asyncio
from importlib.resources import files

import pytest

from backend.kit.clock import FixedClock
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.ledger.rules import Actor
from backend.partner import service as partner
from backend.programme import service
from backend.programme.rules.document import Programme
from backend.programme.service import Publication
from tests.conftest import NOW

SHELL = Actor.at_shell("王敏")


def library(version: int = 2, seats: int = 200000) -> Programme:
    text = (files("backend.programme") / "data/library.toml").read_text("utf-8")
    text = text.replace("version = 2", f"version = {version}")
    return service.load_by_packaged(text.replace("seats = 200000", f"seats = {seats}"))


async def in_force(tx: Tx) -> tuple[int, int, int]:
    found = await service.find_programme(tx, programme_code="library")
    assert found is not None
    return found.programme.document.version, found.seats.total, found.seats.taken


async def test_publishing_again_changes_nothing(tx: Tx) -> None:
    assert await service.publish(tx, programme=library(), now=NOW) is Publication.PUBLISHED
    assert await service.publish(tx, programme=library(), now=NOW) is Publication.UNCHANGED
    assert await in_force(tx) == (2, 200000, 0)


async def test_the_programmes_of_the_city_are_published_once(tx: Tx) -> None:
    new = await service.publish_packaged(tx, now=NOW)
    assert new == ["approval", "library", "loan", "rental", "tourism", "transit"]
    assert await service.publish_packaged(tx, now=NOW) == []
    assert [each.programme.document.code for each in await service.list_programmes(tx)] == new


async def test_what_is_read_back_is_what_was_published(tx: Tx) -> None:
    await service.publish(tx, programme=library(), now=NOW)
    found = await service.find_programme(tx, programme_code="library")
    assert found is not None
    assert found.programme == library()


async def test_another_text_under_the_same_version_is_refused(tx: Tx) -> None:
    await service.publish(tx, programme=library(), now=NOW)
    with pytest.raises(Refusal) as refused:
        await service.publish(tx, programme=library(seats=5), now=NOW)
    assert refused.value.code == "programme_version_taken"
    assert await in_force(tx) == (2, 200000, 0)


async def test_a_higher_version_takes_over_and_the_lower_one_is_kept(tx: Tx) -> None:
    await service.publish(tx, programme=library(), now=NOW)
    assert (
        await service.publish(tx, programme=library(3, seats=9), now=NOW) is Publication.PUBLISHED
    )
    assert await in_force(tx) == (3, 9, 0)
    assert await service.publish(tx, programme=library(), now=NOW) is Publication.UNCHANGED
    assert await in_force(tx) == (3, 9, 0), "publishing the old one again changes nothing"


async def test_a_lower_version_that_never_was_is_refused(tx: Tx) -> None:
    await service.publish(tx, programme=library(3), now=NOW)
    with pytest.raises(Refusal) as refused:
        await service.publish(tx, programme=library(2), now=NOW)
    assert refused.value.code == "programme_version_taken"


async def test_a_city_that_went_ahead_keeps_its_version_at_the_next_start(tx: Tx) -> None:
    await service.publish(tx, programme=library(5, seats=7), now=NOW)
    assert "library" not in await service.publish_packaged(tx, now=NOW)
    assert await in_force(tx) == (5, 7, 0)


async def test_seats_that_are_taken_can_not_be_published_away(tx: Tx) -> None:
    await service.publish(tx, programme=library(), now=NOW)
    await tx.execute("UPDATE seat_budget SET seats_taken = 10 WHERE programme_code = 'library'")
    with pytest.raises(Refusal) as refused:
        await service.publish(tx, programme=library(3, seats=9), now=NOW)
    assert refused.value.code == "programme_seats_taken"


async def test_a_programme_that_ended_runs_again_with_a_new_version(tx: Tx) -> None:
    await service.publish(tx, programme=library(), now=NOW)
    await service.end(tx, programme_code="library", by=SHELL, reason="封存", now=NOW)
    await service.end(tx, programme_code="library", by=SHELL, reason="封存", now=NOW)
    found = await service.find_programme(tx, programme_code="library")
    assert found is not None
    assert found.is_ended
    await service.publish(tx, programme=library(3), now=NOW)
    found = await service.find_programme(tx, programme_code="library")
    assert found is not None
    assert not found.is_ended
    with pytest.raises(Refusal):
        await service.end(tx, programme_code="nothing", by=SHELL, reason="封存", now=NOW)


async def test_two_processes_that_start_at_once_publish_once(
    database: Database, clock: FixedClock
) -> None:
    async def start() -> list[str]:
        async with database.write() as tx:
            return await service.publish_packaged(tx, now=clock.now())

    new = await asyncio.gather(*(start() for _ in range(6)))
    assert sorted(code for codes in new for code in codes) == sorted(max(new, key=len))
    async with database.read() as tx:
        assert await tx.fetch_value(int, "SELECT count(*) FROM programme_version") == 6


async def test_a_partner_may_ask_for_its_own_programmes_and_their_purpose_only(tx: Tx) -> None:
    await service.publish_packaged(tx, now=NOW)
    library_id, museum_id = [
        (
            await partner.add_partner(
                tx, code=code, name_zh="甲", name_en="A", kind="merchant", now=NOW
            )
        ).partner_id
        for code in ("city-library", "city-museum")
    ]

    async def may(partner_id: object, programme_code: str, purpose: str) -> bool:
        return await service.may_verify(
            tx,
            partner_id=partner_id,  # type: ignore[arg-type] - a UUID, the test passes it through
            programme_code=programme_code,
            purpose=purpose,
        )

    assert await may(library_id, "library", "deposit_free_borrowing")
    assert not await may(museum_id, "library", "deposit_free_borrowing")
    assert not await may(library_id, "library", "loan_preference")
    assert not await may(library_id, "rental", "deposit_free_rental")
    assert not await may(library_id, "casino", "deposit_free_borrowing")
    await tx.execute("UPDATE partner SET suspended_at = $1 WHERE code = 'city-library'", NOW)
    assert not await may(library_id, "library", "deposit_free_borrowing")
    await tx.execute("UPDATE partner SET suspended_at = NULL WHERE code = 'city-library'")
    await service.end(tx, programme_code="library", by=SHELL, reason="封存", now=NOW)
    assert not await may(library_id, "library", "deposit_free_borrowing")
