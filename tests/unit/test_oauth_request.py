"""Goal: a pushed request asks for exactly what the profile allows, and answers go where they may.

Method: one form that is right, changed in one place a time, against the pure decision.
"""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from backend.kit.clock import FixedClock
from backend.oauth.rules.fault import OauthError
from backend.oauth.rules.form import Form
from backend.oauth.rules.request import (
    DECISION_LIFE_SECONDS,
    REQUEST_URI_LIFE_SECONDS,
    EligibilityDetail,
    Parameters,
    ServiceOrderDetail,
    StoredRequest,
    decide_key_binding,
    decide_push,
    denial_redirect,
    is_open,
    order_detail_of,
    push_times,
    success_redirect,
)
from tests.conftest import NOW
from tests.support.oauth_client import (
    DROP,
    ELIGIBILITY,
    ISSUER,
    ORDER_SCOPE,
    ORDERS,
    REDIRECT_URI,
    OauthClient,
    change,
)
from tests.support.oauth_world import make_client

CLIENT = make_client(redirect_uris=[REDIRECT_URI, "https://library.example.cn/other?a=b"])
DETAIL = EligibilityDetail("library", "deposit_free_borrowing")


def form(**changes: Any) -> Form:
    return OauthClient(httpx.AsyncClient(), FixedClock(NOW)).request_form(**changes)


def push(**changes: Any) -> Parameters:
    return decide_push(form(**changes), client=CLIENT, resource=ISSUER, issuer=ISSUER)


def push_orders(**changes: Any) -> Parameters:
    """Push for service orders, by a client that may open them."""
    asked = {"authorization_details": json.dumps(ORDERS), "scope": ORDER_SCOPE, **changes}
    client = msgspec.structs.replace(CLIENT, scopes=ORDER_SCOPE.split())
    return decide_push(form(**asked), client=client, resource=ISSUER, issuer=ISSUER)


def refused(**changes: Any) -> str:
    with pytest.raises(OauthError) as refusal:
        push(**changes)
    return refusal.value.code


def test_a_proper_request_keeps_what_was_asked() -> None:
    asked = form()
    assert decide_push(asked, client=CLIENT, resource=ISSUER, issuer=ISSUER) == Parameters(
        issuer=ISSUER,
        redirect_uri=REDIRECT_URI,
        state="xyz",
        scopes=["eligibility:verify"],
        code_challenge=asked["code_challenge"],
        details=[DETAIL],
    )


def test_9126_2_1_requests_do_not_nest() -> None:
    assert refused(request_uri="urn:x") == "invalid_request"
    assert refused(request="e30.e30.") == "request_not_supported"


@pytest.mark.parametrize("response_type", ["token", "code token", "code id_token", "none", "CODE"])
def test_6749_4_1_1_only_the_code_flow(response_type: str) -> None:
    assert refused(response_type=response_type) == "unsupported_response_type"


def test_6749_4_1_1_response_type_is_required_and_the_answer_comes_in_the_query() -> None:
    assert refused(response_type=DROP) == "invalid_request"
    assert refused(response_mode="fragment") == "invalid_request"
    assert refused(response_mode="form_post") == "invalid_request"
    assert push(response_mode="query")


@pytest.mark.parametrize(
    "uri",
    [
        DROP,
        REDIRECT_URI + "/",
        REDIRECT_URI + "?a=b",
        REDIRECT_URI + "#x",
        REDIRECT_URI.upper(),
        REDIRECT_URI.replace("https", "http"),
        "https://library.example.cn.evil.example/callback",
        "https://library.example.cn/callback/../evil",
        "javascript:alert(1)",
        "urn:ietf:wg:oauth:2.0:oob",
    ],
)
def test_9700_2_1_redirect_uri_is_one_of_the_registered_ones_exactly(uri: object) -> None:
    assert refused(redirect_uri=uri) == "invalid_request"


def test_7636_4_3_pkce_with_s256_is_required() -> None:
    assert refused(code_challenge=DROP) == "invalid_request"
    assert refused(code_challenge_method=DROP) == "invalid_request"
    assert refused(code_challenge_method="plain") == "invalid_request"
    assert refused(code_challenge_method="s256") == "invalid_request"
    for challenge in ("short", "x" * 42, "x" * 44, "x" * 42 + "=", "x" * 42 + "+", "x" * 128):
        assert refused(code_challenge=challenge) == "invalid_request"


