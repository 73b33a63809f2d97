"""Goal: whoever keeps a city's catalogue proves a file, sees every fault, publishes and looks.

Method: the commands themselves on a database of the test's own, told by environment variables.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.__main__ import main
from backend.record import service
from tests.conftest import DIGEST_KEY, KEK, encoded_key

SHIPPED = service.packaged_catalogue()
MODEL = ("model/catalogue.toml", "--sources", "model/sources.toml")
Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an environment that names this test's database, beside the model."""
    monkeypatch.chdir(tmp_path)
    environment = {
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, ("catalogue", *words), env=environment)

    assert call("model", "model").exit_code == 0
    return call


def change(old: str, new: str) -> None:
    """Change something in the model, everywhere it stands."""
    path = Path("model/catalogue.toml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def make_own() -> None:
    """Make the model a city's own."""
    change(f'"{SHIPPED.edition}"', '"river-1"')
    change("《本市", "《江城市")


def test_the_model_is_what_comes_with_the_service_and_is_never_overwritten(run: Run) -> None:
    assert Path("model/catalogue.toml").read_text() == service.packaged_texts()[0]
    assert Path("model/sources.toml").read_text() == service.packaged_texts()[1]
    again = run("model", "model")
    assert (again.exit_code, "is there already" in again.output) == (1, True)


def test_a_check_needs_no_service_and_says_what_is_proved(run: Run) -> None:
    said = run("check", *MODEL)
    assert said.exit_code == 0, said.output
    assert f"Edition {SHIPPED.edition} is proved: 27 classes, 18 sources." in said.stdout
    assert "before the regulation behind it is named: utility_paid" in said.stdout
    alone = json.loads(run("check", "model/catalogue.toml", "--json").stdout)
    assert (alone["classes"], alone["sources"], alone["faults"]) == (27, 0, [])
    assert alone["unreported"] == []


def test_a_check_names_the_classes_nobody_here_may_report(run: Run) -> None:
    Path("none.toml").write_text("")
    told = json.loads(run("check", MODEL[0], "--sources", "none.toml", "--json").stdout)
    assert told["unreported"] == list(SHIPPED.classes)


def test_every_fault_is_said_at_once_and_the_command_fails(run: Run) -> None:
    change("图书按期归还", "宗教活动")
    change("《中华人民共和国行政许可法》第四十条", " ")
    said = run("check", *MODEL)
    assert said.exit_code == 1
    assert "class library_return: deny-listed content (宗教)" in said.output
    assert "class licence_decision: no legal basis" in said.output
    told = run("check", *MODEL, "--json")
    assert told.exit_code == 1
    assert len(json.loads(told.stdout)["faults"]) == 3  # two classes rest on that article
    refused = run("publish", *MODEL, "--by", "王芳")
    assert (refused.exit_code, "deny-listed" in refused.output) == (1, True)


def test_a_city_publishes_its_own_and_sees_it_in_force(run: Run) -> None:
    make_own()
    done = json.loads(run("publish", *MODEL, "--by", " 王芳 ", "--json").stdout)
    assert (done["edition"], done["outcome"]) == ("river-1", "published")
    assert "was published before" in run("publish", *MODEL, "--by", "王芳").stdout
    first, second = json.loads(run("list", "--json").stdout)
    assert (first["edition"], first["published_by"], first["is_in_force"]) == (
        "river-1",
        "王芳",
        True,
    )
    assert (second["edition"], second["is_in_force"]) == (SHIPPED.edition, False)
    assert "river-1 published" in run("list").stdout
    shown = run("show").stdout
    assert "edition river-1" in shown
    assert "court_enforcement 失信被执行人信息 (Judgment left unperformed)" in shown
    assert "from intermediate_court; serious, counts for 24 months at most" in shown
    before = json.loads(run("show", SHIPPED.edition, "--json").stdout)
    assert (before["edition"], before["published_by"]) == (SHIPPED.edition, "release")
    assert before["document"] == service.packaged_texts()[0]


def test_the_model_is_not_published_before_the_city_names_its_regulation(run: Run) -> None:
    """A class without legal basis is refused: somebody else's regulation is none."""
    change(f'"{SHIPPED.edition}"', '"river-1"')
    refused = run("publish", *MODEL, "--by", "王芳")
    assert refused.exit_code == 1
    assert "doesn't name yet: utility_paid, utility_late, rental_performed" in refused.output


def test_another_text_under_the_same_edition_is_refused(run: Run) -> None:
    make_own()
    run("publish", *MODEL, "--by", "王芳")
    change("图书按期归还", "图书归还")
    refused = run("publish", *MODEL, "--by", "王芳")
    assert (refused.exit_code, "catalogue_edition_conflict" in refused.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("publish", *MODEL, "--by", "  "), "the name of a person"),
        (("publish", *MODEL, "--by", "x" * 65), "the name of a person"),
        (("show", "2001-1"), "there is no edition 2001-1"),
        (("check", "latin.toml"), "not a text file in UTF-8"),
    ],
)
def test_what_can_not_be_done_is_one_clear_line(run: Run, words: tuple[str, ...], said: str):
    Path("latin.toml").write_bytes(b"edition = \xff")
    refused = run(*words)
    assert refused.exit_code == 1
    assert said in refused.output
    assert "Traceback" not in refused.output
