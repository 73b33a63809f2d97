"""Goal: a dry run tells nobody of fewer than twenty people, and a step of life comes in its turn.

Method: cohorts counted by hand, and versions in every state with every step.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from random import Random
from typing import Any

import msgspec
import pytest

from backend.kit.problem import Refusal
from backend.programme.rules import life
from backend.programme.rules.dry_run import Cohort, Seen, promise_faults
from backend.programme.rules.forbidden import SERVICES, forbidden_kind, forbidden_words
from backend.programme.rules.life import DryRunFacts, Version, VersionState
from backend.programme.service import load_by_packaged, packaged_documents

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LIBRARY = load_by_packaged((files("backend.programme") / "data/library.toml").read_text("utf-8"))
CONDITIONED = load_by_packaged(
    (files("backend.programme") / "data/library.toml")
    .read_text("utf-8")
    .replace("[rule]", '[enrol]\nfact = "context.age"\nat_least = 100\n\n[rule]')
)
VERSION = Version(
    programme_code="library",
    version=3,
    state=VersionState.SUBMITTED,
    text="",
    document={},
    digest=b"a" * 32,
    drafted_by="ann",
    drafted_at=NOW,
    submitted_by="ann",
    submitted_at=NOW,
    decided_by=None,
    decided_at=None,
    dry_run_id=None,
    published_at=None,
)
FACTS = DryRunFacts(
    programme_code="library",
    version=3,
    digest=b"a" * 32,
    live_digest=b"b" * 32,
    scorecard_version="2026-2",
    made_at=NOW - timedelta(hours=24),
    is_sound=True,
)


def cohort(*parts: tuple[int, Seen]) -> Cohort:
    counted = Cohort()
    for count, seen in parts:
        for _ in range(count):
            counted.add(seen)
    return counted


def seen(mark: int = 0, **changes: Any) -> Seen:
    plain = Seen(mark, 25, "350102", is_scored=True, is_met=True, is_eligible=True, was_met=True)
    return msgspec.structs.replace(plain, **changes)


OUT = {"is_met": False, "is_eligible": False, "was_met": False}


@pytest.mark.parametrize(
    ("yes", "no", "told"),
    [(0, 100, None), (19, 81, None), (20, 80, 20), (59, 41, 40), (85, 15, None), (100, 0, None)],
)
def test_a_few_are_never_told_neither_of_the_one_side_nor_of_the_other(
    yes: int, no: int, told: int | None
) -> None:
    _, rule_met, eligible = cohort((yes, seen()), (no, seen(**OUT))).told_parts(LIBRARY)
    assert rule_met == told
    assert eligible == told


def test_who_is_kept_out_by_age_or_district_alone_is_not_told_when_few() -> None:
    counted = cohort((60, seen()), (5, seen(is_eligible=False)), (40, seen(**OUT)))
    _, rule_met, eligible = counted.told_parts(CONDITIONED)
    assert (rule_met, eligible) == (60, None)


def numbers_of(counted: Cohort) -> list[Any]:
    """Return all that is told of whom a version is for."""
    return [
        counted.told_parts(CONDITIONED),
        counted.cost_of(LIBRARY.document, counted.told_parts(CONDITIONED)[2]),
        counted.difference_to(2),
        counted.parity(),
    ]


@pytest.mark.parametrize("others", [{**OUT}, {}], ids=["alone in", "alone out"])
def test_whether_one_person_is_within_is_not_told_by_two_dry_runs(others: dict[str, Any]) -> None:
    """Whoever writes the rule can make it about one: theirs is the only age, in one district."""
    nobody, somebody = (
        cohort((100, seen(**others)), (1, seen(mark=7, **each)))
        for each in (others, {} if others else {**OUT})
    )
    assert numbers_of(nobody) == numbers_of(somebody)


def test_a_number_on_the_edge_of_twenty_does_not_tell_of_one_more() -> None:
    """A bound that is moved finds the edge; then every further person would tip the number."""
    chance = Random(20)
    for edge in (20, 40, 60):
        told: dict[int, Counter[int | None]] = {edge - 1: Counter(), edge: Counter()}
        for _ in range(300):
            for count, found in told.items():
                marks = [chance.getrandbits(64) for _ in range(count)]
                counted = cohort((100, seen(**OUT)), *((1, seen(mark)) for mark in marks))
                found[counted.told_parts(LIBRARY)[1]] += 1
        below, at = told.values()
        assert all(abs(below[number] - at[number]) < 60 for number in below | at), told


def test_the_same_people_are_told_as_the_same_number() -> None:
    """Nobody gets nearer by asking again."""
    marks = [Random(3).getrandbits(64) for _ in range(47)]
    once, again = (
        cohort((100, seen(**OUT)), *((1, seen(mark)) for mark in order))
        for order in (marks, marks[::-1])
    )
    assert numbers_of(once) == numbers_of(again)


def test_gains_and_losses_are_told_in_twenties_or_not_at_all() -> None:
    counted = cohort(
        (25, seen(was_met=False)),
        (45, seen()),
        (30, seen(is_met=False, is_eligible=False)),
        (50, seen(**OUT)),
    )
    found = counted.difference_to(2)
    assert found is not None
    assert (found.gained, found.lost, found.kept, found.neither) == (20, 20, 40, 40)
    few = cohort((3, seen(was_met=False)), (47, seen()), (50, seen(**OUT))).difference_to(2)
    assert few is not None
    assert few.gained is None
    assert [few.kept, few.neither].count(None) >= 1, "the total would give the three away"
    assert counted.difference_to(None) is None


def test_groups_are_told_with_their_share_or_not_at_all() -> None:
    counted = cohort(
        (40, seen(district="350102")),
        (40, seen(district="350102", **OUT)),
        (60, seen(district="350103")),
        (4, seen(district="350104")),
    )
    shares = {each.code: each for each in counted.parity().districts}
    assert (shares["350102"].people, shares["350102"].eligible) == (80, 40)
    assert shares["350102"].share_permille == 500
    assert shares["350104"].people is None
    assert shares["350103"].people is None, "the smallest goes with it, or the rest gives it away"
    assert all(
        each.eligible is None and each.share_permille is None
        for each in shares.values()
        if each.people is None
    )


def test_cost_is_reckoned_from_what_is_told_and_from_seats() -> None:
    document = LIBRARY.document
    counted = cohort((60, seen()), (40, seen(**OUT)))
    assert counted.cost_of(document, 60).cost_fen == 60 * document.expected_cost_fen
    few_seats = msgspec.structs.replace(document, seats=7)
    assert counted.cost_of(few_seats, 60).cost_fen == 7 * document.expected_cost_fen
    assert counted.cost_of(document, None).cost_fen is None
    assert counted.cost_of(document, None).is_within is None
    assert document.budget is not None
    tight = msgspec.structs.replace(document.budget, amount_fen=59_999)
    assert counted.cost_of(msgspec.structs.replace(document, budget=tight), 60).is_within is False


@pytest.mark.parametrize(
    ("promised", "said"),
    [
        ({"seats_taken": 200_001, "committed_fen": 0, "uses": 0}, "seats"),
        ({"seats_taken": 0, "committed_fen": 200_000_001, "uses": 0}, "budget.amount_fen"),
        ({"seats_taken": 200_000, "committed_fen": 200_000_000, "uses": 10**9}, None),
    ],
)
def test_a_version_takes_nothing_back_that_is_promised(
    promised: dict[str, int], said: str | None
) -> None:
    faults = promise_faults(LIBRARY.document, **promised)
    assert [fault.partition(":")[0] for fault in faults] == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"digest": b"c" * 32}, "other_text"),
        ({"version": 4}, "unknown"),
        ({"programme_code": "rental"}, "unknown"),
        ({"live_digest": None}, "other_live_version"),
        ({"scorecard_version": "2027-1"}, "other_scorecard"),
        ({"made_at": NOW - timedelta(hours=24, seconds=1)}, "too_old"),
        ({"made_at": NOW + timedelta(seconds=1)}, "too_old"),
        ({"is_sound": False}, "faults"),
    ],
)
def test_a_dry_run_stands_for_one_text_one_day_and_what_is_live(
    changes: dict[str, Any], why: str | None
) -> None:
    facts = msgspec.structs.replace(FACTS, **changes)

    def check() -> None:
        life.check_dry_run(
            facts,
            version=VERSION,
            live_digest=b"b" * 32,
            scorecard_version="2026-2",
            now=NOW,
        )

    if why is None:
        check()
        return
    with pytest.raises(Refusal) as refused:
        check()
    assert (refused.value.code, refused.value.facts) == ("programme_dry_run_unfit", {"why": why})


@pytest.mark.parametrize("state", [*VersionState])
def test_each_state_allows_its_own_steps(state: VersionState) -> None:
    version = msgspec.structs.replace(VERSION, state=state)
    steps = {
        "submit": lambda: life.check_submission(version),
        "decide": lambda: life.check_decision(version, by="ben", step="approve"),
        "redraft": lambda: life.check_redraft(version, by="ann"),
    }
    allowed = {
        VersionState.DRAFT: {"submit", "redraft"},
        VersionState.SUBMITTED: {"decide"},
        VersionState.REJECTED: {"redraft"},
    }.get(state, set())
    for name, step in steps.items():
        if name in allowed:
            step()
            continue
        with pytest.raises(Refusal):
            step()


def test_no_kind_and_no_text_of_what_everybody_has_a_right_to() -> None:
    for service in SERVICES:
        assert service.law.startswith("《")
        for kind in service.kinds:
            assert forbidden_kind(kind) is service
    assert forbidden_kind("cycling") is None
    for text in ("优先挂号", "子女入学", "Faster hospital admission", "停水期间", "领取养老金"):
        assert forbidden_words(text), text
    for programme in packaged_documents():
        document = programme.document
        for text in (document.summary_zh, document.summary_en, document.benefit_zh):
            assert forbidden_words(text) == []


@pytest.mark.parametrize("person", ["ann", "bob"])
def test_neither_who_drafted_nor_who_submitted_decides(person: str) -> None:
    version = msgspec.structs.replace(VERSION, drafted_by="ann", submitted_by="bob")
    with pytest.raises(Refusal) as refused:
        life.check_decision(version, by=person, step="approve")
    assert refused.value.code == "programme_self_decision"
    life.check_decision(version, by="ben", step="approve")