def test_long_state_and_nonce_are_accepted() -> None:
    state = "s" * 1200 + " ~!"
    assert push(state=state, nonce="n" * 64).state == state
    assert push(state=DROP).state is None


@pytest.mark.parametrize("state", ["s" * 8193, "a\nb", "a\tb", "é", "状态"])
def test_6749_a_5_state_is_printable_ascii(state: str) -> None:
    assert refused(state=state) == "invalid_request"


@pytest.mark.parametrize(
    "scope",
    [
        "openid",
        "me:score",
        "eligibility:verify me:score",
        "eligibility:verify eligibility:verify",
        "eligibility:verify ",
        "ELIGIBILITY:VERIFY",
    ],
)
def test_6749_3_3_scopes_are_those_of_the_client(scope: str) -> None:
    assert refused(scope=scope) == "invalid_scope"


def test_6749_3_3_without_scope_the_default_is_what_the_details_need() -> None:
    assert push(scope=DROP).scopes == ["eligibility:verify"]


def test_a_detail_without_the_scope_it_is_used_with_is_a_mistake() -> None:
    assert push_orders(authorization_details=json.dumps(ELIGIBILITY), scope="eligibility:verify")
    with pytest.raises(OauthError) as refusal:
        push_orders(authorization_details=json.dumps(ELIGIBILITY), scope="orders:write")
    assert refusal.value.code == "invalid_scope"
    with pytest.raises(OauthError) as refusal:
        push_orders(scope="eligibility:verify")
    assert refusal.value.code == "invalid_scope"


def test_a_scope_that_no_detail_uses_is_a_mistake() -> None:
    """Nobody opens orders with a consent to checks: the page would not have said so."""
    with pytest.raises(OauthError) as refusal:
        push_orders(authorization_details=json.dumps(ELIGIBILITY), scope=ORDER_SCOPE)
    assert refusal.value.code == "invalid_scope"


def test_a_service_order_is_asked_for_with_its_bound_and_who_confirms() -> None:
    """It may be checked with as well; without a scope the default is to open orders."""
    assert push_orders().details == [
        ServiceOrderDetail("library", "deposit_free_borrowing", "citizen")
    ]
    assert push_orders().scopes == ["eligibility:verify", "orders:write"]
    assert push_orders(scope=DROP).scopes == ["orders:write"]
    bounded = [{**ORDERS[0], "confirm": "consent", "amount_max_fen": 5000}]
    (detail,) = push_orders(authorization_details=json.dumps(bounded)).details
    assert msgspec.to_builtins(detail) == bounded[0]
    found = order_detail_of([*ELIGIBILITY, *bounded], "library")
    assert found == detail
    assert order_detail_of(bounded, "rental") is None
    assert order_detail_of(ELIGIBILITY, "library") is None


def test_6749_3_3_a_default_scope_is_one_of_the_clients_too() -> None:
    """A client registered for checks gets no orders by leaving the scope out."""
    assert refused(authorization_details=json.dumps(ORDERS), scope=DROP) == "invalid_scope"


@pytest.mark.parametrize(
    "changes",
    [
        {"confirm": DROP},
        {"confirm": None},
        {"confirm": "partner"},
        {"amount_max_fen": 0},
        {"amount_max_fen": -1},
        {"amount_max_fen": 100_000_001},
        {"amount_max_fen": 1.5},
        {"amount_max_fen": "5000"},
        {"amount_max_fen": None},
        {"type": "eligibility"},
        {"seats": 2},
    ],
)
def test_9396_5_what_an_order_detail_may_not_say(changes: dict[str, Any]) -> None:
    with pytest.raises(OauthError) as refusal:
        push_orders(authorization_details=json.dumps([change(ORDERS[0], changes)]))
    assert refusal.value.code == "invalid_authorization_details"


def test_8707_2_there_is_one_resource() -> None:
    assert push(resource=ISSUER)
    assert refused(resource="https://other.example") == "invalid_target"


