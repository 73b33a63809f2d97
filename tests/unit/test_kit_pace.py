"""Goal: whoever asks too often is told how long to wait, and nobody else waits with them.

Method: a clock by hand.
"""

from datetime import UTC, datetime, timedelta

import pytest

from backend.kit import pace
from backend.kit.pace import Pace
from backend.kit.problem import Refusal

NOW = datetime(2026, 11, 20, 2, 0, 10, tzinfo=UTC)


def test_a_turn_too_many_is_refused_until_the_window_is_over() -> None:
    turns = Pace(limit=2, seconds=60)
    turns.take("one", now=NOW)
    turns.take("one", now=NOW + timedelta(seconds=30))
    with pytest.raises(Refusal) as refused:
        turns.take("one", now=NOW + timedelta(seconds=40))
    assert refused.value.code == "too_many_requests"
    assert refused.value.facts == {"retry_after_seconds": 10}
    turns.take("another", now=NOW)
    turns.take("one", now=NOW + timedelta(seconds=50))


def test_a_crowd_takes_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_KEYS_MAX", 3)
    turns = Pace(limit=1, seconds=60)
    for key in range(9):
        turns.take(key, now=NOW)
    assert list(turns._taken) == [6, 7, 8]
