"""The programme document: a data file, proved before it is published.

Proved: the benefit is better than the baseline of the same kind; the rule is monotone, asks only
about known facts and can be explained; it reads exactly what the document says it reads.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from backend.consent.rules import Purpose
from backend.kit.money import format_yuan, parse_yuan
from backend.programme.rules.benefit import Baseline, Benefit, benefit_fault
from backend.programme.rules.fact import Vocabulary
from backend.programme.rules.rule import Rule, facts_of, parse_rule, rule_faults
from backend.record.rules.catalogue import Catalogue, DataFault
from backend.record.rules.denied import find_denied

SEATS_MAX = 10_000_000
PARTNERS_MAX = 500
ANSWER_VALID_SECONDS_MAX = 86_400

Kind = Literal["loan", "rental", "transit", "tourism", "approval", "library"]
Code = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9]*([_-][a-z0-9]+)*\Z", max_length=64)]
Name = Annotated[str, Meta(pattern=r"\S", max_length=60)]
Text = Annotated[str, Meta(pattern=r"\S", max_length=400)]

# Said of a benefit, these would make it a punishment (产品原则 1).
_PUNISHING_ZH = ("失信", "黑名单", "拒绝", "禁止", "限制", "惩戒", "加收", "取消资格")
_PUNISHING_EN = re.compile(
    r"\b(?:blacklist\w*|den(?:y|ied)|refuse\w*|ban(?:s|ned)?|surcharge\w*)\b"
)

_YUAN_IN_TEXT = re.compile(r"([0-9][0-9,.]*)\s*(?:元|yuan)")


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A programme as it stands in its file; `rule` is in the file's own form.

    `facts` and `record_classes` are all that the rule may read. `ends_on` is the last day, in the
    city; `answer_valid_seconds` is how long a partner may rely on a yes.
    """

    code: Code
    kind: Kind
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    name_zh: Name
    name_en: Name
    summary_zh: Text
    summary_en: Text
    purpose: Code
    partners: Annotated[list[Code], Meta(min_length=1, max_length=PARTNERS_MAX)]
    seats: Annotated[int, Meta(ge=1, le=SEATS_MAX)]
    starts_on: date
    ends_on: date | None
    answer_valid_seconds: Annotated[int, Meta(ge=1, le=ANSWER_VALID_SECONDS_MAX)]
    facts: list[str]
    record_classes: list[str]
    baseline: Baseline
    baseline_zh: Text
    baseline_en: Text
    benefit: Benefit
    benefit_zh: Text
    benefit_en: Text
    rule: dict[str, Any]

    def is_open_on(self, day: date) -> bool:
        """Whether the programme runs on a day of the city."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


class Programme(msgspec.Struct, frozen=True):
    """A proved document with its rule in clauses.

    `digest` is the SHA-256 of the canonical JSON of what stands in the file.
    """

    document: Document
    rule: Rule
    digest: bytes


def load_programme(
    text: str,
    *,
    vocabulary: Vocabulary,
    purposes: Mapping[str, Purpose],
    catalogue: Catalogue,
) -> Programme:
    """Read and prove a programme file (TOML); raises DataFault with every fault found."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise DataFault([f"not TOML: {fault}"]) from None
    digest = hashlib.sha256(msgspec.json.encode(raw, order="sorted")).digest()
    faults: list[str] = []
    # A programme without an end says so by leaving ends_on out: TOML has no null.
    members = _converted_members({"ends_on": None, **raw}, faults)
    rule = parse_rule(members["rule"], faults) if "rule" in members else ()
    faults += rule_faults(rule, vocabulary)
    faults += _reading_faults(members, rule, vocabulary=vocabulary, catalogue=catalogue)
    faults += _text_faults(members)
    for name in ("baseline", "benefit"):
        faults += _amount_faults(members, name)
    if "baseline" in members and "benefit" in members:
        worse = benefit_fault(members["baseline"], members["benefit"])
        faults += [] if worse is None else [f"benefit: {worse}"]
    if "purpose" in members and members["purpose"] not in purposes:
        faults.append(f"purpose: {members['purpose']} is not one a consent can be given for")
    ends_on = members.get("ends_on")
    if ends_on is not None and ends_on < members.get("starts_on", ends_on):
        faults.append("ends_on: before starts_on")
    if faults:
        raise DataFault(faults)
    return Programme(Document(**members), rule, digest)


