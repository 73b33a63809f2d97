"""Goal: the description of the interface is complete: whoever reads it knows each operation's name,
audience, scope, body and every way it can be refused.

Method: the document is made from the application and read operation by operation.
"""

import json
import re
from typing import Any

import pytest

from backend.access.rules import Scope
from backend.cli.openapi import openapi_text, routes_text
from backend.kit.problem import PROBLEMS
from backend.record.rules.upload import MEDIA_TYPES

DOCUMENT: dict[str, Any] = json.loads(openapi_text())
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{path} {method.upper()}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in {"get", "put", "post", "delete", "patch"}
}
API = {name: operation for name, operation in OPERATIONS.items() if name.startswith("/v1/")}
UNKEPT = re.compile(r"-checks|/simulations|/submissions|/operators POST|/operators/{login}/reset")
AUDIENCES = {"anyone", "citizen", "operator", "partner", "source"}


def test_every_operation_has_a_name_of_its_own_and_one_audience() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names)) > 25
    for name, operation in OPERATIONS.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"]), name
        assert len(operation["tags"]) == 1, name
        assert set(operation["tags"]) <= AUDIENCES, name
        assert operation["description"], name


def test_the_document_asks_for_the_scope_that_the_guard_asks_for() -> None:
    guards = dict(line.split(": ", 1) for line in routes_text().splitlines())
    guards = {re.sub(r":[a-z]+}", "}", route): said for route, said in guards.items()}
    scopes = {str(scope) for scope in Scope}
    for name, operation in API.items():
        security = operation.get("security", [])
        if guards[name].startswith("public"):
            assert security == [], name
        else:
            [asked] = [scope for entry in security for scope in entry["dpop"]]
            assert asked in scopes, name
            assert guards[name] == f"requires {asked}", name


@pytest.mark.parametrize("name", API)
def test_every_refusal_is_problem_details_with_codes_of_the_table(name: str) -> None:
    refusals = {
        int(status): answer
        for status, answer in API[name]["responses"].items()
        if int(status) >= 400
    }
    assert refusals, "an operation that never refuses is one whose refusals are not written down"
    for status, answer in refusals.items():
        assert list(answer["content"]) == ["application/problem+json"]
        codes = re.findall(r"`([a-z_]+)`", answer["description"])
        assert codes, status
        for code in codes:
            assert PROBLEMS[code].status == status, code
    if API[name].get("security"):
        assert {401, 403} <= refusals.keys()


@pytest.mark.parametrize("name", API)
def test_bodies_take_no_members_they_do_not_name(name: str) -> None:
    body = API[name].get("requestBody")
    if body is None:
        return
    if set(body["content"]) == set(MEDIA_TYPES):
        return  # a file: its columns are held by the readers of lines
    [(media_type, content)] = body["content"].items()
    assert media_type == "application/json"
    schema = content["schema"]
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert schema["additionalProperties"] is False


def test_answers_leave_no_member_out() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if name.endswith(("View", "Created", "Accepted")):
            assert set(schema.get("properties", {})) == set(schema.get("required", [])), name


def test_what_is_created_by_a_citizen_or_partner_may_be_sent_twice() -> None:
    # The sign-in operations have their own guards against repetition, and hold no token yet. A
    # simulation creates nothing: sent again, it is worked out again. A submission is named by its
    # source's batch id and its content, for ever. A code to set up with is shown once and kept
    # nowhere: sent again, the login is taken, or there is another code.
    for name, operation in API.items():
        if name.endswith("POST") and operation.get("security") and not UNKEPT.search(name):
            headers = {each["name"] for each in operation.get("parameters", [])}
            assert "Idempotency-Key" in headers, name
