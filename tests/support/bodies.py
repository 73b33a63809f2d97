"""A body of the right shape for each operation that takes JSON, and who may send it.

Each holds what is needed and nothing else. Ids in addresses are of nothing there is.
"""

import re
from typing import Any

from tests.support.citizen import national_id, phone
from tests.support.world import CHECKS

_PHONE = phone(9)
_PASSWORD = "correct horse battery staple"

BODIES: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("POST", "/v1/sign-in-codes"): ("anyone", {"phone": _PHONE}),
    ("POST", "/v1/sessions"): ("anyone", {"phone": _PHONE, "code": "123456"}),
    ("POST", "/v1/accounts"): (
        "anyone",
        {"phone": _PHONE, "code": "123456", "national_id": national_id(9), "name": "林晓"},
    ),
    ("PUT", "/v1/me/participation"): ("citizen", {"notice_version": "2026-11"}),
    ("POST", "/v1/me/enrolments"): ("citizen", {"programme": "rental"}),
    ("POST", "/v1/me/score/simulations"): ("citizen", {"changes": []}),
    ("POST", "/v1/me/cases"): ("citizen", {"kind": "not_yet", "programme": "library"}),
    ("POST", "/v1/me/orders/{order_id}/reply"): ("citizen", {"reply": "will_pay"}),
    ("POST", CHECKS): ("partner", {"programme": "library"}),
    ("POST", "/v1/service-orders"): (
        "partner",
        {"programme": "library", "reference": "R-1", "amount_fen": 1},
    ),
    ("POST", "/v1/service-orders/{order_id}/amount"): ("partner", {"amount_fen": 1}),
    ("POST", "/v1/service-orders/{order_id}/complete"): ("partner", {"settled_fen": 1}),
    ("POST", "/v1/service-orders/{order_id}/performance"): (
        "partner",
        {"performance": "performed"},
    ),
    ("POST", "/v1/webhook-endpoints"): (
        "client",
        {"url": "https://library.example.cn/hooks", "topics": ["order.created"]},
    ),
    ("POST", "/v1/webhook-endpoints/{endpoint_id}/secrets"): ("client", {}),
    ("POST", "/v1/operator/sessions"): (
        "anyone",
        {"login": "nobody", "password": _PASSWORD, "totp": "123456"},
    ),
    ("POST", "/v1/operator/set-ups"): (
        "anyone",
        {"login": "nobody", "password": _PASSWORD, "set_up_code": "cp_os_1"},
    ),
    ("POST", "/v1/operator/operators"): (
        "security",
        {"login": "op-1", "name_zh": "李娜", "name_en": "Li Na", "roles": ["cases"]},
    ),
    ("PUT", "/v1/operator/operators/{login}/roles"): ("security", {"roles": ["cases"]}),
    ("POST", "/v1/operator/cases/{case_id}/take"): ("operator", {}),
    ("POST", "/v1/operator/cases/{case_id}/decide"): (
        "operator",
        {"outcome": "upheld", "answer_zh": "维持", "answer_en": "Upheld"},
    ),
    ("POST", "/v1/operator/budgets/{code}/refills"): (
        "operator",
        {"span": "day", "bucket": "2099-01-01", "amount_fen": 1, "uses": 1},
    ),
    ("POST", "/v1/operator/programmes"): ("operator", {"text": 'code = "x"'}),
    ("POST", "/v1/operator/programmes/{code}/versions/{version}/approve"): (
        "operator",
        {"dry_run_id": "01a20de0-d5e1-7ccb-8317-b198ea75f56a"},
    ),
}
_NAMED = {"code": "library", "login": "nobody", "version": "1"}
_ID = "01a20de0-d5e1-7ccb-8317-b198ea75f56b"


def address_of(template: str) -> str:
    """Return an address for a template: a code there is, an id that nothing has."""
    return re.sub(r"\{(\w+)\}", lambda found: _NAMED.get(found[1], _ID), template)


def body_of(method: str, path: str) -> dict[str, Any] | None:
    """Return the body for an address, or None when the operation takes none."""
    for (each, template), (_, body) in BODIES.items():
        if each == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return body
    return None
