"""Scopes and principals: what a verified token says about its bearer."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class Scope(StrEnum):
    """What a token may be used for, as object:verb."""

    ME = "me:read"
    ME_PARTICIPATION = "me:participation"
    ME_SCORE = "me:score"
    ME_RECORDS = "me:records"
    ME_ENROL = "me:enrol"
    ME_CONSENTS = "me:consents"
    ME_ACCESSES = "me:accesses"
    ME_DATA = "me:data"
    ME_ORDERS = "me:orders"
    ME_CASES = "me:cases"
    ME_NOTICES = "me:notices"
    ELIGIBILITY_VERIFY = "eligibility:verify"
    ORDERS_WRITE = "orders:write"
    PROGRAMMES_READ = "programmes:read"
    DECISIONS_READ = "decisions:read"
    WEBHOOKS_WRITE = "webhooks:write"
    SUBMISSIONS_WRITE = "submissions:write"
    QUALITY_READ = "quality:read"
    PROGRAMMES_OPERATE = "programmes:operate"
    DATA_OPERATE = "data:operate"
    CASES_OPERATE = "cases:operate"
    SECURITY_OPERATE = "security:operate"
    AUDIT_READ = "audit:read"
    OPERATOR = "operator:read"


# The first-party app acts for the citizen in everything the citizen may do.
CITIZEN_SCOPES = frozenset(scope for scope in Scope if scope.startswith("me:"))
# What a partner does for one citizen, with a token that the citizen's consent gave it.
PARTNER_SCOPES = frozenset({Scope.ELIGIBILITY_VERIFY, Scope.ORDERS_WRITE})
# What a partner does for itself. An order opened with a citizen's token is carried to its end with
# either: a withdrawn consent must not leave it open for ever.
CLIENT_SCOPES = frozenset(
    {Scope.ORDERS_WRITE, Scope.PROGRAMMES_READ, Scope.DECISIONS_READ, Scope.WEBHOOKS_WRITE}
)
# What a source department does with its own files; no citizen is asked, and none is shown.
SOURCE_SCOPES = frozenset({Scope.SUBMISSIONS_WRITE, Scope.QUALITY_READ})
# What an operator may do, by role; a role is named for the part of the service it runs.
OPERATOR_SCOPES = {
    "programmes": Scope.PROGRAMMES_OPERATE,
    "data": Scope.DATA_OPERATE,
    "cases": Scope.CASES_OPERATE,
    "security": Scope.SECURITY_OPERATE,
    "audit": Scope.AUDIT_READ,
}


def operator_scopes(roles: Iterable[str]) -> frozenset[Scope]:
    """Return what an operator with these roles may do; who they are, each may see."""
    return frozenset({Scope.OPERATOR, *(OPERATOR_SCOPES[role] for role in roles)})


class CitizenPrincipal(msgspec.Struct, frozen=True):
    """A citizen, signed in with the first-party app or on the service's own pages."""

    subject_id: UUID
    session_hash: bytes
    scopes: frozenset[str]


class PartnerPrincipal(msgspec.Struct, frozen=True):
    """A partner acting for one citizen, within one grant and one consent."""

    partner_id: UUID
    client_id: str
    subject_id: UUID
    grant_id: UUID
    consent_id: UUID
    scopes: frozenset[str]
    details: list[dict[str, Any]]
    token_hash: bytes


class ClientPrincipal(msgspec.Struct, frozen=True):
    """A partner acting for itself, with what is its own only."""

    partner_id: UUID
    client_id: str
    scopes: frozenset[str]
    token_hash: bytes


class SourcePrincipal(msgspec.Struct, frozen=True):
    """A source department acting for itself, with its own files only."""

    partner_id: UUID
    client_id: str
    source_code: str
    scopes: frozenset[str]
    token_hash: bytes


class OperatorPrincipal(msgspec.Struct, frozen=True):
    """Somebody who runs a part of the service, signed in with a password and a second factor."""

    operator_id: UUID
    login: str
    name_zh: str
    name_en: str
    scopes: frozenset[str]
    session_hash: bytes


Principal = (
    CitizenPrincipal | PartnerPrincipal | ClientPrincipal | SourcePrincipal | OperatorPrincipal
)
