"""The programme document: a data file, proved before anybody can enrol in what it says.

What is proved, and why, is in `proof`; here is what a document holds and how it is read. What was
published is never changed, so a document of an older release is read back as it would be written
now: its one purpose is a list of one, and what it didn't say has its plain meaning.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from backend.programme.rules.benefit import AMOUNT_FEN_MAX, Baseline, Benefit, GrantedFen
from backend.programme.rules.context import ContextRule, parse_context_rule
from backend.programme.rules.rule import Rule, parse_rule
from backend.record.rules.catalogue import DataFault

SEATS_MAX = 10_000_000
PARTNERS_MAX = 500
PURPOSES_MAX = 8
ANSWER_VALID_SECONDS_MAX = 86_400
LIMIT_FEN_MAX = 100_000_000_000_00
USES_MAX = 1_000_000_000
RESERVATION_MINUTES_MAX = 60 * 24 * 31
# 征信业管理条例 15: told before it is an item, in time to answer. A working week at least.
WAITING_WORKING_DAYS_LEAST, WAITING_WORKING_DAYS_MAX = 5, 60

Code = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9]*([_-][a-z0-9]+)*\Z", max_length=64)]
Name = Annotated[str, Meta(pattern=r"\S", max_length=60)]
Text = Annotated[str, Meta(pattern=r"\S", max_length=400)]
LimitFen = Annotated[int, Meta(ge=1, le=LIMIT_FEN_MAX)]
LimitUses = Annotated[int, Meta(ge=1, le=USES_MAX)]
Span = Literal["programme", "partner", "day", "month", "citizen"]
SPANS: tuple[Span, ...] = ("programme", "partner", "day", "month", "citizen")


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may be reserved and settled, and how often; None is no limit."""

    amount_fen: LimitFen | None = None
    uses: LimitUses | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a programme may cost as a whole, with one partner, in a day, a month, for a citizen.

    `reservation_minutes` is how long an amount is kept for an order that nobody has confirmed.
    """

    reservation_minutes: Annotated[int, Meta(ge=1, le=RESERVATION_MINUTES_MAX)]
    amount_fen: LimitFen | None = None
    uses: LimitUses | None = None
    partner: Limit | None = None
    day: Limit | None = None
    month: Limit | None = None
    citizen: Limit | None = None

    def limit_of(self, span: Span) -> Limit:
        """Return the limit of a span; one without limits where the file says nothing."""
        if span == "programme":
            return Limit(amount_fen=self.amount_fen, uses=self.uses)
        found: Limit | None = getattr(self, span)
        return found or Limit()


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How partners open orders: who confirms each, and what one may be for at most."""

    confirm: Literal["citizen", "consent"]
    amount_max_fen: GrantedFen


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A programme as it stands in its file; `rule` and `enrol` are in the file's own form.

    `facts` and `record_classes` are all that the rule may read. `ends_on` is the last day, in the
    city; `answer_valid_seconds` is how long a partner may rely on a yes. `purposes` are what
    consents may be given for, the main one first. `expected_cost_fen` is what an enrolment is
    reckoned to cost. Of programmes in one `exclusive_group` a citizen has one at a time, but for
    those in `stacks_with`. Without `order` no orders are opened; `performed_class` is the class of
    the record that a performed one becomes, and what is owed stands after `waiting_working_days`.
    """

    code: Code
    kind: Code
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    name_zh: Name
    name_en: Name
    summary_zh: Text
    summary_en: Text
    purposes: Annotated[list[Code], Meta(min_length=1, max_length=PURPOSES_MAX)]
    partners: Annotated[list[Code], Meta(min_length=1, max_length=PARTNERS_MAX)]
    seats: Annotated[int, Meta(ge=1, le=SEATS_MAX)]
    starts_on: date
    ends_on: date | None = None
    answer_valid_seconds: Annotated[int, Meta(ge=1, le=ANSWER_VALID_SECONDS_MAX)]
    expected_cost_fen: Annotated[int, Meta(ge=0, le=AMOUNT_FEN_MAX)]
    facts: list[str]
    record_classes: list[str]
    baseline: Baseline
    baseline_zh: Text
    baseline_en: Text
    benefit: Benefit
    benefit_zh: Text
    benefit_en: Text
    rule: dict[str, Any]
    enrol: dict[str, Any] | None = None
    budget: Budget | None = None
    order: OrderTerms | None = None
    performed_class: str | None = None
    waiting_working_days: Annotated[
        int, Meta(ge=WAITING_WORKING_DAYS_LEAST, le=WAITING_WORKING_DAYS_MAX)
    ] = 10
    exclusive_group: Code | None = None
    stacks_with: list[Code] = []

    @property
    def purpose(self) -> str:
        """The main purpose, the one that citizens are told first."""
        return self.purposes[0]

    def is_open_on(self, day: date) -> bool:
        """Whether the programme runs on a day of the city."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)

    def excludes(self, other: "Document") -> bool:
        """Whether a citizen can't have both at a time; either of them may make the exception."""
        is_one_group = (
            self.exclusive_group is not None and self.exclusive_group == other.exclusive_group
        )
        stacks = other.code in self.stacks_with or self.code in other.stacks_with
        return is_one_group and not stacks and self.code != other.code


class Programme(msgspec.Struct, frozen=True):
    """A proved document with its rule, and the conditions of enrolment, in clauses.

    `digest` is the SHA-256 of the canonical JSON of what stands in the file.
    """

    document: Document
    rule: Rule
    digest: bytes
    enrol: ContextRule = ()


def read_programme(text: str, faults: list[str]) -> tuple[dict[str, Any], Programme | None]:
    """Read a programme file (TOML) without proving it; what can't be read is added to `faults`.

    Returns the members that could be read, and the programme when all of them could. Raises
    DataFault for what is no TOML at all.
    """
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        # A number of thousands of digits, or arrays in arrays, break the reader in their own ways.
        raise DataFault([f"not TOML: {fault}"]) from None
    found = len(faults)
    members = _converted_members(raw, faults)
    rule = parse_rule(members["rule"], faults) if "rule" in members else ()
    enrol = parse_context_rule(members["enrol"], faults) if members.get("enrol") else ()
    if len(faults) > found:
        return members, None
    digest = hashlib.sha256(msgspec.json.encode(raw, order="sorted")).digest()
    return members, Programme(Document(**members), rule, digest, enrol)


def restore_programme(stored: dict[str, Any], digest: bytes) -> Programme:
    """Read back a document that was proved when it was published."""
    document = msgspec.convert(_grown(stored), Document)
    faults: list[str] = []
    rule = parse_rule(document.rule, faults)
    enrol = parse_context_rule(document.enrol, faults) if document.enrol else ()
    assert not faults, f"a published rule can't be read any more: {faults}"
    return Programme(document, rule, digest, enrol)


def _grown(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored document as this release would have stored it."""
    members = dict(stored)
    if "purpose" in members:
        members["purposes"] = [members.pop("purpose")]
    members.setdefault("expected_cost_fen", 0)
    return members


def _converted_members(raw: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    """Convert each member by itself, so that one that is wrong doesn't hide the others."""
    members: dict[str, Any] = {}
    fields = {field.name: field for field in msgspec.structs.fields(Document)}
    faults += [f"unknown member {name}" for name in sorted(raw.keys() - fields.keys())]
    for name, field in fields.items():
        if name not in raw:
            faults += [f"{name}: is missing"] if field.required else []
            continue
        try:
            members[name] = msgspec.convert(raw[name], field.type)
        except msgspec.ValidationError as fault:
            faults.append(f"{name}: {fault}")
    return members
