"""Partners, clients and consents as the OAuth tests need them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from backend.partner.rules import Client
from tests.conftest import NOW
from tests.support.oauth_client import REDIRECT_URI

PARTNER_ID = UUID("01900000-0000-7000-8000-000000000001")
SUBJECT_ID = UUID("01900000-0000-8000-8000-000000000002")
CONSENT_ID = UUID("01900000-0000-7000-8000-000000000003")


def make_client(
    *,
    client_id: str = "library-demo",
    jwks: dict[str, Any] | None = None,
    redirect_uris: list[str] | None = None,
    suspended_at: datetime | None = None,
    partner_suspended_at: datetime | None = None,
) -> Client:
    """Return a registered client without a database."""
    return Client(
        client_id=client_id,
        partner_id=PARTNER_ID,
        partner_code="city-library",
        partner_name_zh="市图书馆",
        partner_name_en="City Library",
        partner_kind="merchant",
        name_zh="图书借还",
        name_en="Library desk",
        jwks=jwks or {"keys": []},
        redirect_uris=redirect_uris or [REDIRECT_URI],
        scopes=["eligibility:verify"],
        created_at=NOW,
        suspended_at=suspended_at,
        partner_suspended_at=partner_suspended_at,
    )
