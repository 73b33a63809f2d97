"""The tables a check reads and writes, mapped the usual way."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All mapped classes."""

    type_annotation_map = {  # noqa: RUF012 - the library's way
        datetime: DateTime(timezone=True),
        int: BigInteger,
        str: Text,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(Integer),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
    }


class Token(Base):
    """An access token."""

    __tablename__ = "oauth_access_token"
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    grant_id: Mapped[UUID]
    audience: Mapped[str]
    scopes: Mapped[list[str]]
    dpop_jkt: Mapped[str]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Grant(Base):
    """What a token stands on."""

    __tablename__ = "oauth_grant"
    grant_id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID]
    client_id: Mapped[str]
    partner_id: Mapped[UUID]
    consent_id: Mapped[UUID | None]
    details: Mapped[list[dict[str, Any]]]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Client(Base):
    """A partner's program."""

    __tablename__ = "client"
    client_id: Mapped[str] = mapped_column(primary_key=True)
    suspended_at: Mapped[datetime | None]


class Partner(Base):
    """Who asks."""

    __tablename__ = "partner"
    partner_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    kind: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    suspended_at: Mapped[datetime | None]
    checks_a_day: Mapped[int | None]


class Consent(Base):
    """What a citizen agreed to."""

    __tablename__ = "consent"
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    consent_id: Mapped[UUID] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    programme_code: Mapped[str]
    detail: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Programme(Base):
    """A programme in force."""

    __tablename__ = "programme"
    programme_code: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    ended_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]


class Enrolment(Base):
    """Who takes part in a programme, and by which version."""

    __tablename__ = "enrolment"
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    enrolment_id: Mapped[UUID] = mapped_column(primary_key=True)
    programme_code: Mapped[str]
    programme_version: Mapped[int]
    ended_at: Mapped[datetime | None]


class Participation(Base):
    """Who takes part in the service."""

    __tablename__ = "participation"
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    data_key: Mapped[bytes]


class Score(Base):
    """A score as it stands."""

    __tablename__ = "score"
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    points: Mapped[int]
    identity_points: Mapped[int]
    performance_points: Mapped[int]
    law_points: Mapped[int]
    economic_points: Mapped[int]
    civic_points: Mapped[int]
    indicator_values: Mapped[list[int]]
    scorecard_version: Mapped[str]
    input_digest: Mapped[bytes]
    as_of: Mapped[date]


class DecisionRow(Base):
    """A decision."""

    __tablename__ = "decision"
    subject_id: Mapped[UUID]
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID]
    client_id: Mapped[str]
    consent_id: Mapped[UUID]
    programme_code: Mapped[str]
    programme_version: Mapped[int]
    eligible: Mapped[bool]
    facts_digest: Mapped[bytes]
    trace_sealed: Mapped[bytes | None]
    decided_at: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    day: Mapped[date]
    look_number: Mapped[int]


class AccessEntry(Base):
    """A look in the ledger."""

    __tablename__ = "access_entry"
    subject_id: Mapped[UUID]
    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    actor_name_zh: Mapped[str]
    actor_name_en: Mapped[str]
    action: Mapped[str]
    data_kinds: Mapped[list[str]]
    purpose: Mapped[str]
    purpose_zh: Mapped[str]
    purpose_en: Mapped[str]
    consent_id: Mapped[UUID | None]
    programme_code: Mapped[str | None]
    decision_id: Mapped[UUID | None]
    disclosed: Mapped[str]
    at: Mapped[datetime]
