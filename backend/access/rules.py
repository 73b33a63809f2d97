"""Scopes and principals: what a verified token says about its bearer."""

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
    ELIGIBILITY_VERIFY = "eligibility:verify"
    SUBMISSIONS_WRITE = "submissions:write"
    QUALITY_READ = "quality:read"


# The first-party app acts for the citizen in everything the citizen may do.
CITIZEN_SCOPES = frozenset(scope for scope in Scope if scope.startswith("me:"))
PARTNER_SCOPES = frozenset({Scope.ELIGIBILITY_VERIFY})
# What a source department does with its own files; no citizen is asked, and none is shown.
SOURCE_SCOPES = frozenset({Scope.SUBMISSIONS_WRITE, Scope.QUALITY_READ})


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


class SourcePrincipal(msgspec.Struct, frozen=True):
    """A source department acting for itself, with its own files only."""

    partner_id: UUID
    client_id: str
    source_code: str
    scopes: frozenset[str]
    token_hash: bytes


Principal = CitizenPrincipal | PartnerPrincipal | SourcePrincipal
