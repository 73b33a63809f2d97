"""The proof of a programme document, one named check after the other.

A document is loaded when no check finds anything. Before a version is approved the same checks are
made again, by the catalogue and the scorecard of that day, and their names stand in the dry run.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from backend.consent.rules import Purpose
from backend.kit.money import format_yuan, parse_yuan
from backend.programme.rules.benefit import CAPPED, benefit_fault
from backend.programme.rules.document import SPANS, Budget, Limit, Programme, Span, read_programme
from backend.programme.rules.fact import Vocabulary
from backend.programme.rules.forbidden import forbidden_kind, forbidden_words
from backend.programme.rules.rule import Rule, facts_of, parse_rule, rule_faults
from backend.record.rules.catalogue import Catalogue, DataFault
from backend.record.rules.denied import find_denied

# The source that hands in what was performed under orders, in the catalogue's `sources`.
ORDER_SOURCE = "service_orders"

# Said of a benefit, these would make it a punishment (产品原则 1).
_PUNISHING_ZH = ("失信", "黑名单", "拒绝", "禁止", "限制", "惩戒", "加收", "取消资格")
_PUNISHING_EN = re.compile(
    r"\b(?:blacklist\w*|den(?:y|ied)|refuse\w*|ban(?:s|ned)?|surcharge\w*)\b"
)
_DAY_IN_MONTH: tuple[Span, Span] = ("day", "month")
_YUAN_IN_TEXT = re.compile(r"([0-9][0-9,.]*)\s*(?:元|yuan)")


class Ground(msgspec.Struct, frozen=True):
    """What a document is proved by: facts by the scorecard, purposes, the catalogue."""

    vocabulary: Vocabulary
    purposes: Mapping[str, Purpose]
    catalogue: Catalogue


def load_programme(
    text: str,
    *,
    vocabulary: Vocabulary,
    purposes: Mapping[str, Purpose],
    catalogue: Catalogue,
) -> Programme:
    """Read and prove a programme file (TOML); raises DataFault with every fault found."""
    faults: list[str] = []
    members, programme = read_programme(text, faults)
    if _hides(text, apart_from="\r\n\t"):
        faults.append("the file holds characters that nobody sees")
    ground = Ground(vocabulary, purposes, catalogue)
    for found in static_checks(members, ground).values():
        faults += found
    if faults:
        raise DataFault(faults)
    assert programme is not None, "what can't be read is a fault"
    return programme


def static_checks(members: Mapping[str, Any], ground: Ground) -> dict[str, list[str]]:
    """Return every check by its name with the faults it found; `members` may lack some."""
    # Faults in the form of a rule are told when it is read.
    rule = parse_rule(members["rule"], []) if "rule" in members else ()
    return {
        "baseline_or_better": _benefit_faults(members),
        "monotone": rule_faults(rule, ground.vocabulary),
        "reads_what_it_says": _reading_faults(members, rule, ground),
        "related_data_only": _relation_faults(members, ground.catalogue),
        "no_basic_service": _service_faults(members),
        "grants_only": _text_faults(members),
        "consentable": _purpose_faults(members, ground.purposes),
        "budget_consistent": _budget_faults(members),
        "orders_consistent": _order_faults(members, ground.catalogue),
        "period_and_partners": _frame_faults(members),
    }


def _benefit_faults(members: Mapping[str, Any]) -> list[str]:
    faults = [fault for name in ("baseline", "benefit") for fault in _amount_faults(members, name)]
    if "baseline" in members and "benefit" in members:
        worse = benefit_fault(members["baseline"], members["benefit"])
        faults += [] if worse is None else [f"benefit: {worse}"]
    return faults


def _amount_faults(members: Mapping[str, Any], name: str) -> list[str]:
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


def _reading_faults(members: Mapping[str, Any], rule: Rule, ground: Ground) -> list[str]:
    """Check that the rule reads what the document says, no more and no less (个人信息保护法 6)."""
    faults = []
    vocabulary, classes_known = ground.vocabulary, ground.catalogue.classes
    facts = set(members.get("facts", ()))
    classes = set(members.get("record_classes", ()))
    used = facts_of(rule)
    made_from = {name for code in used if code in vocabulary for name in vocabulary[code].classes}
    faults += [
        f"facts: {code} is not in the vocabulary" for code in sorted(facts - set(vocabulary))
    ]
    faults += [
        f"record_classes: {code} is not catalogued"
        for code in sorted(classes - classes_known.keys())
    ]
    if rule:
        faults += [f"facts: the rule reads {code}" for code in sorted(used - facts)]
        faults += [f"facts: the rule does not read {code}" for code in sorted(facts - used)]
        faults += [f"record_classes: the rule reads {c}" for c in sorted(made_from - classes)]
        faults += [f"record_classes: no fact needs {c}" for c in sorted(classes - made_from)]
    # 征信业管理条例 14: such records need the person's written consent to each single use.
    faults += [
        f"record_classes: {code} needs a written consent of its own"
        for code in sorted(classes & classes_known.keys())
        if classes_known[code].sensitivity != "plain"
    ]
    return faults


def _relation_faults(members: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    """Check that each class the rule reads has to do with this kind of programme.

    The catalogue says with which kinds (个人信息保护法 6: directly related to the purpose). The
    score and its dimensions are general.
    """
    if "kind" not in members:
        return []
    return [
        f"record_classes: {code} has nothing to do with a programme of kind {members['kind']}"
        " (programme_kinds in the catalogue)"
        for code in members.get("record_classes", ())
        if code in catalogue.classes
        and members["kind"] not in catalogue.classes[code].programme_kinds
    ]


def _service_faults(members: Mapping[str, Any]) -> list[str]:
    faults = []
    if service := forbidden_kind(members.get("kind", "")):
        faults.append(f"kind: {members['kind']} is everybody's by law: {service.law}")
    for name, value in members.items():
        if name.endswith(("_zh", "_en")):
            faults += [
                f"{name}: {word} is everybody's by law: {service.law}"
                for word, service in forbidden_words(value)
            ]
    return faults


def _text_faults(members: Mapping[str, Any]) -> list[str]:
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
        # Who approves reads what is there, and a word is no other for a mark inside that hides.
        if _hides(value):
            faults.append(f"{name}: holds characters that nobody sees")
    return faults


def _purpose_faults(members: Mapping[str, Any], purposes: Mapping[str, Purpose]) -> list[str]:
    asked = members.get("purposes", [])
    faults = [
        f"purposes: {code} is not one a consent can be given for"
        for code in asked
        if code not in purposes
    ]
    return faults + _repeated("purposes", asked)


def _budget_faults(members: Mapping[str, Any]) -> list[str]:
    """Check that a budget bounds something, and that no part is larger than the whole of it."""
    budget: Budget | None = members.get("budget")
    if budget is None:
        return []
    limits = {span: budget.limit_of(span) for span in SPANS}
    faults = [
        f"budget.{span}: neither amount_fen nor uses"
        for span in SPANS[1:]
        if getattr(budget, span) is not None and limits[span] == Limit()
    ]
    if all(limit.amount_fen is None and limit.uses is None for limit in limits.values()):
        faults.append("budget: bounds nothing; leave it out")
    # A day is part of a month, and everything is part of the whole.
    inside: list[tuple[Span, Span]] = [(span, "programme") for span in SPANS[1:]]
    for part, whole in [*inside, _DAY_IN_MONTH]:
        for name in ("amount_fen", "uses"):
            less, more = (getattr(limits[span], name) for span in (part, whole))
            if less is not None and more is not None and less > more:
                faults.append(f"budget.{part}.{name}: more than the {whole} may have")
    return faults


def _order_faults(members: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    faults = []
    order, benefit = members.get("order"), members.get("benefit")
    if order is not None and benefit is not None and not isinstance(benefit, CAPPED):
        tag = benefit.__struct_config__.tag
        faults.append(f"order: {tag} is granted without an order, there is no amount to grant")
    elif order is not None and benefit is not None and order.amount_max_fen > benefit.cap_fen:
        # A partner is told this bound: what is beyond the cap could only be a no without a cause.
        faults.append("order: more than the benefit's cap")
    code = members.get("performed_class")
    if code is None:
        return faults
    if order is None:
        faults.append("performed_class: nothing is performed without [order]")
    record_class = catalogue.classes.get(code)
    source = catalogue.sources.get(ORDER_SOURCE)
    if record_class is None:
        faults.append(f"performed_class: {code} is not catalogued")
    elif record_class.polarity != "positive":
        faults.append(f"performed_class: {code} is {record_class.polarity}, and must be positive")
    elif source is None or not catalogue.may_report(source, record_class):
        faults.append(f"performed_class: the source {ORDER_SOURCE} may not report {code}")
    return faults


def _frame_faults(members: Mapping[str, Any]) -> list[str]:
    ends_on = members.get("ends_on")
    faults = []
    if ends_on is not None and ends_on < members.get("starts_on", ends_on):
        faults.append("ends_on: before starts_on")
    faults += _repeated("partners", members.get("partners", []))
    stacks = members.get("stacks_with", [])
    if stacks and members.get("exclusive_group") is None:
        faults.append("stacks_with: without exclusive_group everything stacks")
    if members.get("code") in stacks:
        faults.append("stacks_with: names the programme itself")
    return faults + _repeated("stacks_with", stacks)


def _hides(text: str, *, apart_from: str = "") -> bool:
    return any(unicodedata.category(char).startswith("C") for char in set(text) - set(apart_from))


def _repeated(name: str, codes: list[str]) -> list[str]:
    return [f"{name}: one is given twice"] if len(set(codes)) < len(codes) else []
