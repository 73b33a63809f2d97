"""When a delivery is tried again: fifteen tries in about a day, further and further apart."""

from datetime import timedelta
from typing import Final

TRIES_MAX: Final = 15
# The waits between them double. Each is a random part of its longest (full jitter): receivers
# that come back aren't met by everything at once. On average a random part is half, so that all
# waits together take a day on average and two at most.
_WAITS = TRIES_MAX - 1
LONGEST_TOGETHER: Final = timedelta(hours=48)
_FIRST_LONGEST = LONGEST_TOGETHER / ((1 << _WAITS) - 1)


def longest_wait(tries: int) -> timedelta:
    """Return how long at most is waited after so many tries."""
    assert 1 <= tries <= _WAITS, "there is a wait after each try but the last"
    return _FIRST_LONGEST * (1 << (tries - 1))


def next_try(tries: int, random: float) -> timedelta | None:
    """Return how long to wait after so many tries have failed; None when that was the last.

    `random` lies in [0, 1).
    """
    assert tries >= 1, "something was tried"
    assert 0 <= random < 1
    if tries >= TRIES_MAX:
        return None
    return longest_wait(tries) * random
