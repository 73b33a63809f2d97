"""Goal: a code or refresh token becomes tokens only for whom, when and how it was meant.

Method: one attempt that is right, changed in one place a time, against the pure decisions of
RFC 6749 §4.1.3 and §6, RFC 7636 §4.6 and RFC 9449 §5, §10. The order of checks is covered by the
state machine in tests/property.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from backend.oauth.rules.fault import OauthError
from backend.oauth.rules.grant import (
    Code,
    CodeAttempt,
    CodeReused,
    Grant,
    Redemption,
    RefreshAttempt,
    Refreshing,
    RefreshToken,
    TokensDue,
    check_token_parameters,
    decide_redemption,
    decide_refresh,
    read_redemption,
    read_refreshing,
)
from tests.conftest import NOW
from tests.support.oauth_client import ELIGIBILITY, ISSUER, REDIRECT_URI
from tests.support.oauth_world import CONSENT_ID, PARTNER_ID, SUBJECT_ID

VERIFIER = "v" * 43
JKT, OTHER_JKT = "a" * 43, "b" * 43
GRANT = Grant(
    grant_id=UUID(int=9),
    subject_id=SUBJECT_ID,
    client_id="library-demo",
    partner_id=PARTNER_ID,
    consent_id=CONSENT_ID,
    pairwise_subject="pairwise",
    scopes=["eligibility:verify"],
    details=ELIGIBILITY,
    created_at=NOW,
    expires_at=NOW + timedelta(days=180),
    revoked_at=None,
)
CODE = Code(
    code_hash=b"c" * 32,
    grant_id=GRANT.grant_id,
    subject_id=SUBJECT_ID,
    client_id="library-demo",
    redirect_uri=REDIRECT_URI,
    code_challenge=create_s256_code_challenge(VERIFIER),
    dpop_jkt=JKT,
    created_at=NOW,
    expires_at=NOW + timedelta(seconds=60),
    consumed_at=None,
)
REDEMPTION = Redemption(
    client_id="library-demo",
    code="cp_code_x",
    redirect_uri=REDIRECT_URI,
    code_verifier=VERIFIER,
    jkt=JKT,
)
REFRESH = RefreshToken(
    token_hash=b"r" * 32,
    grant_id=GRANT.grant_id,
    subject_id=SUBJECT_ID,
    client_id="library-demo",
    audience=ISSUER,
    dpop_jkt=JKT,
    created_at=NOW,
    expires_at=NOW + timedelta(days=90),
    revoked_at=None,
)
REFRESHING = Refreshing(client_id="library-demo", refresh_token="cp_rt_x", scope=None, jkt=JKT)


def redeem(
    *,
    code: dict[str, Any] | None = None,
    grant: dict[str, Any] | None = None,
    now: datetime = NOW,
    **redemption: Any,
) -> TokensDue | CodeReused:
    return decide_redemption(
        CodeAttempt(
            code=msgspec.structs.replace(CODE, **(code or {})),
            grant=msgspec.structs.replace(GRANT, **(grant or {})),
            redemption=msgspec.structs.replace(REDEMPTION, **redemption),
            now=now,
        )
    )


def refresh(
    *,
    token: dict[str, Any] | None = None,
    grant: dict[str, Any] | None = None,
    now: datetime = NOW,
    **refreshing: Any,
) -> TokensDue:
    return decide_refresh(
        RefreshAttempt(
            token=msgspec.structs.replace(REFRESH, **(token or {})),
            grant=msgspec.structs.replace(GRANT, **(grant or {})),
            refreshing=msgspec.structs.replace(REFRESHING, **refreshing),
            now=now,
        )
    )


def test_a_proper_redemption_brings_both_tokens() -> None:
    assert redeem() == TokensDue(
        access_expires_at=NOW + timedelta(seconds=600),
        refresh_expires_at=NOW + timedelta(days=90),
        scopes=["eligibility:verify"],
    )


def test_no_token_outlives_what_the_citizen_allowed() -> None:
    for life in (timedelta(seconds=90), timedelta(days=30)):
        end = NOW + life
        due = redeem(grant={"expires_at": end})
        assert isinstance(due, TokensDue)
        assert due.refresh_expires_at == end
        assert due.access_expires_at == min(end, NOW + timedelta(seconds=600))
        assert refresh(grant={"expires_at": end}).access_expires_at <= end


def test_6749_4_1_2_a_second_use_ends_the_grant_whatever_else_is_wrong() -> None:
    reused = CodeReused(grant_id=GRANT.grant_id)
    used = {"consumed_at": NOW}
    assert redeem(code=used) == reused
    assert redeem(code=used, now=NOW + timedelta(days=30)) == reused
    assert redeem(code=used, code_verifier="w" * 43) == reused
    assert redeem(code=used, jkt=OTHER_JKT) == reused
    assert redeem(code=used, grant={"revoked_at": NOW}) == reused


def test_6749_4_1_3_another_client_learns_nothing_and_ends_nothing() -> None:
    for code in ({}, {"consumed_at": NOW}):
        with pytest.raises(OauthError) as refusal:
            redeem(code=code, client_id="somebody-else")
        assert (refusal.value.code, refusal.value.description) == (
            "invalid_grant",
            "the code is unknown",
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"now": NOW + timedelta(seconds=60)},
        {"grant": {"revoked_at": NOW}},
        {"grant": {"expires_at": NOW}},
        {"redirect_uri": REDIRECT_URI + "/"},
        {"code_verifier": "w" * 43},
        {"code_verifier": CODE.code_challenge},
        {"jkt": OTHER_JKT},
    ],
    ids=["expired", "revoked", "over", "redirect", "verifier", "plain", "key"],
)
def test_6749_4_1_3_7636_4_6_9449_10_each_binding_holds(changes: dict[str, Any]) -> None:
    with pytest.raises(OauthError) as refusal:
        redeem(**changes)
    assert refusal.value.code == "invalid_grant"


@pytest.mark.parametrize(
    "verifier", ["v" * 42, "v" * 129, "v" * 42 + "é", "v" * 42 + "+", "v\n" * 30]
)
def test_7636_4_1_a_verifier_has_43_to_128_unreserved_characters(verifier: str) -> None:
    with pytest.raises(OauthError) as refusal:
        redeem(code_verifier=verifier)
    assert refusal.value.code == "invalid_request"


def test_9449_10_a_code_without_a_named_key_takes_the_one_that_is_proved() -> None:
    assert isinstance(redeem(code={"dpop_jkt": None}, jkt=OTHER_JKT), TokensDue)


def test_7636_appendix_b_the_example_of_the_rfc() -> None:
    due = redeem(
        code={"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
        code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    )
    assert isinstance(due, TokensDue)


def test_a_proper_refresh_brings_an_access_token_and_no_other_refresh_token() -> None:
    assert refresh() == TokensDue(
        access_expires_at=NOW + timedelta(seconds=600),
        refresh_expires_at=None,
        scopes=["eligibility:verify"],
    )
    assert refresh(scope="eligibility:verify") == refresh()


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "somebody-else"},
        {"token": {"revoked_at": NOW}},
        {"now": NOW + timedelta(days=90)},
        {"grant": {"revoked_at": NOW}},
        {"grant": {"expires_at": NOW}},
        {"jkt": OTHER_JKT},
    ],
    ids=["client", "revoked", "expired", "grant revoked", "grant over", "key"],
)
def test_6749_6_9449_5_a_refresh_token_is_bound_and_ends(changes: dict[str, Any]) -> None:
    with pytest.raises(OauthError) as refusal:
        refresh(**changes)
    assert refusal.value.code == "invalid_grant"


def test_6749_6_scopes_shrink_and_never_grow() -> None:
    two = {"scopes": ["eligibility:verify", "orders:write"]}
    assert refresh(grant=two, scope="orders:write").scopes == ["orders:write"]
    for scope in ("me:score", "eligibility:verify me:score", "x"):
        with pytest.raises(OauthError) as refusal:
            refresh(scope=scope)
        assert refusal.value.code == "invalid_scope"


def test_8707_9396_what_can_not_be_narrowed_is_not_ignored() -> None:
    check_token_parameters({}, resource=ISSUER)
    check_token_parameters({"resource": ISSUER}, resource=ISSUER)
    with pytest.raises(OauthError) as refusal:
        check_token_parameters({"resource": "https://other.example"}, resource=ISSUER)
    assert refusal.value.code == "invalid_target"
    with pytest.raises(OauthError) as refusal:
        check_token_parameters({"authorization_details": "[]"}, resource=ISSUER)
    assert refusal.value.code == "invalid_authorization_details"


@pytest.mark.parametrize("missing", ["code", "redirect_uri", "code_verifier"])
def test_6749_4_1_3_every_parameter_of_a_redemption_is_there(missing: str) -> None:
    form = {"code": "c", "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    assert read_redemption(form, client_id="library-demo", jkt=JKT)
    del form[missing]
    with pytest.raises(OauthError, match=f"{missing} is missing"):
        read_redemption(form, client_id="library-demo", jkt=JKT)


def test_6749_6_the_refresh_token_is_there() -> None:
    with pytest.raises(OauthError, match="refresh_token is missing"):
        read_refreshing({}, client_id="library-demo", jkt=JKT)
