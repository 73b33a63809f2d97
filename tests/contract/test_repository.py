"""Goal: what stands beside the code says what the code says: locks, compose.yaml, the table of
commands, the committed facts.

Method: each file is read as its reader would read it (YAML, settings, click) and compared with the
code; no container engine is needed.
"""

import difflib
import re
import shutil
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from backend.__main__ import COMMANDS, main
from backend.settings import PREFIX, VARIABLES, load_settings
from tests.support.facts import FACTS

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock"]
TOP = {"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
TOP |= {"backend", "compose.yaml", "docs", "migrations", "openapi", "pyproject.toml"}
TOP |= {"requirements-dev.lock", "requirements.lock", "scripts", "tests"}


def _tracked() -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.split("\0") if name]


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    pinned = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==\S+.*\\$", text, re.MULTILINE)
    assert len(pinned) > 30
    for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": project["dependencies"] + project["optional-dependencies"]["dev"],
    }
    for name, requirements in wanted.items():
        locked = set(re.findall(r"^([a-z0-9._-]+)(?=[\[=])", (ROOT / name).read_text(), re.M))
        for requirement in requirements:
            package = re.split(r"[\[<>=!~ ]", requirement)[0].lower()
            assert package in locked, f"{package} is not in {name}"


def test_the_developers_lock_agrees_with_the_other() -> None:
    pins = [
        set(re.findall(r"^([a-z0-9._\[\],-]+==\S+)", (ROOT / name).read_text(), re.M))
        for name in LOCKS
    ]
    assert pins[0] - pins[1] == set()


def test_nothing_else_stands_at_the_top() -> None:
    visible = {name.split("/")[0] for name in _tracked() if not name.startswith(".")}
    assert visible == TOP


@pytest.mark.parametrize("name", [name for name in FACTS if not name.startswith("migrations/")])
def test_the_committed_fact_is_what_the_code_says(name: str) -> None:
    # migrations/schema.sql is compared in test_schema.py, on the session's database.
    committed, made = (ROOT / name).read_text(), FACTS[name]()
    if committed != made:
        diff = list(difflib.unified_diff(committed.splitlines(), made.splitlines(), lineterm=""))
        shown = "\n".join(diff[:60])
        pytest.fail(f"{name}: run scripts/openapi and read the diff\n{shown}", pytrace=False)


def test_every_route_says_who_may_call_it() -> None:
    lines = FACTS["openapi/routes-by-guard.txt"]().splitlines()
    assert len(lines) > 30
    assert [line for line in lines if "NOBODY SAID" in line] == []


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").iterdir()), ids=lambda path: path.name)
def test_a_script_can_be_read_by_bash_and_stops_at_the_first_fault(path: Path) -> None:
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[1].startswith("# "), "the second line says what it is for"
    assert any(line.startswith("set -") and "u" in line for line in lines)


def test_what_a_linked_environment_leads_to_is_left_alone(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    (place / "scripts").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    for name in (*LOCKS, "pyproject.toml"):
        (place / name).write_text("")
    shutil.copy(ROOT / "scripts/venv", place / "scripts/venv")
    (place / ".venv").symlink_to(elsewhere)
    made = subprocess.run(
        ["bash", "scripts/venv"], cwd=place, capture_output=True, text=True, check=False
    )
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]
    assert made.returncode == 1
    assert ".venv is a link" in made.stderr


def test_every_command_is_on_the_table_and_explains_itself() -> None:
    found = {}
    for path in (ROOT / "backend/cli").glob("[a-z]*.py"):
        module = import_module(f"backend.cli.{path.stem}")
        for name, value in vars(module).items():
            if isinstance(value, click.Command) and value.callback is not None:
                parents = [
                    other
                    for other in vars(module).values()
                    if isinstance(other, click.Group) and value in other.commands.values()
                ]
                if value.callback.__module__ == module.__name__ and not parents:
                    found[name.replace("_", "-")] = path.stem
    assert found == COMMANDS
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", result.output, re.M), f"{name} has no help"


def _documents() -> list[Path]:
    return [ROOT / name for name in _tracked() if name.endswith((".md", ".yaml"))]


def test_documents_name_scripts_and_commands_that_exist() -> None:
    wrong = []
    for path in _documents():
        text = path.read_text()
        for name in re.findall(r"(?<![\w/])(?:\./)?scripts/([a-z]+)\b", text):
            if not (ROOT / "scripts" / name).exists():
                wrong.append(f"{path.name}: scripts/{name}")
        for words in re.findall(r"`(?:\.venv/bin/)?creditplus ([a-z][a-z -]*)", text):
            first, *rest = words.split()
            command: click.Command | None = main.get_command(click.Context(main), first)
            if isinstance(command, click.Group) and rest:
                command = command.commands.get(rest[0])
            if command is None:
                wrong.append(f"{path.name}: creditplus {words}")
    assert wrong == []


