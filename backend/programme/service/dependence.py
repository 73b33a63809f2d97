"""Programmes ask about facts of a scorecard: whether another one would still answer them."""

from backend.kit.postgres import ReadTx
from backend.programme.rules.fact import vocabulary_of
from backend.programme.rules.rule import rule_faults
from backend.programme.service.publication import programmes_by_digest
from backend.programme.store import programme as store
from backend.score.rules.scorecard import Scorecard


class ProgrammeRules:
    """Every rule that is in force or was promised to somebody (score's ScorecardDependants)."""

    async def faults(self, tx: ReadTx, *, scorecard: Scorecard) -> list[str]:
        """Return what programmes ask that the scorecard does not answer, one line each."""
        vocabulary = vocabulary_of(scorecard)
        digests = [each.digest for each in await store.list_promised(tx)]
        return sorted(
            f"programme {programme.document.code} version {programme.document.version}, {fault}"
            for programme in (await programmes_by_digest(tx, digests)).values()
            for fault in rule_faults(programme.rule, vocabulary)
        )
