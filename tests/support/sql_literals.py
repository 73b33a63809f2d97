"""Finds every statement the code sends to PostgreSQL, by its syntax tree."""

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]

# Verbs of ReadTx and Tx that take (kind, sql, *args) and those that take (sql, …).
FETCHES = {
    "fetch_one",
    "fetch_optional",
    "fetch_all",
    "fetch_value",
    "fetch_optional_value",
}
SCALARS = {"fetch_value", "fetch_optional_value"}
WRITES = {"execute", "execute_many"}


@dataclass(frozen=True)
class Statement:
    """One call: where it stands, its verb, text, kind (None for writes) and argument count."""

    place: str
    verb: str
    sql: str | None  # None: not a plain literal
    kind: object
    argument_count: int | None  # None: not to be seen from here

    def __str__(self) -> str:
        return self.place


def sql_files() -> list[Path]:
    """The files that may hold SQL: stores and the kit."""
    found = [*(ROOT / "backend").glob("*/store.py"), *(ROOT / "backend").glob("*/store/*.py")]
    return sorted([*found, *(ROOT / "backend/kit").glob("*.py")])


def other_files() -> list[Path]:
    """The files that may not."""
    return sorted(set((ROOT / "backend").rglob("*.py")) - set(sql_files()))


def statements(path: Path) -> Iterator[Statement]:
    """Find the calls of Tx and ReadTx in a file."""
    module = _module(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        verb, receiver = node.func.attr, ast.unparse(node.func.value)
        if not receiver.endswith("tx"):  # a Tx is called tx everywhere
            continue
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        if verb in FETCHES:
            kind = _value(module, node.args[0])
            yield Statement(place, verb, _literal(node.args[1]), kind, _count(node.args[2:]))
        elif verb in WRITES:
            count = None if verb == "execute_many" else _count(node.args[1:])
            yield Statement(place, verb, _literal(node.args[0]), None, count)


def _module(path: Path) -> ModuleType:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return importlib.import_module(".".join(part for part in parts if part != "__init__"))


def _value(module: ModuleType, node: ast.expr) -> object:
    return eval(ast.unparse(node), vars(module))


def _literal(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def _count(nodes: list[ast.expr]) -> int | None:
    return None if any(isinstance(node, ast.Starred) for node in nodes) else len(nodes)
