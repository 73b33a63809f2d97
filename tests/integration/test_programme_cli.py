"""Goal: an operator proves a programme's file, reads what its rule means, publishes and ends it.

Method: the commands themselves on a database of the test's own, told by environment variables.
"""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

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


def test_a_dry_run_says_what_the_rule_means_and_changes_nothing(run: Run) -> None:
    result = run("publish", "library.toml", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "Programme library version 1 can be published." in result.stdout
    assert "信用分 (Score) at least 600" in result.stdout
    assert "图书逾期归还 (Library items returned late) at most 2" in result.stdout
    meaning = json.loads(run("publish", "library.toml", "--dry-run", "--json").stdout)
    assert [len(clause) for clause in meaning["rule"]] == [1, 1, 2]
    assert run("list").stdout == "No programme is published yet.\n"


def test_what_was_published_is_in_force_and_publishing_again_changes_nothing(run: Run) -> None:
    assert "version 1 is in force" in run("publish", "library.toml").stdout
    again = json.loads(run("publish", "library.toml", "--json").stdout)
    assert again == {"programme": "library", "version": 2, "outcome": "unchanged"}
    assert "0 of 200000 seats taken" in run("list").stdout
    (listed,) = json.loads(run("list", "--json").stdout)
    assert (listed["programme"], listed["version"], listed["seats_total"]) == ("library", 1, 200000)


def test_a_file_that_can_not_be_proved_is_refused_with_every_fault(
    run: Run, tmp_path: Path
) -> None:
    text = LIBRARY.replace("seats = 200000", "seats = 0").replace("at_least = 600", "at_most = 1")
    (tmp_path / "library.toml").write_text(text)
    for words in (("publish", "library.toml"), ("publish", "library.toml", "--dry-run")):
        result = run(*words)
        assert result.exit_code == 1
        assert "seats:" in result.stderr
        assert "can only be asked at_least" in result.stderr
    assert run("list").stdout == "No programme is published yet.\n"


def test_a_number_that_is_taken_is_refused_by_name(run: Run, tmp_path: Path) -> None:
    assert run("publish", "library.toml").exit_code == 0
    (tmp_path / "library.toml").write_text(LIBRARY.replace("seats = 200000", "seats = 5"))
    result = run("publish", "library.toml")
    assert result.exit_code == 1
    assert "programme_version_taken" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_programme_ends_until_a_higher_version_is_published(run: Run, tmp_path: Path) -> None:
    assert run("publish", "library.toml").exit_code == 0
    for _ in range(2):
        result = run("end", "library")
        assert (result.exit_code, result.stdout) == (0, "Programme library has ended.\n")
    assert "ended" in run("list").stdout
    (tmp_path / "library.toml").write_text(LIBRARY.replace("version = 2", "version = 3"))
    assert run("publish", "library.toml").exit_code == 0
    assert "in force" in run("list").stdout
    unknown = run("end", "casino")
    assert (unknown.exit_code, "not_found" in unknown.stderr) == (1, True)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"code = "])
def test_what_is_no_text_or_no_toml_is_one_clear_message(
    run: Run, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "library.toml").write_bytes(content)
    result = run("publish", "library.toml")
    assert result.exit_code == 1
    assert "library.toml" in result.stderr
    assert "Traceback" not in result.output
