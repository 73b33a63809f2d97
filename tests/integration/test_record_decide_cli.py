"""Goal: an operator looks, decides, purges and proves from the command line, and each look is the
citizen's to see; an identity number stands on no command line and in no output.

Method: the commands themselves on a database of the test's own; today is the machine's own day, so
the days of the lines are counted from it.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from backend.__main__ import main
from backend.kit.clock import SystemClock, city_date
from backend.kit.crypto import Vault
from tests.conftest import DIGEST_KEY, KEK, encoded_key
from tests.support.citizen import national_id

HEADER = "national_id,external_id,occurred_on\n"
NOBODY = "00000000-0000-8000-8000-000000000009"
WHO = ("--by", "王敏", "--reason", "异议 2026-113")

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an environment that names this test's database."""
    monkeypatch.chdir(tmp_path)
    environment = {
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }

    def call(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, words, env=environment, input=stdin)

    return call


@pytest.fixture
def ask(database_url: str) -> Callable[..., Any]:
    """Run a statement as the owner of the database and return its rows."""

    async def fetch(sql: str, *args: object) -> Any:
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetch(sql, *args)
        finally:
            await connection.close()

    return lambda sql, *args: asyncio.run(fetch(sql, *args))


def answer_of(result: Result) -> dict[str, Any]:
    """Return the JSON a command printed."""
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def hand_in(run: Run, day: date) -> str:
    """Hand one overdue item in and return its line."""
    line = f"{national_id(1)},late-1,{day}\n"
    Path("late.csv").write_text(HEADER + line)
    words = ("submission", "send", "late.csv", "--source", "city_library")
    taken = answer_of(run(*words, "--class", "library_overdue", "--json"))
    assert taken["rejected"] == 0
    return line


def test_a_person_is_found_by_a_number_that_is_read_and_not_typed(run: Run, ask, vault: Vault):
    hand_in(run, city_date(SystemClock().now()) - timedelta(days=9))
    Path("person").write_text(national_id(1) + "\n")
    by_file = run("record", "find", "--national-id-file", "person", *WHO, "--json")
    by_stdin = run(
        *("record", "find", "--national-id-file", "-", *WHO, "--json"), stdin=national_id(1)
    )
    subject = str(vault.subject_id(national_id(1)))
    by_subject = run("record", "find", "--subject", subject, *WHO, "--json")
    for result in (by_file, by_stdin, by_subject):
        found = answer_of(result)
        assert found["subject_id"] == subject
        (version,) = found["versions"]
        assert (version["external_id"], version["status"]) == ("late-1", "standing")
        assert national_id(1) not in result.output
    looks = ask("SELECT actor_kind, actor_id, purpose_zh, disclosed FROM access_entry")
    assert len(looks) == 3
    assert {tuple(each) for each in looks} == {
        ("operator", "王敏", "核查信用信息（异议、修复）：异议 2026-113", "versions:1")
    }


@pytest.mark.parametrize("whom", [(), ("--national-id-file", "-", "--subject", NOBODY)])
def test_whom_is_said_in_one_way(run: Run, ask, whom: tuple[str, ...]):
    assert run("record", "find", *whom, *WHO, stdin=national_id(1)).exit_code != 0
    assert ask("SELECT count(*) FROM access_entry")[0][0] == 0


def test_who_and_why_are_never_left_out(run: Run, ask):
    subject = NOBODY
    for words in (WHO[:2], WHO[2:]):
        assert run("record", "find", "--subject", subject, *words).exit_code == 2
    told = run("record", "find", "--subject", subject, "--by", "x", "--reason", national_id(1))
    assert told.exit_code == 1
    assert "record_words_invalid" in told.output
    assert national_id(1) not in told.output
    wrong = run("record", "find", "--national-id-file", "-", *WHO, stdin="12345")
    assert wrong.exit_code == 1
    assert "national_id_invalid" in wrong.output
    assert ask("SELECT count(*) FROM access_entry")[0][0] == 0


def test_steps_are_taken_and_an_impossible_one_says_why(run: Run, ask, vault: Vault):
    hand_in(run, city_date(SystemClock().now()) - timedelta(days=9))
    subject = str(vault.subject_id(national_id(1)))
    found = answer_of(run("record", "find", "--subject", subject, *WHO, "--json"))
    record_id = found["versions"][0]["record_id"]
    on = (record_id, "--subject", subject, *WHO)
    for step, status in (("dispute", "disputed"), ("confirm", "standing"), ("repair", "repaired")):
        assert answer_of(run("record", step, *on, "--json"))["status"] == status
    looks = ask("SELECT count(*) FROM access_entry")[0][0]
    refused = run("record", "confirm", *on)
    assert refused.exit_code == 1
    assert "record_step_impossible, status: repaired, step: confirm" in refused.output
    told = ask("SELECT count(*) FROM access_entry")[0][0]
    assert told == looks + 1, "a refusal tells where the record stands: that is a look too"
    shown = run("record", "find", "--subject", subject, *WHO)
    for step in ("dispute", "confirm", "repair"):
        assert f" {step} {record_id} by 王敏" in shown.output
    assert ask("SELECT count(*) FROM outbox WHERE topic = 'records.changed'")[0][0] == 4


def test_what_ended_is_purged_and_its_line_finds_the_proof(run: Run, ask):
    line = hand_in(run, city_date(SystemClock().now()) - timedelta(days=9))
    assert answer_of(run("record", "purge", "--json"))["versions"] == 0
    # A day that is long gone: only the owner of the database can make time pass in it.
    ask("UPDATE record SET ends_on = '2020-01-01'")
    dry = run("record", "purge", "--dry-run")
    assert "1 versions of records and 0 faults of lines kept aside would be deleted." in dry.output
    assert ask("SELECT count(*) FROM record")[0][0] == 1
    assert answer_of(run("record", "purge", "--json"))["versions"] == 1
    assert ask("SELECT count(*) FROM record")[0][0] == 0
    words = ("record", "proof", "--source", "city_library", "--class", "library_overdue", *WHO)
    Path("asked.csv").write_text(HEADER + line + line.replace("late-1", "late-2") + "x,y,z\n")
    told = run(*words, "asked.csv")
    assert told.exit_code == 0, told.output
    first, second, third = told.output.splitlines()
    assert first.startswith("line 2: purged ")
    assert first.endswith("ordinal 0, proof whole")
    assert second == "line 3: in no purge"
    assert third.startswith("line 4: can't be read: ")
    assert national_id(1) not in told.output
    looks = ask("SELECT actor_id, purpose_zh, disclosed FROM access_entry")
    assert [tuple(each) for each in looks] == [("王敏", "核对删除证明：异议 2026-113", "lines:2")]
    Path("asked.jsonl").write_text(
        json.dumps(dict(zip(HEADER.strip().split(","), line.strip().split(","), strict=True)))
    )
    (found,) = answer_of(run(*words, "asked.jsonl", "--json"))["lines"]
    assert found["purge"]["is_whole"] is True
    Path("big.csv").write_bytes(b"x" * 1_048_577)
    assert "ask for fewer lines" in run(*words, "big.csv").output
