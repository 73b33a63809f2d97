"""Goal: two people bring a programme live from the shell, see what it means, pause and end it.

Method: the commands themselves on a database of the test's own, told by environment variables.
"""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend.__main__ import main
from tests.conftest import DIGEST_KEY, KEK, encoded_key

LIBRARY = (files("backend.programme") / "data/library.toml").read_text("utf-8")
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
    (tmp_path / "library.toml").write_text(LIBRARY)

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, ("programme", *words), env=environment)

    return call


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def told(result: Result) -> Any:
    return json.loads(done(result))


def bring_live(run: Run, version: int = 2) -> str:
    """Draft, submit, look and approve, by two people; return the id of the dry run."""
    number = f"{version}"
    done(run("draft", "library.toml", "--by", "安", "--reason", "新项目"))
    done(run("submit", "library", number, "--by", "安"))
    look = told(run("dry-run", "library", number, "--by", "本", "--json"))
    approved = run("approve", "library", number, "--dry-run", look["dry_run_id"], "--by", "本")
    assert f"version {number} is live" in done(approved)
    return str(look["dry_run_id"])


def test_a_draft_says_what_the_rule_means_and_is_not_live(run: Run) -> None:
    shown = done(run("draft", "library.toml", "--by", "安"))
    assert "Programme library version 2 proves right." in shown
    assert "信用分 (Score) at least 600" in shown
    assert "图书逾期归还 (Library items returned late) at most 2" in shown
    meaning = told(run("draft", "library.toml", "--by", "安", "--json"))
    assert [len(clause) for clause in meaning["rule"]] == [1, 1, 2]
    listed = done(run("list"))
    assert "No programme is live yet." in listed
    assert "version 2, draft: drafted by cli:安" in listed


def test_two_people_bring_a_version_live_and_the_dry_run_can_be_verified(run: Run) -> None:
    dry_run_id = bring_live(run)
    assert "version 2, live: 0 of 200000 seats taken" in done(run("list"))
    facts = told(run("list", "--json"))
    assert [(each["programme"], each["version"]) for each in facts["programmes"]] == [
        ("library", 2)
    ]
    shown = done(run("verify", dry_run_id))
    assert "It is what the service signed." in shown
    assert "sound  baseline_or_better" in shown
    verified = told(run("verify", dry_run_id, "--json"))
    assert (verified["is_authentic"], verified["key"]["crv"]) == (True, "Ed25519")
    version = told(run("show", "library", "2", "--json"))
    assert (version["drafted_by"], version["decided_by"]) == ("cli:安", "cli:本")
    assert [each["dry_run_id"] for each in version["dry_runs"]] == [dry_run_id]


def test_who_drafted_it_does_not_approve_it(run: Run) -> None:
    done(run("draft", "library.toml", "--by", "安"))
    done(run("submit", "library", "2", "--by", "安"))
    look = told(run("dry-run", "library", "2", "--by", "安", "--json"))
    result = run("approve", "library", "2", "--dry-run", look["dry_run_id"], "--by", "安")
    assert result.exit_code == 1
    assert "programme_self_decision" in result.stderr
    assert "is rejected" in done(run("reject", "library", "2", "--by", "本", "--reason", "太贵"))


def test_a_file_that_can_not_be_proved_is_refused_with_every_fault(
    run: Run, tmp_path: Path
) -> None:
    text = LIBRARY.replace("seats = 200000", "seats = 0").replace("at_least = 600", "at_most = 1")
    (tmp_path / "library.toml").write_text(text)
    result = run("draft", "library.toml")
    assert result.exit_code == 1
    assert "seats:" in result.stderr
    assert "can only be asked at_least" in result.stderr
    assert "drafted by" not in done(run("list"))


def test_a_number_that_is_taken_is_refused_by_name(run: Run, tmp_path: Path) -> None:
    bring_live(run)
    (tmp_path / "library.toml").write_text(LIBRARY.replace("seats = 200000", "seats = 5"))
    result = run("draft", "library.toml")
    assert result.exit_code == 1
    assert "programme_version_taken" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_programme_is_paused_and_ends_until_a_higher_version_is_approved(
    run: Run, tmp_path: Path
) -> None:
    bring_live(run)
    assert done(run("pause", "library")) == "Programme library is paused.\n"
    assert "version 2, paused" in done(run("list"))
    assert done(run("resume", "library")) == "Programme library runs again.\n"
    for _ in range(2):
        assert done(run("end", "library")) == "Programme library has ended.\n"
    assert "version 2, ended" in done(run("list"))
    (tmp_path / "library.toml").write_text(LIBRARY.replace("version = 2", "version = 3"))
    bring_live(run, 3)
    assert "version 3, live" in done(run("list"))
    unknown = run("end", "casino")
    assert (unknown.exit_code, "programme_unknown" in unknown.stderr) == (1, True)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"code = "])
def test_what_is_no_text_or_no_toml_is_one_clear_message(
    run: Run, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "library.toml").write_bytes(content)
    result = run("draft", "library.toml")
    assert result.exit_code == 1
    assert "library.toml" in result.stderr
    assert "Traceback" not in result.output
