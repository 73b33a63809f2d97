"""Goal: each topic has words in both languages, made from exactly its facts; the text to the phone
says nothing about anybody; what is too old, read or sent is not sent.

Method: the rules alone, every topic.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from backend.notice.rules import (
    FACTS,
    PHONE_TEXT,
    SENT_WITHIN,
    TOPICS,
    Notice,
    facts_of,
    is_to_be_sent,
    words_of,
)

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "amount_fen": 19900,
    "settled_fen": 350,
    "stands_on": date(2026, 12, 4),
    "outcome": "upheld",
    "kind": "not_yet",
    "object": "library",
    "programme": "library",
}


def notice_of(topic: str, **changes: Any) -> Notice:
    facts = facts_of(topic, {name: VALUES.get(name, uuid4()) for name in FACTS[topic]})
    notice = Notice(uuid4(), uuid4(), topic, dict(facts), NOW, None, None)
    return msgspec.structs.replace(notice, **changes)


@pytest.mark.parametrize("topic", TOPICS)
def test_each_topic_has_words_without_gaps(topic: str) -> None:
    words = words_of(notice_of(topic))
    for text in (words.title_zh, words.title_en, words.text_zh, words.text_en):
        assert text
        assert "{" not in text
    assert topic not in words.text_en, "no topic is shown by its code"
    assert any("一" <= char <= "鿿" for char in words.text_zh)
    assert words.text_en.isascii() or "¥" in words.text_en


def test_amounts_and_days_are_in_the_words() -> None:
    words = words_of(notice_of("obligation.announced"))
    for text in (words.text_zh, words.text_en):
        assert "¥199.00" in text
        assert "2026-12-04" in text


def test_a_decision_is_told_with_its_outcome() -> None:
    upheld = words_of(notice_of("case.decided"))
    changed = words_of(
        notice_of("case.decided", facts={**notice_of("case.decided").facts, "outcome": "changed"})
    )
    assert "stays as it was" in upheld.text_en
    assert "was changed" in changed.text_en


def test_a_topic_of_another_release_is_shown_and_breaks_nothing() -> None:
    words = words_of(Notice(uuid4(), uuid4(), "moon.risen", {"x": 1}, NOW, None, None))
    assert words.text_en == "moon.risen"
    short = words_of(notice_of("order.completed", facts={}))
    assert short.title_en == "Notice"


@pytest.mark.parametrize(
    ("topic", "facts"),
    [
        ("programme.ended", {}),
        ("programme.ended", {"programme": "library", "name": "林晓"}),
        ("programme.ended", {"programme": None}),
        ("programme.begun", {"programme": "library"}),
    ],
)
def test_other_facts_are_a_programmers_error(topic: str, facts: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        facts_of(topic, facts)


def test_the_text_to_the_phone_says_nothing_about_anybody() -> None:
    """It is one text for every topic: no topic, amount, programme or number can be in it."""
    assert not any(char.isdigit() for char in PHONE_TEXT)
    for word in ("订单", "押金", "未付", "复核", "order", "owe", "case", "http", "{"):
        assert word not in PHONE_TEXT
    assert "信用+" in PHONE_TEXT
    assert "Credit+" in PHONE_TEXT


@pytest.mark.parametrize(
    ("changes", "after", "sent"),
    [
        ({}, timedelta(0), True),
        ({}, SENT_WITHIN - timedelta(seconds=1), True),
        ({}, SENT_WITHIN, False),
        ({"sent_at": NOW}, timedelta(0), False),
        ({"read_at": NOW}, timedelta(0), False),
    ],
)
def test_what_is_still_to_be_sent(changes: dict[str, Any], after: timedelta, sent: bool) -> None:
    assert is_to_be_sent(notice_of("programme.ended", **changes), NOW + after) == sent
