"""Goal: a department's software hands a file in over HTTP, and sees its own files and no other's.

Method: the real application in process on a real database, the outbox carried out as the worker
does; every way to send something wrong, twice, at once, or as somebody else.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest

from backend.app import House
from backend.kit.clock import FixedClock
from backend.kit.problem import Refusal
from backend.record import service
from backend.record.jobs import send_submission
from backend.record.rules.upload import PART_BYTES, UPLOADS_WAITING_MAX
from tests.support.citizen import national_id
from tests.support.source import HEADER, SUBMISSIONS, SourceSoftware, file_of, lines_of
from tests.support.world import World, problem_of


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    world = World(house)
    yield world
    await world.close()


@pytest.fixture
async def library(world: World) -> SourceSoftware:
    return await SourceSoftware.register(world)


async def nothing_lies(world: World) -> bool:
    return await world.count("upload") == 0 == await world.count("upload_part")


async def test_a_file_is_laid_down_and_taken_in_by_the_worker(
    world: World, library: SourceSoftware
) -> None:
    answer = await library.send(file_of(300))
    assert answer.status_code == 202, answer.text
    laid = answer.json()
    assert (laid["status"], laid["lines"], laid["completed_at"]) == ("taking_in", 0, None)
    assert answer.headers["location"] == f"{SUBMISSIONS}/{laid['submission_id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert await world.count("record") == 0
    await world.work()
    taken = await library.look(laid["submission_id"])
    assert taken["status"] == "complete"
    assert (taken["lines"], taken["accepted"], taken["rejected"]) == (300, 300, 0)
    assert await world.count("record") == 300
    assert await nothing_lies(world)


async def test_what_lies_there_is_sealed(world: World, library: SourceSoftware) -> None:
    """A dump of the database shows nobody's number while a file waits."""
    await library.send(file_of(5))
    async with world.database.read() as tx:
        kept = await tx.fetch_value(bytes, "SELECT content_sealed FROM upload_part")
    assert national_id(1).encode() not in kept


