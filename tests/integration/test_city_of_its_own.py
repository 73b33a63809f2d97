"""Goal: a city writes its own catalogue, sources and scorecard by the document, as it is written.

Method: the commands of docs/a-city-of-its-own.md are taken out of it and run in their order on a
stack of its own, each block by a shell; then the service is asked what is in force.
"""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.stack import FIRST_START_SECONDS, ROOT, Stack

GUIDE = (ROOT / "docs/a-city-of-its-own.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack of this module's own."""
    stack = Stack(tmp_path_factory.mktemp("river") / "local")
    try:
        stack.wait_until_ready(FIRST_START_SECONDS)
        yield stack
    finally:
        stack.end()


def run(block: str, stack: Stack) -> str:
    """Run a block as a reader would paste it, with the stack's directory for .local."""
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", block.replace(".local/", f"{stack.directory}/")],
        cwd=ROOT,
        env=stack.environment | {"LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout


def catalogue_of(stack: Stack) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/v1/catalogue") as answer:
        told: dict[str, object] = json.load(answer)
    return told


def classes_from(told: dict[str, object], source: str) -> list[str]:
    """Return which classes a source may report."""
    classes = told["classes"]
    assert isinstance(classes, list)
    return [
        each["code"] for each in classes if source in {it["code"] for it in each["reported_by"]}
    ]


def test_an_afternoon_gives_a_city_its_own_catalogue_sources_and_scorecard(stack: Stack) -> None:
    assert len(BLOCKS) == 9
    before = catalogue_of(stack)
    said = [run(block, stack) for block in BLOCKS]
    assert before["edition"] != "river-2026-1"
    told = catalogue_of(stack)
    assert (told["edition"], told["name_zh"]) == ("river-2026-1", "江城市公共信用信息目录")
    assert classes_from(told, "civil_affairs_bureau") == ["time_bank_hours"]
    assert "发布前填写" not in json.dumps(told, ensure_ascii=False), "no class waits for a law"
    assert "Edition river-2026-1 is in force" in said[5]
    assert "1 lines in, 0 kept aside" in said[6]
    assert "river-2026-1: in_force" in said[8]


def test_every_file_the_guide_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)[)#]", GUIDE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
