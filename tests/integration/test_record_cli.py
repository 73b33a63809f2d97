"""Goal: a department's file, a demo city and a recompute can be had from the command line.

Method: the commands themselves on a database of the test's own, told by environment variables.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from backend.__main__ import main
from backend.citizen.ports import FileIdentityRegister
from backend.cli.city.handin import read_people
from backend.kit.crypto import Vault
from tests.conftest import DIGEST_KEY, KEK, ROOT, encoded_key
from tests.support.citizen import national_id

HEADER = "national_id,external_id,version,occurred_on,ended_on,quantity\n"
GOOD = f"{national_id(1)},lib-1,1,2026-05-01,,2\n"
BAD = f"{national_id(1)},lib-2,1,2999-01-01,,2\n"

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

    def call(*words: str, **more: str) -> Result:
        return CliRunner().invoke(main, words, env={**environment, **more})

    return call


@pytest.fixture
def count(database_url: str) -> Callable[[str], int]:
    """Count the rows of a table."""

    async def ask(table: str) -> int:
        connection = await asyncpg.connect(database_url)
        try:
            return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
        finally:
            await connection.close()

    return lambda table: asyncio.run(ask(table))


def answer_of(result: Result) -> dict[str, Any]:
    """Return the JSON a command printed."""
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


WHO = ("--by", "王敏", "--reason", "更正 2026-7")
SEND = ("submission", "send", "file.csv", "--source", "city_library", "--class", "library_return")


def test_a_file_is_handed_in_and_what_is_wrong_is_told_by_line(run: Run, tmp_path: Path):
    (tmp_path / "file.csv").write_text(HEADER + GOOD + BAD)
    result = run(*SEND, "--batch-id", "may")
    assert result.exit_code == 0, result.output
    said = result.stdout.splitlines()
    assert re.fullmatch("  submission [0-9a-f-]{36}", said.pop(2))
    assert said == [
        "Batch may: 1 lines in, 1 kept aside.",
        "  1 late",
        "  line 3 occurred_on: the day lies in the future (date_future)",
    ]
    assert national_id(1) not in result.output


def test_the_answer_as_json_is_the_same_each_time(run: Run, tmp_path: Path):
    (tmp_path / "file.csv").write_text(HEADER + GOOD + BAD)
    first, again = (answer_of(run(*SEND, "--json")) for _ in range(2))
    assert first == again
    assert (first["accepted"], first["rejected"]) == (1, 1)
    assert first["errors"] == [
        {
            "line": 3,
            "column": "occurred_on",
            "code": "date_future",
            "message": "the day lies in the future",
        }
    ]


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (SEND, "no header\n", "submission_header_invalid"),
        ((*SEND[:-1], "court_enforcement"), HEADER, "submission_source_not_allowed"),
        ((*SEND, "--batch-id", "a b"), HEADER, "submission_batch_id_invalid"),
    ],
)
def test_a_refusal_is_one_clear_line_and_an_exit_code(run: Run, tmp_path, words, text, said):
    (tmp_path / "file.csv").write_text(text)
    result = run(*words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_other_content_under_the_same_batch_id_is_refused(run: Run, tmp_path: Path):
    (tmp_path / "file.csv").write_text(HEADER + GOOD)
    assert run(*SEND, "--batch-id", "may").exit_code == 0
    (tmp_path / "file.csv").write_text(HEADER + GOOD + BAD)
    result = run(*SEND, "--batch-id", "may")
    assert result.exit_code == 1
    assert "submission_conflict" in result.stderr


def test_a_submission_is_shown_and_its_bad_lines_are_fetched_by_whoever_owns_the_file(
    run: Run, count: Callable[[str], int], tmp_path: Path
):
    header = "身份证号码,external_id,occurred_on\n"
    bad = f"{national_id(1)},借-2,2999-01-01\n"
    (tmp_path / "file.csv").write_text(
        header + f"{national_id(1)},借-1,2026-05-01\n" + bad, encoding="gb18030"
    )
    options = ("--encoding", "gb18030", "--column", "national_id=身份证号码")
    sent = answer_of(run(*SEND, *options, "--json"))
    assert answer_of(run("submission", "show", sent["submission_id"], "--json")) == sent
    assert (sent["is_complete"], sent["lines"], sent["timed"]) == (True, 2, 1)
    errors = ("submission", "errors", sent["submission_id"])
    assert answer_of(run(*errors, "--json"))["errors"] == sent["errors"]
    assert count("access_entry") == 0, "without the lines, nobody was looked at"
    assert run(*errors, "--out", "bad.csv").exit_code == 2, "who looks, and why?"
    assert run(*errors, "--out", "bad.csv", *WHO).exit_code == 0
    assert count("access_entry") == 1, "the person in the line sees who looked"
    written = tmp_path / "bad.csv"
    assert written.stat().st_mode & 0o777 == 0o600
    assert bad.strip() in written.read_text("utf-8-sig")
    assert "date_future" in written.read_text("utf-8-sig")
    again = run(*errors, "--out", "bad.csv", *WHO)
    assert (again.exit_code, again.stderr) == (1, "creditplus: bad.csv: File exists\n")
    unknown = run("submission", "show", "01a20c5c-4d9c-7030-ad56-ff1f2f7eae45")
    assert unknown.exit_code == 1
    assert "not_found" in unknown.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--column", "name=姓名"),
        ("--column", "version"),
        ("--column", "version=a", "--column", "version=b"),
        ("--column", "occurred_on=a", "--column", "ended_on=a"),
        ("--format", "jsonl", "--encoding", "gb18030"),
        ("--format", "jsonl", "--column", "quantity=数量"),
    ],
)
def test_an_impossible_layout_is_refused_before_anything_is_read(run: Run, tmp_path, options):
    (tmp_path / "file.csv").write_text(HEADER)
    result = run(*SEND, *options)
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_sender_killed_in_the_middle_is_finished_by_sending_again(
    run: Run, count: Callable[[str], int], database_url: str, tmp_path: Path
):
    """kill -9 while chunks go in: what was committed stays, the rest follows, each line once."""
    lines = [
        f"{national_id(number % 900 + 1)},lib-{number},1,2026-05-01,,2\n"
        for number in range(60_000)
    ]
    (tmp_path / "file.csv").write_text(HEADER + "".join(lines) + BAD)
    environment = {
        **os.environ,
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }
    command = [sys.executable, "-m", "backend", *SEND[:2], str(tmp_path / "file.csv"), *SEND[3:]]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as sender:
        while count("record") == 0 and sender.poll() is None:
            time.sleep(0.01)
        sender.kill()
    assert sender.returncode == -signal.SIGKILL, "it was killed before it was done"
    before = count("record")
    assert 0 < before < 60_000
    answer = answer_of(run(*SEND, "--json"))
    assert (answer["accepted"], answer["rejected"]) == (60_000, 1)
    assert count("record") == 60_000
    assert answer_of(run(*SEND, "--json")) == answer


SEED = ("seed", "--citizens", "60", "--seed", "1", "--joined", "3", "--json")


def test_a_demo_city_comes_in_and_a_second_run_changes_nothing(
    run: Run, count: Callable[[str], int], tmp_path: Path, vault: Vault
):
    first = answer_of(run(*SEED))
    assert first["accepted"] > 500
    assert first["rejected"] > 0
    assert first["joined"] == 3
    assert first["disputed"] == count("record_step") == count("access_entry") > 0
    tables = ("record", "submission", "submission_error", "outbox", "score", "account")
    tables += ("record_step", "access_entry")
    before = {table: count(table) for table in tables}
    assert before["score"] == before["account"] == 3
    assert before["record"] <= first["accepted"]
    again = answer_of(run(*SEED))
    assert again == {**first, "disputed": 0, "joined": 0}, "what was done is not done again"
    assert {table: count(table) for table in tables} == before
    demo = tmp_path / ".local" / "demo"
    register = FileIdentityRegister.load(demo / "identity-register", vault)
    for name, number, phone in read_people(demo):
        assert register.confirms(national_id=number, name=name, phone=phone)
        assert not register.confirms(national_id=number, name="林晓晓", phone=phone)


def test_a_city_made_again_on_another_database_is_the_same_city(run: Run, tmp_path: Path):
    for name in ("one", "two"):
        words = ("--citizens", "30", "--out", name, "--as-of", "2026-11-20")
        assert run("seed", *words).exit_code == 0
    one, two = (
        {each.name: each.read_bytes() for each in (tmp_path / name / "submissions").iterdir()}
        for name in ("one", "two")
    )
    assert one == two


def test_production_takes_no_demo_city(run: Run, count: Callable[[str], int], tmp_path: Path):
    result = run(
        "seed",
        CREDIT_ENV="production",
        CREDIT_VALKEY_URL="redis://127.0.0.1:1",
        CREDIT_IDENTITY_REGISTER_FILE="register",
        CREDIT_SMS_GATEWAY_URL="https://sms.example",
        CREDIT_TRUSTED_PROXIES="10.0.0.1",
        CREDIT_PUBLIC_ORIGIN="https://credit.example",
    )
    assert result.exit_code == 1
    assert "production takes no demo city" in result.stderr
    assert count("submission") == 0
    assert list(tmp_path.iterdir()) == []


def test_more_people_than_there_are_can_not_join(run: Run):
    result = run("seed", "--citizens", "10", "--joined", "8")
    assert result.exit_code == 1
    assert "only 7 people" in result.stderr


def test_scores_are_worked_out_anew_on_demand(run: Run):
    answer_of(run(*SEED))
    everybody = answer_of(run("score", "recompute", "--all", "--json"))
    assert (everybody["seen"], everybody["changed"]) == (3, 0), "joining worked them out"
    changed = answer_of(run("score", "recompute", "--changed", "--json"))
    assert changed["changed"] == 0


@pytest.mark.parametrize("asked", [(), ("--all", "--changed"), ("--due", "--all", "--json")])
def test_a_recompute_wants_to_know_of_what(run: Run, asked: tuple[str, ...]):
    result = run("score", "recompute", *asked)
    assert result.exit_code == 2
    assert "say one of --all, --changed and --due" in result.stderr
