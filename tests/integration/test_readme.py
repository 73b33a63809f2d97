"""Goal: what the README shows is what a reader gets.

Method: the demo is played against a running stack and compared, line by line, with the transcript
in the README; ids, times and the points of a day are masked on both sides. The commands of the
README are taken out of it and run as written.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.stack import FIRST_START_SECONDS, ROOT, Stack

README = (ROOT / "README.md").read_text()
_MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"request_uri:[\w-]{20,}"), "request_uri:<reference>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    # What the score says depends on the day: months pass, records grow old.
    (re.compile(r'"points": \d+'), '"points": <n>'),
    (re.compile(r"^ +[+-]?\d+  (.*)$", re.MULTILINE), r"      <n>  \1"),
    (re.compile(r"(?<=<n>  ).*[满缴愿还].*"), "<reason>"),
)


def _masked(text: str) -> list[str]:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack of this module's own."""
    stack = Stack(tmp_path_factory.mktemp("readme") / "local")
    try:
        stack.wait_until_ready(FIRST_START_SECONDS)
        yield stack
    finally:
        stack.end()


def _run(command: str, stack: Stack) -> str:
    words = [word.replace(".local", str(stack.directory)) for word in shlex.split(command)]
    words[0] = str(ROOT / words[0])
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_transcript_is_what_the_demo_prints_again_and_again(stack: Stack) -> None:
    shown = README.partition("```text\n")[2].partition("\n```")[0]
    for _ in range(2):
        assert _masked(_run(".venv/bin/creditplus demo", stack)) == _masked(shown)


def _commands() -> list[str]:
    text = README.partition("## Commands")[2].partition("## Read on")[0]
    return [line for line in text.splitlines() if line.startswith(".venv/bin/creditplus")]


@pytest.mark.parametrize("command", _commands())
def test_a_command_of_the_readme_runs_as_written(command: str, stack: Stack) -> None:
    if "seed --citizens" in command:
        command = command.replace("5000", "40")  # the stack under test has a small city
    _run(command, stack)


def test_every_file_the_readme_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)[)#]", README)
    assert len(links) > 8
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_script_is_named_and_short() -> None:
    for script in sorted((ROOT / "scripts").iterdir()):
        assert script.suffix == ""
        assert len(script.read_text().splitlines()) <= 20, script.name
    for path in re.findall(r"\./scripts/\w+", README):
        assert (ROOT / path).exists(), path
