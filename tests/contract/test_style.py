"""Goal: the limits of the house's style hold in every file, so that no review has to ask for them.

Method: the syntax tree of every module in backend/ and tests/ is measured; each limit is also
tried on a small text that breaks it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BACKEND = sorted((ROOT / "backend").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

COLUMNS = 100
FUNCTION_LINES = 70
MODULE_LINES = 400
POSITIONAL_ARGUMENTS = 4
VAGUE_NAMES = {"base", "common", "core", "helper", "helpers", "lib", "manager", "misc", "tools"}
VAGUE_NAMES |= {"shared", "util", "utils"}
# Called by name, by the framework: how many there are is the operation's business.
CALLED_BY_NAME = {"get", "post", "put", "delete", "patch", "command", "group", "route", "handler"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _decorators(function: Function) -> set[str]:
    found = set()
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        found.add(target.attr if isinstance(target, ast.Attribute) else ast.unparse(target))
    return found


def long_lines(text: str) -> list[str]:
    """Lines wider than the limit."""
    lines = enumerate(text.splitlines(), start=1)
    return [f"line {n}: {len(line)} columns" for n, line in lines if len(line) > COLUMNS]


def long_functions(text: str) -> list[str]:
    """Functions longer than the limit, decorators and docstring included."""
    found = []
    for function in _functions(ast.parse(text)):
        first = min([function.lineno, *(each.lineno for each in function.decorator_list)])
        lines = (function.end_lineno or first) - first + 1
        if lines > FUNCTION_LINES:
            found.append(f"{function.name}: {lines} lines")
    return found


def wide_functions(text: str) -> list[str]:
    """Functions that take more positional arguments than anybody can keep in order."""
    found = []
    for function in _functions(ast.parse(text)):
        names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
        count = len(names) - (names[:1] in (["self"], ["cls"]))
        if count > POSITIONAL_ARGUMENTS and not _decorators(function) & CALLED_BY_NAME:
            found.append(f"{function.name}: {count} positional arguments")
    return found


def silenced_without_reason(text: str) -> list[str]:
    """Places where a tool is silenced and nobody says why."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for match in re.finditer(r"#\s*(noqa|type: ignore|nosec|pragma: no cover)(.*)", line):
            if not re.fullmatch(r"(: ?[A-Z0-9, ]+|\[[a-z0-9, -]+\]) - \S.*", match[2].rstrip()):
                found.append(f"line {number}: {match[0]}")
    return found


LIMITS = [long_lines, long_functions, wide_functions, silenced_without_reason]


@pytest.mark.parametrize("limit", LIMITS)
def test_every_module_keeps_the_limit(limit: object) -> None:
    assert callable(limit)
    here = Path(__file__)
    # A test's arguments are fixtures and cases, handed over by name.
    paths = BACKEND if limit is wide_functions else BACKEND + TESTS
    faults = {
        str(path.relative_to(ROOT)): found
        for path in paths
        if path != here and (found := limit(path.read_text()))
    }
    assert faults == {}


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (long_lines, f"x = '{'y' * 100}'"),
        (long_functions, "def f():\n" + "    pass\n" * 70),
        (wide_functions, "def f(a, b, c, d, e): ..."),
        (wide_functions, "class C:\n    def f(self, a, b, c, d, e): ..."),
        (silenced_without_reason, "x = 1  # noqa: E501"),
        (silenced_without_reason, "x = 1  # type: ignore"),
        (silenced_without_reason, "x = 1  # type: ignore[arg-type]"),
    ],
)
def test_the_limit_finds_what_breaks_it(limit: object, text: str) -> None:
    assert callable(limit)
    assert limit(text)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (long_lines, "x" * 100),
        (long_functions, "def f():\n" + "    pass\n" * 69),
        (wide_functions, "class C:\n    def f(self, a, b, c, d, *, e): ..."),
        (wide_functions, "@get('/')\nasync def f(a, b, c, d, e): ..."),
        (silenced_without_reason, "x = 1  # noqa: S603 - our own binary"),
        (silenced_without_reason, "x = 1  # type: ignore[arg-type] - the stub is wrong"),
    ],
)
def test_the_limit_lets_pass_what_keeps_it(limit: object, text: str) -> None:
    assert callable(limit)
    assert limit(text) == []


def test_no_module_is_longer_than_anybody_reads() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in BACKEND}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {path.stem for path in BACKEND + TESTS} | {path.parent.name for path in BACKEND}
    assert named & VAGUE_NAMES == set()


def test_every_test_file_opens_with_its_goal_and_method() -> None:
    bare = []
    for path in TESTS:
        if path.name.startswith("test_"):
            opening = ast.get_docstring(ast.parse(path.read_text())) or ""
            if "Goal:" not in opening or "Method:" not in opening:
                bare.append(str(path.relative_to(ROOT)))
    assert bare == []


def test_no_test_is_skipped_without_a_condition() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in TESTS
        if path != Path(__file__)
        for line in path.read_text().splitlines()
        if re.search(r"mark\.(skip\b|xfail)", line)
    ]
    assert found == []


def test_no_property_test_keeps_its_number_of_examples_from_the_profile() -> None:
    """`tests.support.examples` says a number that HYPOTHESIS_PROFILE=thorough may overrule."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in TESTS
        if path.parent.name == "property"
        for line in path.read_text().splitlines()
        if "max_examples" in line
    ]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in BACKEND + TESTS
        if path != Path(__file__)
        for line in path.read_text().splitlines()
        if words.search(line)
    ]
    assert found == []


def test_scripts_are_short_and_have_no_extension() -> None:
    for path in (ROOT / "scripts").iterdir():
        assert path.suffix == "", path.name
        assert len(path.read_text().splitlines()) <= 20, path.name
        assert path.stat().st_mode & 0o111, f"{path.name} can't be run"
