"""How a scorecard comes into force: two people, each after a report of it beside the one in force.

Whoever handed it in may be one of the two. A report stands for what its reader saw: this document
and no other, beside the scorecard that is in force now, of a day that is not long ago.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from backend.kit.problem import Refusal

APPROVERS_NEEDED = 2
REPORT_LIFE = timedelta(days=30)
PERSON_LONGEST = 100
# What takes no room and leaves no ink, though Unicode calls it printable (Default_Ignorable, and
# the blank of Braille): two names that differ in nothing else are read as one.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)


class StoredScorecard(msgspec.Struct, frozen=True, kw_only=True):
    """A scorecard as it was submitted; `in_force_at` is null until two people have approved it."""

    version: str
    document: str
    digest: bytes
    submitted_by: str
    submitted_at: datetime
    in_force_at: datetime | None


class ReportFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a report was about; `champion_version` is the scorecard it was laid beside, if any."""

    report_id: UUID
    scorecard_version: str
    scorecard_digest: bytes
    champion_version: str | None
    as_of: date
    made_by: str
    made_at: datetime


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One person's approval of a scorecard, after having seen a report."""

    version: str
    approver: str
    report_id: UUID
    approved_at: datetime


def parse_person(text: str) -> str:
    """Return a person's name in one form; raises Refusal person_invalid."""
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    is_seen = name.isprintable() and not _UNSEEN.search(name)
    if not is_seen or not _letters(name) or len(name) > PERSON_LONGEST:
        raise Refusal("person_invalid")
    return name


def is_same_person(one: str, other: str) -> bool:
    """Say whether two names (of `parse_person`) are one, in whatever case and spacing.

    A name of two characters is often written with a gap (李　薇), one of a minority with one dot or
    another: what is no letter, mark or digit tells nobody apart.
    """
    return _letters(one) == _letters(other)


def _letters(name: str) -> str:
    return "".join(each for each in name.casefold() if unicodedata.category(each)[0] in "LMN")


def report_fault(
    report: ReportFacts, scorecard: StoredScorecard, *, champion_version: str | None, today: date
) -> str | None:
    """Say why a report is no ground for approving a scorecard today; None when it is one."""
    if report.scorecard_version != scorecard.version:
        return "other_scorecard"
    if report.scorecard_digest != scorecard.digest:
        return "other_document"
    if report.champion_version != champion_version:
        return "other_champion"
    if not report.as_of <= today <= report.as_of + REPORT_LIFE:
        return "outdated"
    return None


def decide_approval(
    scorecard: StoredScorecard,
    approvals: Sequence[tuple[Approval, ReportFacts]],
    report: ReportFacts,
    *,
    approver: str,
    champion_version: str | None,
    today: date,
) -> bool:
    """Decide on one more approval; return whether the scorecard comes into force by it.

    `approvals` are those given before, each with the report it named. One whose report has become
    too old, or was laid beside a scorecard that is in force no more, does not count, and the same
    person may approve again. Raises Refusal scorecard_settled, scorecard_report_unfit,
    scorecard_approver_repeated.
    """
    if scorecard.in_force_at is not None:
        raise Refusal("scorecard_settled", version=scorecard.version)
    fault = report_fault(report, scorecard, champion_version=champion_version, today=today)
    if fault is not None:
        raise Refusal("scorecard_report_unfit", fault=fault)
    standing = [
        approval
        for approval, seen in approvals
        if report_fault(seen, scorecard, champion_version=champion_version, today=today) is None
    ]
    if any(is_same_person(approval.approver, approver) for approval in standing):
        raise Refusal("scorecard_approver_repeated")
    people = {_letters(name) for name in (approver, *(each.approver for each in standing))}
    assert len(people) == len(standing) + 1, "nobody approves twice"
    return len(people) >= APPROVERS_NEEDED
