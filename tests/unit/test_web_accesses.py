"""Goal: a citizen reads in words who of the operators looked, at what, and why.

Method: entries as the record room writes them, through the page's view and template.
"""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from backend.kit.page import Page
from backend.record.service.looking import Looking, look_entry
from backend.web.accesses import accesses_view

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("looking", "disclosed", "said"),
    [
        (Looking.REVIEW, "versions:3", ("信用信息 3 个版本", "Versions of records: 3")),
        (Looking.BAD_LINES, "lines:1", ("文件中的 1 行", "Lines of a file: 1")),
        (Looking.PROOF, "lines:2", ("文件中的 2 行", "Lines of a file: 2")),
    ],
)
def test_an_operators_look_is_told_in_words(
    looking: Looking, disclosed: str, said: tuple[str, str]
) -> None:
    entry = look_entry(
        UUID(int=1), looking, actor="王敏", reason="异议 7", disclosed=disclosed, now=NOW
    )
    (item,) = accesses_view(Page([entry], None), {}).accesses
    assert item.action.zh == "查看信用信息"
    assert (item.disclosed.zh, item.disclosed.en) == said
    assert item.purpose.zh.endswith("：异议 7")
    assert [each.zh for each in item.data_kinds] == ["信用信息"]


def test_what_the_page_has_no_words_for_is_shown_as_it_is() -> None:
    entry = look_entry(
        UUID(int=1), Looking.REVIEW, actor="王敏", reason="x", disclosed="pages:x", now=NOW
    )
    (item,) = accesses_view(Page([entry], None), {}).accesses
    assert item.disclosed.zh == "pages:x"
