"""Goal: whoever is refused can read what it means: every code raised is in the one table, every
code in the table is raised or answered somewhere, and all of them are in the documentation.

Method: codes are found by the syntax tree wherever a string of the table's form can become one.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from backend.kit.office_problem import OFFICE_PROBLEMS
from backend.kit.partner_problem import PARTNER_PROBLEMS
from backend.kit.problem import PROBLEMS

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "backend").rglob("*.py"))
WORDS = ROOT / "backend/web/error_words.py"
TABLE = ROOT / "backend/kit/problem.py"
OFFICE_TABLE = ROOT / "backend/kit/office_problem.py"


def _calls(text: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2], node


def _strings(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        each.value
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def _raised(text: str) -> set[str]:
    """Codes written into Refusal(…) and problem_response(request, …)."""
    found = set()
    for name, call in _calls(text):
        if name == "Refusal":
            found |= _strings(call.args[:1])
        elif name == "problem_response":
            found |= _strings(call.args[1:2])
    return found


def _declared(text: str) -> set[str]:
    """Codes an operation says it may answer with."""
    calls = [call for name, call in _calls(text) if name == "problems"]
    return {code for call in calls for code in _strings(call.args)}


def test_every_code_raised_is_in_the_table() -> None:
    raised = {code for path in FILES for code in _raised(path.read_text())}
    assert raised - PROBLEMS.keys() == set()


def test_every_code_declared_is_in_the_table() -> None:
    declared = {code for path in FILES for code in _declared(path.read_text())}
    assert declared - PROBLEMS.keys() == set()


def test_every_code_of_the_table_is_raised_or_answered_somewhere() -> None:
    # A code may travel through a variable, so any string of the code counts, but not where it is
    # only declared or put into words.
    used = _raised(TABLE.read_text()) | {"unavailable"}
    for path in set(FILES) - {TABLE, OFFICE_TABLE, WORDS}:
        text = path.read_text()
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "problems":
                node.args = []
        used |= _strings([tree])
    assert PROBLEMS.keys() - used == set()


def test_codes_are_words_and_say_something_in_both_languages() -> None:
    for code, problem in PROBLEMS.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code), code
        assert 400 <= problem.status < 600, code
        assert re.fullmatch(r".+[^.]", problem.title), code
        assert problem.detail.endswith("."), code
        assert re.search(r"[\u4e00-\u9fff]", problem.title_zh), code


def test_each_part_of_the_table_is_in_order_and_no_code_is_in_two() -> None:
    codes = list(PROBLEMS)
    assert list(OFFICE_PROBLEMS) == sorted(OFFICE_PROBLEMS)
    assert list(PARTNER_PROBLEMS) == sorted(PARTNER_PROBLEMS)
    others = codes[len(OFFICE_PROBLEMS) + len(PARTNER_PROBLEMS) :]
    assert others == sorted(others)
    assert not OFFICE_PROBLEMS.keys() & PARTNER_PROBLEMS.keys()
    tree = ast.parse(TABLE.read_text())
    written = {code for node in ast.walk(tree) if isinstance(node, ast.Dict) for code in node.keys}
    assert _strings(each for each in written if each) == set(others)


def test_over_http_only_sources_and_operators_are_told_a_code_of_the_office() -> None:
    description = json.loads((ROOT / "openapi/creditplus.v1.json").read_text())
    told = {
        code: operation["operationId"]
        for path in description["paths"].values()
        for operation in path.values()
        if not {"operator", "source"} & set(operation["tags"])
        for response in operation["responses"].values()
        for code in re.findall(r"`(\w+)`", response["description"])
    }
    assert len(told) > 30
    assert {code: told[code] for code in OFFICE_PROBLEMS.keys() & told.keys()} == {}


def test_a_code_that_nobody_documented_is_found() -> None:
    text = "def f():\n    raise Refusal('never_heard_of' if x else 'not_known_either', fact=1)\n"
    assert _raised(text) == {"never_heard_of", "not_known_either"}
