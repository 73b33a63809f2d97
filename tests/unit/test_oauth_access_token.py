"""Goal: an access token is good exactly as long as everything it stands on.

Method: one live token, changed in one place a time, against the pure decisions behind the API
(RFC 6750 §3.1) and introspection (RFC 7662 §2.2, §4).
"""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backend.oauth.rules.introspection import introspect_access, introspect_refresh
from backend.oauth.rules.token import AccessToken, is_live, principal_of
from tests.conftest import NOW
from tests.support.oauth_client import ELIGIBILITY, ISSUER
from tests.unit.test_oauth_grant import GRANT, JKT, REFRESH

TOKEN = AccessToken(
    token_hash=b"t" * 32,
    grant_id=GRANT.grant_id,
    subject_id=GRANT.subject_id,
    client_id=GRANT.client_id,
    partner_id=GRANT.partner_id,
    consent_id=GRANT.consent_id,
    pairwise_subject="pairwise",
    audience=ISSUER,
    scopes=["eligibility:verify"],
    details=ELIGIBILITY,
    dpop_jkt=JKT,
    created_at=NOW,
    expires_at=NOW + timedelta(seconds=600),
    revoked_at=None,
    grant_revoked_at=None,
    grant_expires_at=GRANT.expires_at,
    client_suspended_at=None,
    partner_suspended_at=None,
)
CAUSES: list[dict[str, Any]] = [
    {"audience": "https://other.example"},
    {"expires_at": NOW},
    {"grant_expires_at": NOW},
    {"revoked_at": NOW},
    {"grant_revoked_at": NOW},
    {"client_suspended_at": NOW},
    {"partner_suspended_at": NOW},
]


def test_a_live_token_speaks_for_its_partner_citizen_and_consent() -> None:
    principal = principal_of(TOKEN, audience=ISSUER, now=NOW + timedelta(seconds=599))
    assert principal is not None
    assert principal.subject_id == GRANT.subject_id
    assert principal.partner_id == GRANT.partner_id
    assert principal.consent_id == GRANT.consent_id
    assert principal.grant_id == GRANT.grant_id
    assert principal.scopes == {"eligibility:verify"}
    assert principal.details == ELIGIBILITY


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: next(iter(cause)))
def test_6750_3_1_each_cause_alone_ends_it(cause: dict[str, Any]) -> None:
    token = msgspec.structs.replace(TOKEN, **cause)
    assert not is_live(token, audience=ISSUER, now=NOW)
    assert principal_of(token, audience=ISSUER, now=NOW) is None
    assert introspect(token) is None


def introspect(token: AccessToken | None, client_id: str = "library-demo") -> object:
    return introspect_access(token, client_id=client_id, issuer=ISSUER, audience=ISSUER, now=NOW)


def test_7662_2_2_introspection_says_what_the_token_is() -> None:
    found = introspect_access(
        TOKEN, client_id="library-demo", issuer=ISSUER, audience=ISSUER, now=NOW
    )
    assert found is not None
    assert (found.sub, found.scope, found.jkt) == ("pairwise", "eligibility:verify", JKT)
    assert found.exp - found.iat == 600
    assert found.authorization_details == ELIGIBILITY


def test_7662_4_a_foreign_token_looks_like_one_that_does_not_exist() -> None:
    assert introspect(None) is None
    assert introspect(TOKEN, "somebody-else") is None


def test_7662_a_refresh_token_can_be_introspected_by_its_client_while_it_lives() -> None:
    def look(token: Any = REFRESH, grant: Any = GRANT, client_id: str = "library-demo") -> object:
        return introspect_refresh(token, grant, client_id=client_id, issuer=ISSUER, now=NOW)

    assert look()
    assert look(client_id="somebody-else") is None
    assert look(token=msgspec.structs.replace(REFRESH, revoked_at=NOW)) is None
    assert look(token=msgspec.structs.replace(REFRESH, expires_at=NOW)) is None
    assert look(grant=msgspec.structs.replace(GRANT, revoked_at=NOW)) is None
    assert look(grant=msgspec.structs.replace(GRANT, expires_at=NOW)) is None
