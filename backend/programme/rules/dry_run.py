"""A dry run: what a version would mean for the city, before anybody approves it.

Numbers about people are k-anonymous (product line 12). Who reads them has written the rule, and
can write it so that one person more or less is within; so they are blurred, and none is told from
a few. Cost is reckoned from what is told, so it tells nothing more.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.kit.anonymity import People, tell, tell_blurred, tell_part, told
from backend.programme.rules.document import Document, Programme

PERMILLE = 1_000


class Check(msgspec.Struct, frozen=True):
    """One static check by its name; nothing was found when there are no faults."""

    name: str
    faults: list[str]

    @property
    def is_sound(self) -> bool:
        """Whether it found nothing."""
        return not self.faults


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What it would cost if everybody eligible enrolled, as far as there are seats.

    None where too few are eligible to be told, or there is no budget.
    """

    expected_cost_fen: int
    seats: int
    cost_fen: int | None
    budget_fen: int | None
    is_within: bool | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Who would gain and lose against the live version; None for a number that isn't told."""

    live_version: int
    gained: int | None
    lost: int | None
    kept: int | None
    neither: int | None


class GroupShare(msgspec.Struct, frozen=True):
    """One age band or district: how many people, how many of them eligible; None isn't told."""

    code: str
    people: int | None
    eligible: int | None
    share_permille: int | None


class Parity(msgspec.Struct, frozen=True):
    """How eligibility falls on age bands (by the age they begin at) and districts."""

    age_bands: list[GroupShare]
    districts: list[GroupShare]


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, by whom and when, and what was found.

    `participants` all told; `not_scored` are those whose scores are of another scorecard and were
    left out. `rule_met` meet the rule, and `eligible` the conditions of enrolment too.
    """

    dry_run_id: UUID
    programme: str
    version: int
    digest: str
    live_version: int | None
    live_digest: str | None
    scorecard_version: str
    catalogue_edition: str
    as_of: date
    made_by: str
    made_at: datetime
    checks: list[Check]
    participants: int
    not_scored: int | None
    rule_met: int | None
    eligible: int | None
    cost: Cost
    difference: Difference | None
    parity: Parity

    @property
    def is_sound(self) -> bool:
        """Whether every static check found nothing: what has faults is approved by nobody."""
        return all(check.is_sound for check in self.checks)


class Seen(msgspec.Struct, frozen=True):
    """One participant as a dry run sees them, for the moment of counting.

    `mark` is a number of theirs that nobody can foresee (kit/anonymity.py).
    """

    mark: int
    age_band: int
    district: str
    is_scored: bool
    is_met: bool
    is_eligible: bool
    was_met: bool


class _Group:
    """Participants who have something in common, and those of them who are eligible."""

    def __init__(self) -> None:
        self.people, self.eligible = People(), People()

    def add(self, seen: Seen) -> None:
        self.people.add(seen.mark)
        if seen.is_eligible:
            self.eligible.add(seen.mark)


class Cohort:
    """The city counted, one participant after the other; nobody is kept."""

    def __init__(self) -> None:
        self.not_scored = 0
        self._all = _Group()
        self._moves: defaultdict[tuple[bool, bool], People] = defaultdict(People)
        self._ages: defaultdict[str, _Group] = defaultdict(_Group)
        self._districts: defaultdict[str, _Group] = defaultdict(_Group)

    @property
    def participants(self) -> int:
        """How many are counted by now."""
        return self._all.people.count

    def add(self, seen: Seen) -> None:
        """Count one participant."""
        assert seen.is_met or not seen.is_eligible, "who enrols meets the rule"
        self.not_scored += not seen.is_scored
        self._moves[seen.was_met, seen.is_met].add(seen.mark)
        for group in (self._all, self._ages[f"{seen.age_band}"], self._districts[seen.district]):
            group.add(seen)

    def told_parts(self, programme: Programme) -> tuple[int | None, int | None, int | None]:
        """Return not scored, meeting the rule and eligible, as they may be told."""
        everybody, eligible = self._all.people, self._all.eligible
        met = self._moves[False, True].and_also(self._moves[True, True])
        told_eligible = tell_blurred(eligible, everybody)
        if programme.enrol and tell_blurred(eligible, met) is None:
            # The few of those who meet the rule whom age or district keeps out are telling too.
            told_eligible = None
        return (
            tell_part(self.not_scored, everybody.count),
            tell_blurred(met, everybody),
            told_eligible,
        )

    def cost_of(self, document: Document, eligible: int | None) -> Cost:
        """Reckon the cost of a document for those who are told to be eligible."""
        enrolled = None if eligible is None else min(eligible, document.seats)
        cost = None if enrolled is None else enrolled * document.expected_cost_fen
        budget = None if document.budget is None else document.budget.amount_fen
        return Cost(
            expected_cost_fen=document.expected_cost_fen,
            seats=document.seats,
            cost_fen=cost,
            budget_fen=budget,
            is_within=None if cost is None or budget is None else cost <= budget,
        )

    def difference_to(self, live_version: int | None) -> Difference | None:
        """Return who gains and loses against the live version, or None where there is none."""
        if live_version is None:
            return None
        told = {}
        for was_met in (False, True):
            change, same = self._moves[was_met, not was_met], self._moves[was_met, was_met]
            whole = change.and_also(same)
            told[was_met] = tell_blurred(change, whole), tell_blurred(same, whole)
        (gained, neither), (lost, kept) = told[False], told[True]
        return Difference(
            live_version=live_version, gained=gained, lost=lost, kept=kept, neither=neither
        )

    def parity(self) -> Parity:
        """Return how eligibility falls on groups."""
        return Parity(_shares(self._ages), _shares(self._districts))


def checks_of(found: Mapping[str, Sequence[str]]) -> list[Check]:
    """Return checks as they are kept, in the order they were made."""
    return [Check(name, list(faults)) for name, faults in found.items()]


def promise_faults(
    document: Document, *, seats_taken: int, committed_fen: int, uses: int
) -> list[str]:
    """Return why a document would take back what is promised: seats, an amount, uses."""
    faults = []
    if document.seats < seats_taken:
        faults.append("seats: more citizens are enrolled")
    limit_fen = None if document.budget is None else document.budget.amount_fen
    if limit_fen is not None and limit_fen < committed_fen:
        faults.append(f"budget.amount_fen: {committed_fen} fen are reserved or spent")
    limit_uses = None if document.budget is None else document.budget.uses
    if limit_uses is not None and limit_uses < uses:
        faults.append(f"budget.uses: {uses} are counted already")
    return faults


def _shares(groups: Mapping[str, _Group]) -> list[GroupShare]:
    codes = sorted(groups, key=lambda code: (len(code), code))
    people = tell([groups[code].people.count for code in codes])
    shares = []
    for code, whole in zip(codes, people, strict=True):
        group = groups[code]
        part = None if whole is None else tell_blurred(group.eligible, group.people)
        share = None
        if part is not None and whole:
            share = part * PERMILLE // whole
        shares.append(GroupShare(code, whole, part, share))
    return shares


def told_participants(cohort: Cohort) -> int:
    """Return how many take part, as it may be told."""
    return told(cohort.participants)
