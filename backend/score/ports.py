"""What stands on a scorecard in the rooms above, and has a say before another comes into force."""

from typing import Protocol

from backend.kit.postgres import ReadTx
from backend.score.rules.scorecard import Scorecard


class ScorecardDependants(Protocol):
    """What would no longer work under another scorecard (programmes ask about its facts)."""

    async def faults(self, tx: ReadTx, *, scorecard: Scorecard) -> list[str]:
        """Return why a scorecard can't come into force, one line each; none if it can."""
