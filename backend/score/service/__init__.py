"""The score room's verbs: work scores out, show them with their reasons, erase them."""

from backend.score.rules.state import Score, ScoreRevision, facts_of
from backend.score.service.computation import compute, erase, recompute
from backend.score.service.explanation import ExplainedScore, get_explained
from backend.score.service.reading import count, find, find_facts, get, list_due, list_scored
from backend.score.service.scorecard import (
    get_scorecard,
    packaged_scorecard,
    publish_packaged,
    scorecard_in_force,
    scorecards_by_digest,
)

__all__ = [
    "ExplainedScore",
    "Score",
    "ScoreRevision",
    "compute",
    "count",
    "erase",
    "facts_of",
    "find",
    "find_facts",
    "get",
    "get_explained",
    "get_scorecard",
    "list_due",
    "list_scored",
    "packaged_scorecard",
    "publish_packaged",
    "recompute",
    "scorecard_in_force",
    "scorecards_by_digest",
]