async def test_a_file_of_many_parts_is_taken_in_over_many_turns(
    world: World, library: SourceSoftware
) -> None:
    """Lines lie across the edges of parts and of chunks; none is lost or counted twice."""
    content = file_of(50_000)
    assert len(content) > 2 * PART_BYTES
    laid = (await library.send(content)).json()
    assert await world.count("upload_part") == -(-len(content) // PART_BYTES)
    assert await world.work() > 3
    taken = await library.look(laid["submission_id"])
    assert (taken["lines"], taken["accepted"]) == (50_000, 50_000)
    assert await world.count("record") == 50_000
    assert await nothing_lies(world)


async def test_bad_lines_are_paged_and_downloaded(world: World, library: SourceSoftware) -> None:
    """By line, with column, code and message; the download brings the lines back."""
    bad = [
        f"{national_id(1)},r-x1,1,2999-01-01,,2",
        f"{national_id(2)},=cmd(),1,2026-05-01,,-2",
        "=1+1,,,,,",
        f"{national_id(3)},r-x3,1",
    ]
    content = file_of(10) + "".join(f"{line}\n" for line in bad).encode()
    laid = (await library.send(content)).json()
    await world.work()
    taken = await library.look(laid["submission_id"])
    assert (taken["accepted"], taken["rejected"]) == (10, 4)
    path = f"{SUBMISSIONS}/{laid['submission_id']}/errors"
    found, cursor, pages = [], "", 0
    while True:
        params = {"page_size": "3", **({"cursor": cursor} if cursor else {})}
        page = (await library.call("GET", path, params=params)).json()
        found += page["items"]
        pages += 1
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages > 1
    assert [each["line"] for each in found] == sorted(each["line"] for each in found)
    assert found[0] == {
        "line": 12,
        "column": "occurred_on",
        "code": "date_future",
        "message": "the day lies in the future",
    }
    rows = await library.errors(laid["submission_id"])
    assert [(int(row["line"]), row["code"]) for row in rows] == [
        (each["line"], each["code"]) for each in found
    ]
    contents = {row["line"]: row["content"] for row in rows if row["content"]}
    assert contents["12"] == bad[0]
    assert contents["14"] == f"'{bad[2]}", "a spreadsheet takes it for text, not for a formula"
    answer = await library.call("GET", path, headers={"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    for unknown in ("image/png", "text/csv;q=inf", ",", ""):
        answer = await library.call("GET", path, headers={"accept": unknown})
        problem_of(answer, 406, "not_acceptable")
    problem_of(await library.call("GET", path, params={"cursor": "x"}), 400, "cursor_invalid")


async def test_a_download_reads_on_behind_its_first_page(
    world: World, library: SourceSoftware
) -> None:
    content = f"{HEADER}\n".encode() + b"x,y\n" * 1_200
    laid = (await library.send(content)).json()
    await world.work()
    rows = await library.errors(laid["submission_id"])
    assert [int(row["line"]) for row in rows] == list(range(2, 1_202))


async def test_submissions_are_listed_newest_first(
    world: World, library: SourceSoftware, clock: FixedClock
) -> None:
    sent = []
    for n in range(5):
        sent.append((await library.send(file_of(1), batch_id=f"b-{n}")).json()["submission_id"])
        clock.advance(timedelta(seconds=1))
    first = (await library.call("GET", SUBMISSIONS, params={"page_size": "3"})).json()
    rest = (await library.call("GET", SUBMISSIONS, params={"cursor": first["next_cursor"]})).json()
    found = [each["submission_id"] for each in first["items"] + rest["items"]]
    assert found == sent[::-1]
    assert rest["next_cursor"] is None
    bad = await library.call("GET", SUBMISSIONS, params={"cursor": "x"})
    problem_of(bad, 400, "cursor_invalid")


async def test_the_same_file_again_has_the_same_answer(
    world: World, library: SourceSoftware
) -> None:
    """While it waits, and when it is in; another file, or class, under its name is refused."""
    content = file_of(20)
    first = await library.send(content)
    again = await library.send(content)
    assert (again.status_code, again.json()) == (202, first.json())
    assert await world.count("upload") == 1
    await world.work()
    late = await library.send(content)
    assert late.status_code == 200
    assert late.json()["submission_id"] == first.json()["submission_id"]
    assert (late.json()["status"], late.json()["accepted"]) == ("complete", 20)
    problem_of(await library.send(file_of(21)), 422, "submission_conflict")
    other_class = await library.send(content, class_code="library_overdue")
    assert other_class.status_code == 422
    assert await world.count("submission") == 1
    assert await nothing_lies(world)
    await world.work()
    assert await world.count("record") == 20


async def test_one_batch_sent_twice_at_once_is_one_submission(
    world: World, library: SourceSoftware
) -> None:
    content = file_of(3_000)
    answers = await asyncio.gather(*(library.send(content) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["submission_id"] for answer in answers}) == 1
    assert await world.count("submission") == 1
    assert await world.count("upload") == 1
    await world.work()
    assert await world.count("record") == 3_000
    assert await nothing_lies(world)


async def test_two_files_under_one_name_at_once_one_is_refused(
    world: World, library: SourceSoftware
) -> None:
    answers = await asyncio.gather(library.send(file_of(50)), library.send(file_of(51)))
    assert sorted(answer.status_code for answer in answers) == [202, 422]
    assert await world.count("submission") == 1
    assert await world.count("upload") == 1


async def test_a_file_broken_off_on_the_command_line_is_finished_over_http(
    world: World, library: SourceSoftware
) -> None:
    """A known batch that has no file to go on with takes this one."""
    content = file_of(100)
    async with world.database.write() as tx:
        await service.open_submission(
            tx,
            source_code="city_library",
            class_code="library_return",
            batch_id="b-1",
            content_digest=hashlib.sha256(content).digest(),
            now=world.clock.now(),
        )
    answer = await library.send(content)
    assert answer.status_code == 202
    await world.work()
    assert (await library.look(answer.json()["submission_id"]))["accepted"] == 100


async def test_a_file_that_a_command_finished_meanwhile_lies_there_no_longer(
    world: World, library: SourceSoftware
) -> None:
    """It holds everybody's numbers, and would be one of the few of its source that may wait."""
    content = file_of(100)
    laid = (await library.send(content)).json()
    done = await send_submission(
        world.database,
        BytesIO(content),
        source_code="city_library",
        class_code="library_return",
        batch_id="b-1",
        vault=world.vault,
        clock=world.clock,
    )
    assert (str(done.submission_id), done.accepted) == (laid["submission_id"], 100)
    await world.work()
    assert await nothing_lies(world)
    assert await world.count("record") == 100


@pytest.mark.parametrize(
    ("old", "new", "classes", "sources"),
    [
        ('code = "library_return"', 'code = "library_back"', ["library_return"], []),
        (
            'source_kinds = ["library", "service_orders"]',
            'source_kinds = ["court"]',
            ["library_return"],
            [],
        ),
        ('code = "city_library"', 'code = "other_library"', [], ["city_library"]),
    ],
)
async def test_an_edition_leaves_no_file_behind_that_waits_to_be_taken_in(
    world: World,
    library: SourceSoftware,
    old: str,
    new: str,
    classes: list[str],
    sources: list[str],
) -> None:
    """No worker could take it in, and its parts hold everybody's numbers."""
    await library.send(file_of(3))
    document, sources_text = service.packaged_texts()
    assert old in document + sources_text
    document = document.replace(f'"{service.packaged_catalogue().edition}"', '"2027-1"')
    with pytest.raises(Refusal) as refused:
        async with world.database.write() as tx:
            await service.publish_catalogue(
                tx,
                document=document.replace(old, new),
                sources=sources_text.replace(old, new),
                published_by="王工",
                now=world.clock.now(),
            )
    assert refused.value.code == "catalogue_records_kept"
    assert refused.value.facts == {"classes": classes, "sources": sources, "records": 0}
    await world.work()
    assert (await world.count("record"), await nothing_lies(world)) == (3, True)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"class_code": "moon_walk"}, 422, "submission_class_unknown"),
        ({"class_code": "residence_registration"}, 422, "submission_source_not_allowed"),
        ({"batch_id": "no spaces"}, 422, "submission_batch_id_invalid"),
        ({"batch_id": ""}, 422, "submission_batch_id_invalid"),
        ({"batch_id": "x" * 101}, 400, "parameter_invalid"),
        ({"content_type": "application/json"}, 415, "media_type_unsupported"),
        ({"content_type": "multipart/form-data; boundary=x"}, 415, "media_type_unsupported"),
        ({"content_type": "text/csv; charset=latin-1"}, 415, "media_type_unsupported"),
        (
            {"content_type": "text/csv; charset=utf-8", "encoding": "gb18030"},
            400,
            "parameter_invalid",
        ),
        (
            {"content_type": "application/jsonl", "encoding": "gb18030"},
            400,
            "parameter_invalid",
        ),
        ({"encoding": "utf-7"}, 400, "parameter_invalid"),
        ({"column": "nonsense"}, 400, "parameter_invalid"),
        ({"column": ["occurred_on:日期", "ended_on:日期"]}, 400, "parameter_invalid"),
        ({"column": "shoe_size:Schuh"}, 400, "parameter_invalid"),
        ({"column": "national_id:" + "x" * 65}, 400, "parameter_invalid"),
    ],
)
async def test_what_is_announced_wrong_is_refused_before_it_is_read(
    world: World, library: SourceSoftware, changes: dict[str, Any], status: int, code: str
) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("a refused body is not read")
        yield b""

    problem_of(await library.send(never(), **changes), status, code)
    assert await world.count("submission") == 0
    assert await nothing_lies(world)


