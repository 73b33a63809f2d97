"""Goal: nothing personal gets into a log by the words of an event or by a key that may be used.

Method: read every log call in the code: the event is a fixed word, the keys are named and on the
list, and no key is given somebody's words. `backend/kit/log.py` drops other keys, but it can't
know what an event's text was put together from. Each rule is tried on a call that breaks it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.kit.log import ALLOWED_KEYS

BACKEND = Path(__file__).resolve().parents[2] / "backend"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "bind"}
# What a person typed or holds has these names wherever it is in the code.
PERSONAL = {
    *("phone", "national_id", "token", "body", "form", "text", "message", "subject_id"),
    *("address", "device", "cookie", "value", "row", "line", "pending", "secret", "args"),
}


def log_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if node.func.attr in LEVELS and re.fullmatch(r"(self\._?|_)?log(ger)?", owner):
                yield node


def faults_of(call: ast.Call) -> list[str]:
    faults = []
    events = [each.value for each in call.args if isinstance(each, ast.Constant)]
    if len(events) != len(call.args) or len(events) > 1:
        faults.append("the event is one fixed word")
    if any(not re.fullmatch(r"[a-z][a-z_]{2,40}", str(event)) for event in events):
        faults.append("the event is a word in snake_case")
    for keyword in call.keywords:
        if keyword.arg is None:
            faults.append("keys are named one by one")
        elif keyword.arg not in ALLOWED_KEYS | {"exc_info"}:
            faults.append(f"{keyword.arg} is not on the list")
        used = {node.id for node in ast.walk(keyword.value) if isinstance(node, ast.Name)}
        used |= {node.attr for node in ast.walk(keyword.value) if isinstance(node, ast.Attribute)}
        faults += [f"{keyword.arg} is given {word}" for word in sorted(used & PERSONAL)]
    return faults


def test_log_calls_are_found() -> None:
    found = [
        call for path in BACKEND.rglob("*.py") for call in log_calls(ast.parse(path.read_text()))
    ]
    assert len(found) > 12


@pytest.mark.parametrize("path", sorted(BACKEND.rglob("*.py")), ids=lambda path: path.name)
def test_a_log_call_says_a_fixed_word_and_ids(path: Path) -> None:
    calls = log_calls(ast.parse(path.read_text()))
    assert {call.lineno: faults_of(call) for call in calls if faults_of(call)} == {}


@pytest.mark.parametrize(
    "call",
    [
        'log.info(f"sent to {phone}")',
        'log.info("sent to " + phone)',
        'log.info("sent to %s", phone)',
        'log.info("Sent to +8613800000000")',
        "log.info(text)",
        'log.info("sent", phone=phone)',
        'log.info("sent", code=form.phone)',
        'log.warning("sent", operation=str(token))',
        'log.error("sent", **facts)',
        'self._log.info("sent", route=address)',
    ],
)
def test_a_call_that_could_tell_is_found(call: str) -> None:
    (found,) = log_calls(ast.parse(call))
    assert faults_of(found)


def test_only_commands_and_the_demos_sender_write_to_the_terminal() -> None:
    """What is printed passes no list of keys."""
    printing = {
        str(path.relative_to(BACKEND))
        for path in BACKEND.rglob("*.py")
        if re.search(r"\bprint\((?!\?:)|sys\.std(out|err)\.write|click\.echo", path.read_text())
    }
    assert {name for name in printing if not name.startswith("cli/")} == {"citizen/ports.py"}