def test_a_command_nobody_knows_is_refused() -> None:
    result = CliRunner().invoke(main, ["no-such-command"])
    assert result.exit_code == 2
    assert "No such command" in result.output


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["migrate", "api", "worker"]


def _filled_in(text: str, environ: dict[str, str]) -> str:
    """Fill ${NAME}, ${NAME:-default} and ${NAME:?why} in as compose does."""

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[3]
        if name in environ:
            return environ[name]
        assert match[2] == ":-", f"{name} has no value and no default"
        return default

    return re.sub(r"\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}", value, text)


def test_compose_names_only_variables_the_settings_know() -> None:
    known = {PREFIX + each.name for each in VARIABLES}
    known |= {f"{name}_FILE" for name in known}
    text = (ROOT / "compose.yaml").read_text()
    assert set(re.findall(r"\bCREDIT_[A-Z_]+", text)) <= known
    others = set(re.findall(r"\$\{([A-Z_]+)", text)) - known
    assert others == {"POSTGRES_PASSWORD", "POSTGRES_API_PASSWORD"}


@pytest.mark.parametrize("service", OURS)
def test_compose_gives_settings_that_can_be_used(service: str, tmp_path: Path) -> None:
    given = {"POSTGRES_PASSWORD": "secret", "POSTGRES_API_PASSWORD": "other"}
    environ = {
        name: _filled_in(value, given) for name, value in SERVICES[service]["environment"].items()
    }
    for name in ("kek", "digest_key"):  # what the container sees at /run/secrets
        assert environ[f"CREDIT_{name.upper()}_FILE"] == f"/run/secrets/{name}"
        assert name in SERVICES[service]["secrets"]
        assert name in COMPOSE["secrets"]
        (tmp_path / name).write_text("A" * 43 + "=")
        environ[f"CREDIT_{name.upper()}_FILE"] = str(tmp_path / name)
    settings = load_settings(environ)
    assert settings.host == "0.0.0.0"
    assert settings.kek is not None


def test_compose_lets_only_the_migration_log_in_as_the_owner() -> None:
    logins = {}
    for name in OURS:
        url = SERVICES[name]["environment"]["CREDIT_DATABASE_URL"]
        logins[name] = url.removeprefix("postgresql://").partition(":")[0]
    api = "creditplus_api"
    assert logins == {"migrate": "creditplus", "api": api, "worker": api}
    roles = COMPOSE["configs"]["roles"]["content"]
    assert "CREATE ROLE creditplus_app NOLOGIN;" in roles
    assert re.search(r"CREATE ROLE creditplus_api LOGIN .*\n *IN ROLE creditplus_app;", roles)
    assert SERVICES["postgres"]["configs"][0]["target"].startswith("/docker-entrypoint-initdb.d/")


def test_compose_waits_for_the_schema_and_for_healthy_servers() -> None:
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["valkey"]["image"].startswith("valkey/valkey:9")
    for name in ("api", "worker"):
        conditions = {
            other: each["condition"] for other, each in SERVICES[name]["depends_on"].items()
        }
        assert conditions == {
            "postgres": "service_healthy",
            "valkey": "service_healthy",
            "migrate": "service_completed_successfully",
        }
    assert SERVICES["migrate"]["restart"] == "no"
    assert set(SERVICES) - {name for name in SERVICES if "healthcheck" in SERVICES[name]} == {
        "migrate"
    }


@pytest.mark.parametrize("service", OURS)
def test_compose_runs_commands_that_exist_from_one_image(service: str) -> None:
    command = SERVICES[service]["command"]
    assert command[0] in COMMANDS
    assert CliRunner().invoke(main, [*command, "--help"]).exit_code == 0
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert SERVICES[service]["image"] == f"creditplus:{version}"
    for line in SERVICES[service]["build"]["dockerfile_inline"].splitlines():
        if line.startswith("COPY"):
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), line


def test_compose_checks_health_with_a_command_that_exists() -> None:
    test = SERVICES["worker"]["healthcheck"]["test"]
    assert test[:2] == ["CMD", "creditplus"]
    assert CliRunner().invoke(main, [*test[2:], "--help"]).exit_code == 0