async def test_compressed_bodies_are_not_read(library: SourceSoftware) -> None:
    """A few bytes would stand for gigabytes."""
    answer = await library.call(
        "POST",
        SUBMISSIONS,
        content=b"\x1f\x8b",
        params={"class": "library_return", "batch_id": "b"},
        headers={"content-type": "text/csv", "content-encoding": "gzip"},
    )
    problem_of(answer, 415, "media_type_unsupported")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"a,b,c\n1,2,3\n", b"\xff\xfe\n", b"x" * 20_000, lines_of(0, 3).encode()],
    ids=["empty", "blank", "other columns", "binary", "too long", "no header"],
)
async def test_a_file_whose_first_line_names_no_columns_is_refused(
    world: World, library: SourceSoftware, content: bytes
) -> None:
    """And nothing of it is repeated: it may hold people's numbers."""
    answer = await library.send(content)
    problem_of(answer, 422, "submission_header_invalid")
    assert national_id(1) not in answer.text
    assert await world.count("submission") == 0
    assert await nothing_lies(world)


async def test_a_source_has_so_many_files_waiting_and_no_more(
    world: World, library: SourceSoftware
) -> None:
    for n in range(UPLOADS_WAITING_MAX):
        assert (await library.send(file_of(1), batch_id=f"b-{n}")).status_code == 202
    problem = await library.send(file_of(1), batch_id="one-more")
    problem_of(problem, 429, "submission_batches_waiting")
    assert int(problem.headers["retry-after"]) > 0
    other = await SourceSoftware.register(world, "volunteer_federation")
    answer = await other.send(file_of(1), class_code="volunteer_service")
    assert answer.status_code == 202
    await world.work()
    assert (await library.send(file_of(1), batch_id="one-more")).status_code == 202