def restore_programme(stored: dict[str, Any], digest: bytes) -> Programme:
    """Read back a document that was proved when it was published."""
    document = msgspec.convert(stored, Document)
    faults: list[str] = []
    rule = parse_rule(document.rule, faults)
    assert not faults, f"a published rule can't be read any more: {faults}"
    return Programme(document, rule, digest)


def _converted_members(raw: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    """Convert each member by itself, so that one that is wrong doesn't hide the others."""
    members: dict[str, Any] = {}
    fields = {field.name: field.type for field in msgspec.structs.fields(Document)}
    faults += [f"unknown member {name}" for name in sorted(raw.keys() - fields.keys())]
    for name, kind in fields.items():
        if name not in raw:
            faults.append(f"{name}: is missing")
            continue
        try:
            members[name] = msgspec.convert(raw[name], kind)
        except msgspec.ValidationError as fault:
            faults.append(f"{name}: {fault}")
    return members


def _reading_faults(
    members: dict[str, Any], rule: Rule, *, vocabulary: Vocabulary, catalogue: Catalogue
) -> list[str]:
    """Check that the rule reads what the document says, no more and no less (个人信息保护法 6)."""
    faults = []
    known = catalogue.classes.keys()
    facts = set(members.get("facts", ()))
    classes = set(members.get("record_classes", ()))
    used = facts_of(rule)
    made_from = {name for code in used if code in vocabulary for name in vocabulary[code].classes}
    faults += [
        f"facts: {code} is not in the vocabulary" for code in sorted(facts - set(vocabulary))
    ]
    faults += [f"record_classes: {code} is not catalogued" for code in sorted(classes - known)]
    if rule:
        faults += [f"facts: the rule reads {code}" for code in sorted(used - facts)]
        faults += [f"facts: the rule does not read {code}" for code in sorted(facts - used)]
        faults += [f"record_classes: the rule reads {c}" for c in sorted(made_from - classes)]
        faults += [f"record_classes: no fact needs {c}" for c in sorted(classes - made_from)]
    # 征信业管理条例 14: such records need the person's written consent to each single use.
    faults += [
        f"record_classes: {code} needs a written consent of its own"
        for code in sorted(classes & known)
        if catalogue.classes[code].sensitivity != "plain"
    ]
    partners = members.get("partners", [])
    if len(set(partners)) < len(partners):
        faults.append("partners: one is given twice")
    return faults


def _text_faults(members: dict[str, Any]) -> list[str]:
    faults = []
    for name, value in members.items():
        if not name.endswith(("_zh", "_en")):
            continue
        words = [word for word in _PUNISHING_ZH if word in value]
        words += _PUNISHING_EN.findall(value.lower())
        if words:
            faults.append(f"{name}: a programme only grants ({', '.join(words)})")
        # No record says it, and who would enrol in such a thing would say it themselves.
        if denied := find_denied(value):
            faults.append(f"{name}: deny-listed content ({', '.join(denied)}): 条例 art. 14")
    return faults


def _amount_faults(members: dict[str, Any], name: str) -> list[str]:
    """Check that the texts about a term name no amount of money that the term hasn't got."""
    if name not in members:
        return []
    term = msgspec.structs.asdict(members[name])
    amounts = {format_yuan(value) for field, value in term.items() if field.endswith("_fen")}
    faults = []
    for text in (f"{name}_zh", f"{name}_en"):
        for said in _YUAN_IN_TEXT.findall(members.get(text, "")):
            try:
                amount = format_yuan(parse_yuan(said.replace(",", "")))
            except ValueError:
                amount = said
            if amount not in amounts:
                faults.append(f"{text}: says {said} yuan, which the {name} has not got")
    return faults
