"""Programmes ask about facts of a scorecard: whether another one would still answer them."""

from backend.kit.postgres import ReadTx
from backend.programme.rules.fact import vocabulary_of
from backend.programme.rules.rule import Rule, facts_of, rule_faults
from backend.programme.service.publication import programmes_by_digest
from backend.programme.store import programme as store
from backend.score import service as score
from backend.score.rules.scorecard import Scorecard


class ProgrammeRules:
    """Every rule that is in force or was promised to somebody (score's ScorecardDependants)."""

    async def faults(self, tx: ReadTx, *, scorecard: Scorecard) -> list[str]:
        """Return what programmes ask that the scorecard does not answer, one line each.

        Or answers with something else: a bound of ten hours is no bound of ten records.
        """
        vocabulary = vocabulary_of(scorecard)
        version = await score.find_version_in_force(tx)
        in_force = None if version is None else await score.get_scorecard(tx, version)
        digests = [each.digest for each in await store.list_promised(tx)]
        return sorted(
            f"programme {programme.document.code} version {programme.document.version}, {fault}"
            for programme in (await programmes_by_digest(tx, digests)).values()
            for fault in (
                *rule_faults(programme.rule, vocabulary),
                *_changed_meanings(programme.rule, in_force, scorecard),
            )
        )


def _changed_meanings(rule: Rule, before: Scorecard | None, after: Scorecard) -> list[str]:
    """Return which facts a rule reads would be worked out otherwise under the same code."""
    was = {} if before is None else _aggregates(before)
    is_now = _aggregates(after)
    return [
        f"rule: {fact} was a {was[fact]} and would be a {is_now[fact]}:"
        " what means something else takes another code"
        for fact in sorted(facts_of(rule))
        if fact in was and fact in is_now and was[fact] != is_now[fact]
    ]


def _aggregates(scorecard: Scorecard) -> dict[str, str]:
    return {f"indicator.{each.code}": each.aggregate for each in scorecard.indicators}
