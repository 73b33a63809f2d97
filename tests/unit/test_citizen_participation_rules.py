"""Goal: nobody joins on a notice that is not in force, and each notice is whole in two languages.

Method: every combination of standing and accepted version; the shipped notice; broken ones.
"""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from backend.citizen.rules import JoinStep, Notice, Participation, decide_join, parse_notice
from backend.citizen.service import CURRENT_NOTICE
from backend.kit.problem import Refusal

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOTICE = Notice("2026-11", "标题", "title", "正文", "text")
WHOLE = """version = "2026-11"
title_zh = "标题"
title_en = "title"
text_zh = "正文"
text_en = "text"
"""


def standing(version: str | None) -> Participation | None:
    return None if version is None else Participation(UUID(int=1), b"k", version, NOW)


@pytest.mark.parametrize(
    ("accepted_before", "step"),
    [(None, JoinStep.ENTER), ("2026-11", JoinStep.NOTHING), ("2026-05", JoinStep.RECONFIRM)],
)
def test_accepting_the_notice_in_force_enters_confirms_or_changes_nothing(
    accepted_before: str | None, step: JoinStep
) -> None:
    """Joining is idempotent; a newer notice is confirmed without a new data key."""
    current = standing(accepted_before)
    assert decide_join(current, accepted="2026-11", notice=NOTICE) is step


@pytest.mark.parametrize("accepted_before", [None, "2026-11", "2026-05"])
@pytest.mark.parametrize("accepted", ["2026-05", "2027-01", "", "2026-11 "])
def test_no_other_notice_can_be_accepted(accepted_before: str | None, accepted: str) -> None:
    """Neither an older one nor one that isn't there; the answer names the one in force."""
    with pytest.raises(Refusal) as refused:
        decide_join(standing(accepted_before), accepted=accepted, notice=NOTICE)
    assert refused.value.code == "notice_outdated"
    assert refused.value.facts == {"current_version": "2026-11"}


def test_the_shipped_notice_says_what_the_law_wants_said() -> None:
    """Voluntary, what is used and by whom, incentive only, automated, leaving, age (PIPL 17)."""
    for word in ("自愿", "目录", "授权", "激励", "自动", "退出", "十八周岁", "人工"):
        assert word in CURRENT_NOTICE.text_zh
    for word in ("voluntary", "catalogue", "consent", "reward", "automatic", "leave", "eighteen"):
        assert word in CURRENT_NOTICE.text_en.lower()


def test_a_whole_notice_is_read() -> None:
    """The data file's shape is the struct's."""
    assert parse_notice(WHOLE) == NOTICE


@pytest.mark.parametrize(
    "toml",
    [
        WHOLE.replace('"2026-11"', '"November"'),
        WHOLE.replace('"2026-11"', '"2026-13"'),
        WHOLE.replace('"正文"', '" "'),
        WHOLE.replace("text_en", "text_fr"),
        WHOLE + 'extra = "x"\n',
        "version = ",
    ],
)
def test_a_notice_that_lacks_something_stops_the_start(toml: str) -> None:
    """A missing language, an odd version, an unknown field: found at start, not by a citizen."""
    with pytest.raises((ValueError, msgspec.ValidationError)):
        parse_notice(toml)