@pytest.mark.parametrize(
    "details",
    [
        DROP,
        "",
        "[]",
        "{}",
        "null",
        "x",
        "[1]",
        json.dumps(ELIGIBILITY[0]),
        json.dumps(ELIGIBILITY * 2),
        json.dumps([{**ELIGIBILITY[0], "type": "credit_report"}]),
        json.dumps([{**ELIGIBILITY[0], "type": None}]),
        json.dumps([{"programme": "library", "purpose": "deposit_free_borrowing"}]),
        json.dumps([{"type": "eligibility", "programme": "library"}]),
        json.dumps([{"type": "eligibility", "purpose": "deposit_free_borrowing"}]),
        json.dumps([{**ELIGIBILITY[0], "threshold": 600}]),
        json.dumps([{**ELIGIBILITY[0], "programme": ["library"]}]),
        json.dumps([{**ELIGIBILITY[0], "programme": ""}]),
        json.dumps([{**ELIGIBILITY[0], "programme": "Library"}]),
        json.dumps([{**ELIGIBILITY[0], "purpose": "<b>x</b>"}]),
        json.dumps([{**ELIGIBILITY[0], "purpose": "x" * 65}]),
        "[" * 4000,
        json.dumps(ELIGIBILITY) + " " * 4096,
    ],
)
def test_9396_5_exactly_one_known_detail_and_nothing_unknown_in_it(details: object) -> None:
    assert refused(authorization_details=details) == "invalid_authorization_details"


def test_9449_10_the_code_can_be_bound_by_parameter_by_proof_or_by_both_alike() -> None:
    one, other = "a" * 43, "b" * 43
    assert decide_key_binding({}, proof_jkt=None) is None
    assert decide_key_binding({}, proof_jkt=one) == one
    assert decide_key_binding({"dpop_jkt": one}, proof_jkt=None) == one
    assert decide_key_binding({"dpop_jkt": one}, proof_jkt=one) == one
    for parameter, proof in ((one, other), ("short", None), ("a" * 42 + "=", None)):
        with pytest.raises(OauthError) as refusal:
            decide_key_binding({"dpop_jkt": parameter}, proof_jkt=proof)
        assert refusal.value.code == "invalid_request"


def stored(**changes: Any) -> StoredRequest:
    expires_at, decide_by = push_times(NOW)
    fields = {
        "client_id": "library-demo",
        "parameters": {},
        "dpop_jkt": None,
        "created_at": NOW,
        "expires_at": expires_at,
        "decide_by": decide_by,
        "begun_at": None,
        "consumed_at": None,
    }
    return StoredRequest(**{**fields, **changes})


def test_9126_2_2_a_request_uri_nobody_opened_is_good_for_90_seconds() -> None:
    assert REQUEST_URI_LIFE_SECONDS == 90
    assert is_open(stored(), now=NOW + timedelta(seconds=89))
    assert not is_open(stored(), now=NOW + timedelta(seconds=90))


def test_9126_7_3_opening_it_gives_the_citizen_time_but_answering_ends_it() -> None:
    begun = stored(begun_at=NOW + timedelta(seconds=80))
    assert is_open(begun, now=NOW + timedelta(seconds=DECISION_LIFE_SECONDS - 1))
    assert not is_open(begun, now=NOW + timedelta(seconds=DECISION_LIFE_SECONDS))
    answered = stored(begun_at=NOW, consumed_at=NOW)
    assert not is_open(answered, now=NOW)


def test_9207_2_the_answer_carries_code_state_and_issuer() -> None:
    parts = urlsplit(success_redirect(push(state="a b&c"), code="cp_code_x"))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == REDIRECT_URI
    assert parse_qs(parts.query) == {"code": ["cp_code_x"], "state": ["a b&c"], "iss": [ISSUER]}


def test_6749_4_1_2_1_a_denial_carries_error_state_and_issuer() -> None:
    query = parse_qs(urlsplit(denial_redirect(push(state=DROP))).query)
    assert query == {"error": ["access_denied"], "iss": [ISSUER]}


def test_6749_3_1_2_a_registered_query_stays() -> None:
    parameters = push(redirect_uri="https://library.example.cn/other?a=b", state=DROP)
    query = parse_qs(urlsplit(success_redirect(parameters, code="c")).query)
    assert query == {"a": ["b"], "code": ["c"], "iss": [ISSUER]}
