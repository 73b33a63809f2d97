"""Goal: the first operator comes in by the command line and signs in with what it printed; whatever
is done at the shell stands in the same entries as what operators do.

Method: the commands themselves on a database of the test's own, then the application on the same.
"""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from backend.__main__ import main
from backend.operator.rules import totp_code, totp_step
from backend.operator.service.password import is_password
from tests.conftest import DIGEST_KEY, KEK, encoded_key
from tests.support.operator import PASSWORD, secret_of

Run = Callable[..., Result]
Ask = Callable[..., list[Any]]
ADD = ("operator", "add", "chen.jing", "--name-zh", "陈静", "--name-en", "Chen Jing")
WHO = ("--by", "王敏", "--reason", "首位操作员")


@pytest.fixture
def run(database_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
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
def ask(database_url: str) -> Ask:
    """Run a statement as the owner of the database and return its rows."""

    async def fetch(sql: str) -> list[Any]:
        connection = await asyncpg.connect(database_url)
        try:
            rows: list[Any] = await connection.fetch(sql)
            return rows
        finally:
            await connection.close()

    return lambda sql: asyncio.run(fetch(sql))


def test_the_first_operator_is_asked_a_password_twice_and_shown_a_factor(
    run: Run, ask: Ask
) -> None:
    done = run(*ADD, "--role", "security", *WHO, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    found = re.search(r"otpauth://\S+", done.output)
    assert found is not None
    secret = secret_of(found.group())
    assert len(totp_code(secret, totp_step(datetime.now(UTC)))) == 6
    [row] = ask("SELECT * FROM operator")
    assert (row["login"], row["roles"], row["created_by"]) == (
        "chen.jing",
        ["security"],
        "cli:王敏",
    )
    assert is_password(row["password_hash"], PASSWORD)
    assert secret not in row["totp_sealed"]
    entries = ask("SELECT * FROM operator_entry ORDER BY at, action")
    assert [(each["action"], each["login"]) for each in entries] == [
        ("operator.added", "cli:王敏"),
        ("operator.set_up", "chen.jing"),
    ]
    assert entries[0]["reason"] == "首位操作员"
    assert entries[0]["operator_id"] is None


def test_what_is_wrong_is_one_line_and_adds_nobody(run: Run, ask: Ask, tmp_path: Any) -> None:
    weak = tmp_path / "weak"
    weak.write_text("short\n")
    good = tmp_path / "good"
    good.write_text(f"{PASSWORD}\n")
    cases = [
        ("--role", "security", "--password-file", str(weak)),
        ("--role", "security", "--role", "data", "--password-file", str(good)),
        ("--role", "security", "--password-file", str(good), "--by", "两\n行"),
        ("--role", "security", "--password-file", str(good), "--reason", " "),
    ]
    for words in cases:
        done = run(*ADD, *words)
        assert done.exit_code == 1, done.output
        assert done.output.startswith("creditplus: ")
        assert "Traceback" not in done.output
    assert run(*ADD, "--role", "root").exit_code == 2
    assert ask("SELECT * FROM operator") == []
    assert ask("SELECT * FROM operator_entry") == []


def test_an_operator_is_listed_suspended_let_in_and_reset(run: Run, ask: Ask) -> None:
    added = run(*ADD, "--role", "data", "--set-up-code", "--json", *WHO)
    assert json.loads(added.output)["set_up_code"].startswith("cp_os_")

    def state() -> str:
        [listed] = json.loads(run("operator", "list", "--json").output)["operators"]
        assert listed["roles"] == ["data"]
        found: str = listed["state"]
        return found

    assert state() == "not set up"
    done = run("operator", "reset", "chen.jing", *WHO, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert "otpauth://" in done.output
    assert state() == "ready"
    assert run("operator", "suspend", "chen.jing", *WHO).exit_code == 0
    assert state() == "suspended"
    assert run("operator", "resume", "chen.jing", *WHO).exit_code == 0
    assert state() == "ready"
    assert "陈静" in run("operator", "list").output
    refused = run("operator", "suspend", "nobody", *WHO)
    assert "operator_unknown" in refused.output
    words = [each["action"] for each in ask("SELECT action FROM operator_entry ORDER BY at")]
    assert words == [
        "operator.added",
        "operator.reset",
        "operator.set_up",
        "operator.suspended",
        "operator.resumed",
    ]


def test_partners_and_clients_are_suspended_at_the_shell(run: Run, ask: Ask, tmp_path: Any) -> None:
    names = ("--name-zh", "市图书馆", "--name-en", "City Library")
    assert run("partner", "add", "city-library", *names).exit_code == 0
    assert run("partner", "suspend", "city-library", *WHO).exit_code == 0
    [row] = ask("SELECT suspended_at FROM partner")
    assert row["suspended_at"] is not None
    assert run("partner", "resume", "city-library", *WHO).exit_code == 0
    [row] = ask("SELECT suspended_at FROM partner")
    assert row["suspended_at"] is None
    assert "client_unknown" in run("client", "suspend", "nobody").output
    assert "partner_unknown" in run("partner", "resume", "nobody").output
    entries = ask("SELECT action, object FROM operator_entry ORDER BY at")
    assert [(each["action"], each["object"]) for each in entries] == [
        ("partner.suspended", "partner:city-library"),
        ("partner.resumed", "partner:city-library"),
    ]


def test_what_other_commands_do_is_written_down_too(run: Run, ask: Ask) -> None:
    """A look at a person's records, by whom and why; a command that fails leaves nothing."""
    subject = "00000000-0000-8000-8000-000000000009"
    who = ("--by", "王敏", "--reason", "异议 2026-113")
    assert run("record", "find", "--subject", subject, *who).exit_code == 0
    refused = run("record", "dispute", subject, "--subject", subject, *who)
    assert refused.exit_code == 1
    assert run("scorecard", "approve", "none", "--report", subject, "--by", "王敏").exit_code == 1
    entries = ask("SELECT action, object, login, reason FROM operator_entry ORDER BY at")
    assert {tuple(each) for each in entries} == {
        ("record.looked_at", f"subject:{subject}", "cli:王敏", "异议 2026-113")
    }
