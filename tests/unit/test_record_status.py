"""Goal: a record is in exactly one state, and leaves it only by a step of the one table.

Method: the table and the signs of states over made-up versions; the table in docs/record-life.md
is made again from the code and compared.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

from backend.kit.problem import Refusal
from backend.record.rules.life import Record, RecordVersion, counts
from backend.record.rules.status import (
    STEPS,
    WHY_NOT,
    Status,
    Step,
    check_words,
    next_status,
    status_of,
    why_not,
)

DOCUMENT = Path(__file__).parents[2] / "docs/record-life.md"
TODAY = date(2026, 11, 20)
AT = datetime(2026, 11, 1, tzinfo=UTC)


def version_of(
    *,
    action: str = "report",
    ends_on: date | None = date(2027, 1, 1),
    superseded: bool = False,
    disputed: bool = False,
    repaired: bool = False,
) -> RecordVersion:
    """Return a version with the marks given."""
    return RecordVersion(
        *(UUID(int=9), UUID(int=1), "penalty_minor", "s", "x", 1, 1, date(2026, 10, 1), None),
        *(ends_on, AT, AT if disputed else None, AT if repaired else None, 0, action),
        AT if superseded else None,
    )


NAMES_ZH = {
    Status.STANDING: "有效",
    Status.DISPUTED: "异议处理中",
    Status.REPAIRED: "已修复",
    Status.ENDED: "已到期",
    Status.SUPERSEDED: "已更正",
    Status.WITHDRAWN: "已撤回",
}


def steps_table() -> str:
    """Write the table of states and steps as the document shows it."""
    lines = [
        "| state · 状态 | " + " | ".join(f"`{step}`" for step in Step) + " |",
        "|---" * (len(Step) + 1) + "|",
    ]
    for status in Status:
        cells = [f"**{after}**" if (after := STEPS.get((status, step))) else "–" for step in Step]
        lines.append(f"| `{status}` {NAMES_ZH[status]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


class TestSteps:
    @pytest.mark.parametrize(("status", "step"), list(product(Status, Step)))
    def test_a_step_leads_where_the_table_says_or_is_refused(self, status: Status, step: Step):
        if (status, step) in STEPS:
            assert next_status(status, step) is STEPS[status, step]
            return
        with pytest.raises(Refusal) as refused:
            next_status(status, step)
        assert refused.value.code == "record_step_impossible"
        assert refused.value.facts == {"status": status.value, "step": step.value}

    def test_nothing_comes_back_to_standing_but_by_a_confirmed_dispute(self):
        back = {pair for pair, after in STEPS.items() if after is Status.STANDING}
        assert back == {(Status.DISPUTED, Step.CONFIRM)}

    def test_what_was_superseded_or_withdrawn_stays_so(self):
        left = {status for status, _ in STEPS}
        assert left == set(Status) - {Status.SUPERSEDED, Status.WITHDRAWN}

    def test_what_does_not_end_by_itself_can_end_by_time_from_every_state_it_is_shown_in(self):
        shown = (Status.STANDING, Status.DISPUTED, Status.REPAIRED)
        assert all(STEPS[status, Step.END] is Status.ENDED for status in shown)

    def test_the_document_shows_the_table_as_it_is(self):
        assert steps_table() in DOCUMENT.read_text()


class TestStatus:
    @pytest.mark.parametrize(
        ("version", "status"),
        [
            (version_of(), Status.STANDING),
            (version_of(ends_on=None), Status.STANDING),
            (version_of(disputed=True), Status.DISPUTED),
            (version_of(repaired=True), Status.REPAIRED),
            (version_of(disputed=True, repaired=True), Status.REPAIRED),
            (version_of(ends_on=TODAY), Status.ENDED),
            (version_of(ends_on=TODAY + timedelta(days=1)), Status.STANDING),
            (version_of(ends_on=TODAY, disputed=True), Status.ENDED),
            (version_of(ends_on=TODAY, repaired=True), Status.ENDED),
            (version_of(superseded=True, disputed=True), Status.SUPERSEDED),
            (version_of(superseded=True, ends_on=TODAY), Status.SUPERSEDED),
            (version_of(action="withdraw", superseded=True), Status.WITHDRAWN),
            (version_of(action="repair", repaired=True), Status.REPAIRED),
        ],
    )
    def test_a_state_is_read_off_a_version(self, version: RecordVersion, status: Status):
        assert status_of(version, TODAY) is status

    def test_a_current_record_is_judged_by_its_own_marks(self):
        marks = {name: getattr(version_of(), name) for name in Record.__struct_fields__}
        assert status_of(Record(**marks), TODAY) is Status.STANDING

    @pytest.mark.parametrize("disputed", [False, True])
    @pytest.mark.parametrize("repaired", [False, True])
    @pytest.mark.parametrize("ends_on", [None, TODAY, TODAY + timedelta(days=1)])
    @pytest.mark.parametrize("as_of", [date(2026, 9, 30), date(2026, 10, 1), TODAY])
    def test_a_current_record_counts_exactly_while_it_stands_and_its_day_has_come(
        self, disputed, repaired, ends_on, as_of
    ):
        version = version_of(disputed=disputed, repaired=repaired, ends_on=ends_on)
        stands = status_of(version, as_of) is Status.STANDING
        assert counts(version, as_of) == (stands and version.occurred_on <= as_of)
        assert (why_not(version, as_of) is None) == counts(version, as_of)

    def test_every_state_has_words_in_both_languages(self):
        assert WHY_NOT.keys() == set(Status)
        assert all(each.zh and each.en for each in WHY_NOT.values())


class TestWords:
    def test_who_and_why_are_kept_as_they_are(self):
        check_words(actor="王主任", reason="已核对原始票据，编号 2026-113")

    @pytest.mark.parametrize(
        ("member", "text"),
        [
            ("actor", ""),
            ("actor", "x" * 65),
            ("reason", "   "),
            ("reason", "x" * 201),
            ("reason", "two\nlines"),
            ("reason", "身份证 99900119900307203X 的异议"),
            ("reason", "电话 13900000001"),
        ],
    )
    def test_what_can_not_be_shown_to_the_citizen_is_refused(self, member: str, text: str):
        words = {"actor": "Wang", "reason": "reason", member: text}
        with pytest.raises(Refusal) as refused:
            check_words(**words)
        assert refused.value.code == "record_words_invalid"
        assert refused.value.facts["member"] == member
