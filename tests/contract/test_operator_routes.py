"""Goal: nothing is done by an operator without a reason, and no route of theirs is open to all.

Method: every route under /v1/operator in the committed description of the interface: its guard, its
audience and its headers. Which looks at one citizen need a reason too is a list here, so that a new
one is a line somebody reads.
"""

import json
import re
from typing import Any

import pytest

from backend.access.guard import BEARERS
from backend.access.rules import OPERATOR_SCOPES, OperatorPrincipal, Scope, operator_scopes
from backend.cli.openapi import openapi_text

DOCUMENT: dict[str, Any] = json.loads(openapi_text())
ROUTES: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if path.startswith("/v1/operator/")
}
# Coming in and going out: nothing is done to anybody else.
AT_THE_DOOR = {
    "POST /v1/operator/sessions",
    "POST /v1/operator/set-ups",
    "DELETE /v1/operator/sessions/current",
}
OPEN = AT_THE_DOOR - {"DELETE /v1/operator/sessions/current"}
# One case is one citizen's: whoever reads it looks at them.
SHOWS_A_CITIZEN = re.compile(r"GET /v1/operator/cases/\{[a-z_]+\}")


def headers_of(operation: dict[str, Any]) -> set[str]:
    return {each["name"] for each in operation.get("parameters", []) if each["in"] == "header"}


def needs_reason(name: str) -> bool:
    return name not in AT_THE_DOOR and (
        not name.startswith("GET ") or SHOWS_A_CITIZEN.fullmatch(name) is not None
    )


def test_there_are_routes_of_operators() -> None:
    assert len(ROUTES) > 15
    assert ROUTES.keys() >= AT_THE_DOOR


@pytest.mark.parametrize("name", ROUTES)
def test_what_an_operator_does_carries_a_reason(name: str) -> None:
    assert ("Operator-Reason" in headers_of(ROUTES[name])) == needs_reason(name)
    if needs_reason(name):
        refused = ROUTES[name]["responses"]["400"]["description"]
        assert "`reason_missing`" in refused


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_of_operators_asks_for_a_scope_of_theirs(name: str) -> None:
    asked = [scope for entry in ROUTES[name].get("security", []) for scope in entry["dpop"]]
    assert ROUTES[name]["tags"] == ["operator"]
    assert (asked == []) == (name in OPEN)
    assert set(asked) <= operator_scopes(OPERATOR_SCOPES)


def test_no_other_route_takes_an_operators_token() -> None:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            asked = {scope for entry in operation.get("security", []) for scope in entry["dpop"]}
            if asked & operator_scopes(OPERATOR_SCOPES):
                assert f"{method.upper()} {path}" in ROUTES


def test_a_scope_of_operators_is_nobody_elses() -> None:
    for scope in operator_scopes(OPERATOR_SCOPES):
        assert BEARERS[scope] == (OperatorPrincipal,)
    assert len(set(OPERATOR_SCOPES.values()) | {Scope.OPERATOR}) == len(OPERATOR_SCOPES) + 1


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("POST /v1/operator/things", True),
        ("PUT /v1/operator/things/{code}", True),
        ("DELETE /v1/operator/things/{code}", True),
        ("GET /v1/operator/things", False),
        ("GET /v1/operator/cases", False),
        ("GET /v1/operator/cases/{case_id}", True),
        ("POST /v1/operator/sessions", False),
    ],
)
def test_which_routes_need_a_reason(name: str, needed: bool) -> None:
    assert needs_reason(name) == needed
