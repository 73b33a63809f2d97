"""Goal: no statement can fail in production for its text: a column that is not there, a missing
grant, a field nobody selects, an argument too few, a type that is not what the struct says.

Method: every SQL literal is found by the syntax tree, prepared on the migrated database, explained
as the application's role (which checks the grants), and its columns are compared with the fields
of the struct it fills.
"""

import ast
import datetime
import re
import types
import typing
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from backend.kit.postgres import APPLICATION_ROLE
from backend.score.rules.compile import Subjects, compile_evaluation, compile_recompute
from backend.score.service import packaged_scorecard
from backend.score.store.bulk import EvaluatedScore, Recomputed
from tests.support import sql_literals
from tests.support.sql_literals import Statement, other_files, sql_files, statements

ROOT = Path(__file__).parents[2]

STATEMENTS = [each for path in sql_files() for each in statements(path)]

# Type names of PostgreSQL -> what a value arrives as (kit/postgres.py).
PYTHON_TYPES: dict[str, tuple[Any, ...]] = {
    "bool": (bool,),
    "bytea": (bytes,),
    "date": (datetime.date,),
    "float8": (float,),
    "int2": (int,),
    "int4": (int,),
    "int8": (int,),
    "interval": (datetime.timedelta,),
    "jsonb": (dict, list, object),
    "text": (str,),
    "timestamptz": (datetime.datetime,),
    "uuid": (uuid.UUID,),
    "varchar": (str,),
}


@pytest.fixture
async def connection(shared_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a migrated database, acting as the application."""
    connection = await asyncpg.connect(shared_url, server_settings={"role": APPLICATION_ROLE})
    yield connection
    await connection.close()


def _fits(hint: Any, type_name: str) -> bool:
    """Say whether a field of this annotation may hold a value of this column type."""
    if hint is Any or hint is object:
        return True
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return any(_fits(each, type_name) for each in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Annotated:
        return _fits(typing.get_args(hint)[0], type_name)
    if typing.get_origin(hint) is typing.Literal:
        return all(_fits(type(each), type_name) for each in typing.get_args(hint))
    if type_name.endswith("[]"):
        if typing.get_origin(hint) is not list:
            return False
        return _fits(typing.get_args(hint)[0], type_name.removesuffix("[]"))
    return (typing.get_origin(hint) or hint) in PYTHON_TYPES.get(type_name, ())


def _struct_faults(kind: type[msgspec.Struct], columns: dict[str, str]) -> list[str]:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.name: field.required for field in msgspec.structs.fields(kind)}
    faults = [f"column {name} has no field" for name in columns.keys() - fields.keys()]
    faults += [f"field {name} has no column" for name in fields.keys() - columns.keys()]
    for name in columns.keys() & fields.keys():
        if not _fits(hints[name], columns[name]):
            faults.append(f"{name}: {columns[name]} does not arrive as {hints[name]}")
    return faults


def faults_of(statement: Statement, prepared: Any) -> list[str]:
    """Compare a statement with what PostgreSQL says of it."""
    given, wanted = statement.argument_count, len(prepared.get_parameters())
    faults = [] if given in {None, wanted} else [f"{given} arguments for {wanted} parameters"]
    attributes = [(each.name, _type_name(each.type)) for each in prepared.get_attributes()]
    if len({name for name, _ in attributes}) < len(attributes):
        faults.append("two columns have the same name")
    columns = dict(attributes)
    if statement.verb in sql_literals.SCALARS:
        if len(columns) != 1:
            faults.append(f"a scalar of {len(columns)} columns")
        elif not _fits(statement.kind, *columns.values()):
            faults.append(f"{columns} does not arrive as {statement.kind}")
    elif statement.kind is not None:
        assert isinstance(statement.kind, type)
        assert issubclass(statement.kind, msgspec.Struct)
        faults += _struct_faults(statement.kind, columns)
    return faults


def _type_name(kind: Any) -> str:
    name = str(kind.name)
    return f"{name[1:]}[]" if name.startswith("_") else name


def test_statements_were_found() -> None:
    assert len(STATEMENTS) > 60


@pytest.mark.parametrize("statement", STATEMENTS, ids=str)
async def test_statement_is_what_the_database_and_the_struct_say(
    statement: Statement, connection: asyncpg.Connection
) -> None:
    assert statement.sql is not None, "SQL is a plain literal in the call"
    prepared = await connection.prepare(statement.sql)
    assert faults_of(statement, prepared) == []
    if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH)\b", statement.sql, re.IGNORECASE):
        await connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement.sql}")


def test_sql_stands_in_stores_and_the_kit_only() -> None:
    verbs = sql_literals.FETCHES | sql_literals.WRITES
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in other_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in verbs
        and ast.unparse(node.func.value).endswith("tx")
    ]
    assert found == []


def test_only_scorecards_and_rules_are_run_as_text_that_is_worked_out() -> None:
    """The exceptions to plain literals: what is compiled to SQL for many people (docs/adr/0022)."""
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "backend").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "fetch_compiled"
    }
    assert found == {"backend/programme/store/cohort.py", "backend/score/store/bulk.py"}


@pytest.mark.parametrize("subjects", [*Subjects])
@pytest.mark.parametrize(
    ("compile_", "kind"),
    [(compile_evaluation, EvaluatedScore), (compile_recompute, Recomputed)],
)
async def test_a_compiled_scorecard_is_what_the_database_and_the_struct_say(
    compile_: Any, kind: type[msgspec.Struct], subjects: Subjects, connection: asyncpg.Connection
) -> None:
    statement = compile_(packaged_scorecard(), subjects)
    prepared = await connection.prepare(statement.sql)
    assert faults_of(Statement("here", "fetch_one", statement.sql, kind, None), prepared) == []
    await connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement.sql}")


def test_a_store_is_used_by_its_own_room_only() -> None:
    found = []
    for path in sorted((ROOT / "backend").rglob("*.py")):
        room = path.relative_to(ROOT / "backend").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                match = re.match(r"backend\.(\w+)\.store\b", name)
                if match and match[1] != room:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} imports {name}")
    assert found == []


class _Row(msgspec.Struct):
    version: int
    name: str


@pytest.mark.parametrize(
    ("verb", "kind", "sql", "count", "said"),
    [
        ("fetch_one", _Row, "SELECT version FROM schema_migration", 0, "field name has no column"),
        (
            "fetch_one",
            _Row,
            "SELECT version, name, checksum FROM schema_migration",
            0,
            "column checksum has no field",
        ),
        (
            "fetch_one",
            _Row,
            "SELECT name AS version, name FROM schema_migration",
            0,
            "version: text does not arrive as <class 'int'>",
        ),
        ("fetch_value", int, "SELECT $1::bigint", 2, "2 arguments for 1 parameters"),
        ("fetch_value", int, "SELECT 'x'::text", 0, "does not arrive as"),
        ("fetch_value", int, "SELECT 1 AS a, 2 AS b", 0, "a scalar of 2 columns"),
        ("fetch_one", _Row, "SELECT 1 AS version, 2 AS version", 0, "two columns have the same"),
    ],
)
async def test_each_fault_is_found(
    connection: asyncpg.Connection, verb: str, kind: object, sql: str, count: int, said: str
) -> None:
    prepared = await connection.prepare(sql)
    faults = faults_of(Statement("here", verb, sql, kind, count), prepared)
    assert any(said in fault for fault in faults), faults


async def test_a_missing_grant_is_found(connection: asyncpg.Connection) -> None:
    sql = "INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3)"
    await connection.prepare(sql)  # preparing alone would not notice
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"EXPLAIN (GENERIC_PLAN) {sql}")
