"""Goal: one edition of the catalogue is in force everywhere at once, and no record loses its class.

Method: the shipped edition and changed ones published on a real database beside real records; a
race with two connections.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from io import BytesIO
from uuid import uuid4

import asyncpg
import pytest

from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.migrate import migrate
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.record import service
from backend.record.jobs import digest_content, send_submission
from backend.record.rules.catalogue import DataFault
from backend.record.rules.layout import PLAIN
from backend.record.service import CatalogueOutcome
from tests.conftest import NOW, ROOT, with_database
from tests.support.citizen import national_id

DOCUMENT, SOURCES = service.packaged_texts()
SHIPPED = service.packaged_catalogue()


def edition(name: str, old: str = "", new: str = "") -> str:
    """Return the shipped catalogue as another edition, with one thing changed."""
    assert old in DOCUMENT
    text = DOCUMENT.replace(old, new) if old else DOCUMENT
    return text.replace(f'edition = "{SHIPPED.edition}"', f'edition = "{name}"')


def with_class(name: str, code: str, **members: str) -> str:
    """Return the shipped catalogue as another edition, with members of one class changed."""
    head, *classes = edition(name).split("[[class]]\n")
    for place, found in enumerate(classes):
        if f'code = "{code}"' in found:
            text = found
            for member, value in members.items():
                text = re.sub(rf"{member} = .*\n", "", text)
                text = f"{member} = {value}\n" + text
            classes[place] = text
    return "[[class]]\n".join([head, *classes])


def without(code: str, name: str) -> str:
    """Return the shipped catalogue as another edition, without a class."""
    head, *classes = edition(name).split("[[class]]\n")
    kept = [each for each in classes if f'code = "{code}"' not in each]
    assert len(kept) == len(classes) - 1
    return "[[class]]\n".join([head, *kept])


async def publish(tx: Tx, document: str, sources: str = SOURCES) -> CatalogueOutcome:
    return await service.publish_catalogue(
        tx, document=document, sources=sources, published_by="王工", now=NOW
    )


async def hand_in(database: Database, vault: Vault) -> None:
    line = f"{national_id(1)},lib-1,{date(2026, 5, 1)}"
    content = BytesIO(f"national_id,external_id,occurred_on\n{line}\n".encode())
    done = await send_submission(
        database,
        content,
        source_code="city_library",
        class_code="library_return",
        batch_id="b-1",
        vault=vault,
        clock=FixedClock(NOW),
    )
    assert done.accepted == 1


@pytest.fixture
async def bare(postgres_url: str) -> AsyncIterator[Database]:
    """A database with every migration and no data."""
    name = f"bare_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name}")
    url = with_database(postgres_url, name)
    await migrate(url, ROOT / "migrations")
    database = await Database.open(url, size=4)
    yield database
    await database.close()
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def test_the_shipped_edition_is_in_force_where_a_city_has_none(tx: Tx) -> None:
    assert await service.get_catalogue(tx) == SHIPPED
    assert await service.publish_packaged_catalogue(tx, now=NOW) is None
    (listed,) = await service.list_editions(tx)
    assert (listed.edition, listed.digest) == (SHIPPED.edition, SHIPPED.digest)


async def test_the_edition_published_last_is_in_force_also_when_clocks_disagree(tx: Tx) -> None:
    assert await publish(tx, edition("2027-1")) is CatalogueOutcome.PUBLISHED
    assert (await service.get_catalogue(tx)).edition == "2027-1"
    behind = NOW - timedelta(days=1)
    await service.publish_catalogue(
        tx, document=edition("2027-2"), sources=SOURCES, published_by="王工", now=behind
    )
    assert (await service.get_catalogue(tx)).edition == "2027-2"
    assert [each.edition for each in await service.list_editions(tx)][:2] == ["2027-2", "2027-1"]


async def test_the_same_texts_change_nothing_and_others_are_refused(tx: Tx) -> None:
    await publish(tx, edition("2027-1"))
    before = await service.list_editions(tx)
    assert await publish(tx, edition("2027-1")) is CatalogueOutcome.UNCHANGED
    assert await service.list_editions(tx) == before
    for document, sources in (
        (edition("2027-1", "图书按期归还", "图书归还"), SOURCES),
        (edition("2027-1"), SOURCES + "\n# another remark\n"),
    ):
        with pytest.raises(Refusal, match="catalogue_edition_conflict"):
            await publish(tx, document, sources)


async def test_an_edition_that_cannot_be_proved_is_not_published(tx: Tx) -> None:
    with pytest.raises(DataFault, match="deny-listed"):
        await publish(tx, edition("2027-1", "图书按期归还", "宗教活动"))
    assert (await service.get_catalogue(tx)).edition == SHIPPED.edition


async def test_without_any_edition_nothing_is_collected(bare: Database, vault: Vault) -> None:
    async with bare.read() as tx:
        with pytest.raises(Refusal, match="catalogue_missing"):
            await service.get_catalogue(tx)
    with pytest.raises(Refusal, match="catalogue_missing"):
        await hand_in(bare, vault)


async def test_a_class_without_records_may_go_and_its_file_is_refused_from_then_on(
    database: Database, vault: Vault
) -> None:
    async with database.write() as tx:
        await publish(tx, without("library_return", "2027-1"))
    with pytest.raises(Refusal, match="submission_class_unknown"):
        await hand_in(database, vault)


@pytest.mark.parametrize("how", ["gone", "adverse", "consent"])
async def test_a_class_there_are_records_of_neither_goes_nor_turns_on_people(
    database: Database, vault: Vault, how: str
) -> None:
    await hand_in(database, vault)
    adverse = {
        "polarity": '"adverse"',
        "severity": '"minor"',
        "publication_min_months": "0",
        "publication_max_months": "3",
    }
    document = {
        "gone": without("library_return", "2027-1"),
        "adverse": with_class("2027-1", "library_return", retention_months="3", **adverse),
        "consent": with_class("2027-1", "library_return", sensitivity='"written_consent"'),
    }[how]
    async with database.write() as tx:
        with pytest.raises(Refusal) as refused:
            await publish(tx, document)
    assert refused.value.code == "catalogue_records_kept"
    assert refused.value.facts == {"classes": ["library_return"], "sources": [], "records": 1}
    async with database.read() as tx:
        assert (await service.get_catalogue(tx)).edition == SHIPPED.edition


async def test_a_source_that_has_reported_stays_on_the_list(
    database: Database, vault: Vault
) -> None:
    await hand_in(database, vault)
    head, *sources = SOURCES.split("[[source]]\n")
    less = "[[source]]\n".join([head, *(each for each in sources if "library" not in each)])
    async with database.write() as tx:
        with pytest.raises(Refusal) as refused:
            await publish(tx, edition("2027-1"), less)
    assert refused.value.facts == {"classes": [], "sources": ["city_library"], "records": 0}


async def test_two_who_publish_at_once_publish_one_edition(database: Database) -> None:
    async def one(text: str) -> str:
        try:
            async with database.write() as tx:
                return str(await publish(tx, text))
        except Refusal as refusal:
            return refusal.code

    done = await asyncio.gather(
        *(one(edition("2027-1")) for _ in range(4)),
        *(one(edition("2027-1", "图书按期归还", "图书归还")) for _ in range(4)),
    )
    assert done.count("published") == 1
    assert done.count("unchanged") == 3
    assert done.count("catalogue_edition_conflict") == 4


async def test_publishing_waits_for_a_file_that_is_being_taken_in(database: Database) -> None:
    """A chunk that was judged by the edition before is on record before the next is proved."""
    entered, leave = asyncio.Event(), asyncio.Event()

    async def chunk() -> None:
        async with database.write() as tx:
            await service.check_sender(tx, source_code="city_library", class_code="library_return")
            entered.set()
            await leave.wait()

    async def publish_next() -> None:
        async with database.write() as tx:
            await publish(tx, without("library_return", "2027-1"))

    taking = asyncio.create_task(chunk())
    await entered.wait()
    publishing = asyncio.create_task(publish_next())
    done, _ = await asyncio.wait({publishing}, timeout=0.3)
    assert not done, "the edition in force stays what it is while a chunk goes in"
    leave.set()
    await asyncio.gather(taking, publishing)


async def test_lines_that_were_read_by_the_edition_before_are_read_again(
    database: Database, vault: Vault
) -> None:
    """A class without records may turn adverse: what ends when is then another thing."""
    content = BytesIO(
        f"national_id,external_id,occurred_on\n{national_id(1)},lib-1,2026-11-02\n".encode()
    )
    said = {"source_code": "city_library", "class_code": "library_return", "batch_id": "b-1"}
    async with database.write() as tx:
        record_class = await service.check_sender(
            tx, source_code="city_library", class_code="library_return"
        )
        opened = await service.open_submission(
            tx, content_digest=digest_content(content), now=NOW, **said
        )
    (packed,) = service.read_packed(
        lambda begin: [content.getvalue()[begin:]],
        opened,
        layout=PLAIN,
        record_class=record_class,
        vault=vault,
    )
    adverse = {"polarity": '"adverse"', "severity": '"minor"', "retention_months": "3"}
    months = {"publication_min_months": "0", "publication_max_months": "3"}
    async with database.write() as tx:
        await publish(tx, with_class("2027-1", "library_return", **adverse, **months))
    async with database.write() as tx:
        same = await service.take_chunk(
            tx, submission_id=opened.submission_id, packed=packed, vault=vault, now=NOW
        )
    assert same == opened, "nothing of it went in"
    done = await send_submission(
        database,
        content,
        batch_id="b-1",
        vault=vault,
        clock=FixedClock(NOW),
        source_code="city_library",
        class_code="library_return",
    )
    assert (done.submission_id, done.accepted) == (opened.submission_id, 1)
    subject_id = vault.subject_id(national_id(1))
    async with database.read() as tx:
        found = await service.list_current_by_subject(tx, subject_ids=[subject_id])
    assert [each.ends_on for each in found[subject_id]] == [date(2027, 2, 2)]
