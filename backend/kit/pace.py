"""How often somebody may ask for work that costs a process its time and leaves nothing behind.

Counted in the process that does the work: what changes something is counted where it is written.
"""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime

from backend.kit.problem import Refusal

# Who was not seen for longest is forgotten first: a crowd costs no more memory than this.
_KEYS_MAX = 10_000


class Pace:
    """At most `limit` turns in each window of `seconds`, for each key."""

    def __init__(self, *, limit: int, seconds: int) -> None:
        assert limit > 0
        assert seconds > 0
        self._limit, self._seconds = limit, seconds
        self._taken: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    def take(self, key: Hashable, *, now: datetime) -> None:
        """Take one turn; raises Refusal too_many_requests with `retry_after_seconds`."""
        window, into = divmod(int(now.timestamp()), self._seconds)
        last, count = self._taken.pop(key, (window, 0))
        count = count + 1 if last == window else 1
        self._taken[key] = (window, count)
        if len(self._taken) > _KEYS_MAX:
            self._taken.popitem(last=False)
        if count > self._limit:
            raise Refusal("too_many_requests", retry_after_seconds=self._seconds - into)
