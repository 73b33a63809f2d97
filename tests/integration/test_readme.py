"""Goal: what the README shows is what a reader gets.

Method: the demo is played against a running stack and compared, line by line, with the transcript
in the README; ids, times and the points of a day are masked on both sides. The commands of the
README are taken out of it and run as written.
"""

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.stack import CITIZENS, FIRST_START_SECONDS, ROOT, Stack

README = (ROOT / "README.md").read_text()
TRANSCRIPT = README.partition("```text\n")[2].partition("\n```")[0]
_MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"changes\?from=\d+"), "changes?from=<revision>"),
    (re.compile(r"request_uri:[\w-]{20,}"), "request_uri:<reference>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<day>"),  # of the calendar, from today on
    # What the score says depends on the day: months pass, records grow old.
    (re.compile(r'"(delta_)?points": \d+'), r'"\1points": <n>'),
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


def _run(line: str, stack: Stack) -> str:
    """Run a line of the README in a shell, where its reader would."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace(".local/", f"{stack.directory}/")],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_transcript_is_what_the_demo_prints_again_and_again(stack: Stack) -> None:
    for _ in range(2):
        assert _masked(_run(".venv/bin/creditplus demo", stack)) == _masked(TRANSCRIPT)


# 9: the library has corrected the record, and not yet corrected it back. 30: a bicycle came back
# late, and the rental's receiver listens.
@pytest.mark.parametrize("step", [9, 30])
def test_a_story_cut_short_is_told_from_its_beginning_again(stack: Stack, step: int) -> None:
    with subprocess.Popen(
        [".venv/bin/creditplus", "demo"],
        cwd=ROOT,
        env=stack.environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as story:
        assert story.stdout is not None
        assert any(line.startswith(f"{step:2} ") for line in story.stdout)
        story.kill()
    assert _masked(_run(".venv/bin/creditplus demo", stack)) == _masked(TRANSCRIPT)


def test_the_commands_of_the_readme_run_as_written_one_after_the_other(stack: Stack) -> None:
    text = README.partition("## Commands")[2].partition("## Read on")[0]
    lines = text.partition("```sh\n")[2].partition("```")[0].splitlines()
    commands = [line for line in lines if not line.startswith("#")]
    assert len(commands) > 15
    named = ""  # the newest id that a command printed, for the ID of those after it
    for command in commands:
        assert ".venv/bin/creditplus " in command
        # The stack under test has a small city.
        said = _run(re.sub(r"\bID\b", named, command.replace("5000", str(CITIZENS))), stack)
        found = re.search(r"(?i)(?:submission|report) ([0-9a-f-]{36})", said)
        named = found[1] if found else named


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