async def test_another_sources_submission_is_not_there(
    world: World, library: SourceSoftware
) -> None:
    """As one that nobody ever handed in; also for a second client, it is the source's own."""
    laid = (await library.send(file_of(3) + b"bad\n")).json()
    await world.work()
    other = await SourceSoftware.register(world, "volunteer_federation")
    colleague = await SourceSoftware.register(world, client_id="library-two")
    path = f"{SUBMISSIONS}/{laid['submission_id']}"
    for address in (path, f"{path}/errors"):
        for headers in ({}, {"accept": "text/csv"}):
            problem_of(await other.call("GET", address, headers=headers), 404, "not_found")
        unknown = address.replace(laid["submission_id"], str(uuid4()))
        problem_of(await library.call("GET", unknown), 404, "not_found")
        assert (await colleague.call("GET", address)).status_code == 200
    assert (await other.call("GET", SUBMISSIONS)).json()["items"] == []
    batch = await other.send(file_of(3), class_code="volunteer_service")
    assert batch.status_code == 202, "a batch id is a source's own"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me/records"),
        ("GET", "/v1/me/score"),
        ("DELETE", "/v1/me"),
        ("POST", "/v1/eligibility-checks"),
    ],
)
async def test_a_sources_token_opens_nothing_else(
    library: SourceSoftware, method: str, path: str
) -> None:
    body = b'{"programme": "library"}' if method == "POST" else None
    headers = {"content-type": "application/json"} if body else None
    answer = await library.call(method, path, content=body, headers=headers)
    problem_of(answer, 403, "scope_insufficient")


async def test_the_scope_of_a_token_is_looked_at(library: SourceSoftware) -> None:
    await library.sign_in(scope="quality:read")
    problem_of(await library.send(file_of(1)), 403, "scope_insufficient")
    problem_of(await library.call("GET", SUBMISSIONS), 403, "scope_insufficient")


async def test_nobody_elses_token_hands_in(world: World, library: SourceSoftware) -> None:
    """Neither a citizen's nor a merchant's, and no token without the key it is bound to."""
    citizen = await world.app_of(1)
    answer = await world.http.post(
        SUBMISSIONS,
        content=file_of(1),
        params={"class": "library_return", "batch_id": "b"},
        headers={**citizen.signed("POST", SUBMISSIONS), "content-type": "text/csv"},
    )
    problem_of(answer, 403, "scope_insufficient")
    thief = await SourceSoftware.register(world, "volunteer_federation")
    thief.token = library.token
    problem_of(await thief.send(file_of(1)), 401, "token_invalid")
    bearer = {"authorization": f"Bearer {library.token}"}
    problem_of(await world.http.get(SUBMISSIONS, headers=bearer), 401, "token_invalid")
    problem_of(await world.http.post(SUBMISSIONS), 401, "token_invalid")
    assert await world.count("submission") == 0


async def test_a_suspended_source_is_out_in_the_same_moment(
    world: World, library: SourceSoftware
) -> None:
    assert (await library.call("GET", SUBMISSIONS)).status_code == 200
    async with world.database.write() as tx:
        await tx.execute("UPDATE partner SET suspended_at = now() WHERE source_code IS NOT NULL")
    problem_of(await library.call("GET", SUBMISSIONS), 401, "token_invalid")


async def test_every_count_of_a_file_is_shown(world: World, library: SourceSoftware) -> None:
    """What was on record already, what corrects, and what withdraws."""
    header = b"national_id,external_id,version,action,occurred_on,ended_on,quantity\n"
    person = national_id(1)
    first = header + f"{person},a,1,,2026-05-01,,2\n{person},b,1,,2026-05-01,,2\n".encode()
    await library.send(first, batch_id="one")
    await world.work()
    second = (
        header
        + (
            f"{person},a,1,,2026-05-01,,2\n"
            f"{person},a,2,,2026-05-02,,2\n"
            f"{person},b,2,withdraw,2026-05-01,,2\n"
            f"{person},c,1,repair,2026-05-01,,2\n"
        ).encode()
    )
    answer = await library.send(second, batch_id="two")
    await world.work()
    taken = await library.look(answer.json()["submission_id"])
    counts = {name: taken[name] for name in ("lines", "accepted", "rejected", "duplicates")}
    assert counts == {"lines": 4, "accepted": 3, "rejected": 1, "duplicates": 1}
    assert (taken["corrections"], taken["withdrawals"], taken["repairs"]) == (1, 1, 0)


@pytest.mark.parametrize("content_type", ["application/jsonl", "application/x-ndjson"])
async def test_a_file_of_json_lines_goes_in(
    world: World, library: SourceSoftware, content_type: str
) -> None:
    """As a CSV file does, without a header."""
    good = '{"national_id":"%s","external_id":"j-%d","occurred_on":"2026-05-01","quantity":2}'
    lines = "".join(good % (national_id(1 + n % 9), n) + "\n" for n in range(50))
    answer = await library.send((lines + "{\n").encode(), content_type=content_type)
    assert answer.status_code == 202, answer.text
    await world.work()
    taken = await library.look(answer.json()["submission_id"])
    assert (taken["lines"], taken["accepted"], taken["rejected"]) == (51, 50, 1)
    (row,) = await library.errors(taken["submission_id"])
    assert (row["line"], row["content"]) == ("51", "{")


async def test_a_departments_own_export_goes_in_as_it_is(
    world: World, library: SourceSoftware
) -> None:
    """In GB 18030, under its own headers; a line kept aside comes back in UTF-8."""
    text = "身份证号码,借阅编号,还书日期\n" + "".join(
        f"{national_id(1 + n)},借-{n},2026-05-0{1 + n}\n" for n in range(5)
    )
    bad = f"{national_id(6)},借-6,五月一日\n"
    columns = [
        ("national_id", "身份证号码"),
        ("external_id", "借阅编号"),
        ("occurred_on", "还书日期"),
    ]
    query = [
        *(("class", "library_return"), ("batch_id", "b"), ("encoding", "gb18030")),
        *(("column", f"{name}:{header}") for name, header in columns),
    ]
    answer = await library.call(
        "POST",
        SUBMISSIONS,
        content=(text + bad).encode("gb18030"),
        params=query,
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 202, answer.text
    await world.work()
    taken = await library.look(answer.json()["submission_id"])
    assert (taken["accepted"], taken["rejected"]) == (5, 1)
    (row,) = await library.errors(taken["submission_id"])
    assert (row["code"], row["content"]) == ("date_format", bad.strip())
