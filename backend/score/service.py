"""The score room's verbs: work a score out, show it with its reasons, erase it.

Only who takes part has a score: each verb that writes one works under the lock of the
participation, whose key seals the explanation.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from uuid import UUID

import msgspec

from backend.citizen import service as citizen
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.record import service as record
from backend.score import store
from backend.score.rules.engine import score_records
from backend.score.rules.explanation import Explanation, explain
from backend.score.rules.scorecard import Scorecard, load_scorecard
from backend.score.rules.state import Score, keep
from backend.score.store import ScoredSubject

SCORECARD_IN_FORCE = "2026-1"
# A record reported before a score was worked out may have been committed after it.
_COMMIT_MARGIN = timedelta(minutes=5)


class ExplainedScore(msgspec.Struct, frozen=True):
    """A score, opened for the citizen it belongs to, and the scorecard it was worked out with."""

    score: Score
    explanation: Explanation
    scorecard: Scorecard


@cache
def get_scorecard(version: str = SCORECARD_IN_FORCE) -> Scorecard:
    """Return a scorecard that is or was in force; raises DataFault."""
    path = files("backend.score") / "data" / f"scorecard-{version}.toml"
    return load_scorecard(path.read_text("utf-8"), record.current_catalogue())


async def compute(
    tx: Tx, *, subject_id: UUID, vault: Vault, data_key: bytes, now: datetime
) -> Score:
    """Work out and keep the score of one participant, as of the city's date.

    `data_key` is the wrapped key of the participation, which the caller holds locked (it has just
    inserted it, or has it from `citizen.lock_participation_keys`).
    """
    scores = await _compute(tx, {subject_id: data_key}, vault=vault, now=now)
    return scores[0]


async def recompute(tx: Tx, *, subject_ids: Sequence[UUID], vault: Vault, now: datetime) -> int:
    """Work out anew the scores of those of the subjects who take part; return how many do."""
    keys = await citizen.lock_participation_keys(tx, subject_ids=subject_ids)
    return len(await _compute(tx, keys, vault=vault, now=now))


async def find(tx: ReadTx, *, subject_id: UUID) -> Score | None:
    """Return the score of a subject, or None for one who does not take part."""
    return await store.find_score(tx, subject_id)


async def get(tx: ReadTx, *, subject_id: UUID) -> Score:
    """Return the score of a subject; raises Refusal score_missing."""
    score = await store.find_score(tx, subject_id)
    if score is None:
        raise Refusal("score_missing")
    return score


async def get_explained(tx: ReadTx, *, subject_id: UUID, vault: Vault) -> ExplainedScore:
    """Return the score of a citizen with its reasons; raises Refusal score_missing."""
    score = await get(tx, subject_id=subject_id)
    data_key = await citizen.find_participation_key(tx, subject_id=subject_id)
    if data_key is None:
        raise Refusal("score_missing")
    plain = vault.unseal(data_key, score.explanation_sealed, aad=_aad(subject_id))
    return ExplainedScore(
        score=score,
        explanation=msgspec.json.decode(plain, type=Explanation),
        scorecard=get_scorecard(score.scorecard_version),
    )


async def erase(tx: Tx, *, subject_id: UUID) -> None:
    """Delete the score of a subject who leaves; no effect when there is none."""
    await store.delete_score(tx, subject_id)


async def list_scored(tx: ReadTx, *, after: UUID | None, limit: int) -> list[ScoredSubject]:
    """Return who has a score, in the order of the ids, from behind `after`; for work in batches."""
    return await store.list_scored(tx, after=after, limit=limit)


async def list_stale(tx: ReadTx, *, scored: Sequence[ScoredSubject], now: datetime) -> list[UUID]:
    """Return whose score is of an earlier day, or older than the newest of their records."""
    subject_ids = [each.subject_id for each in scored]
    newest = await record.list_last_reported(tx, subject_ids=subject_ids)
    return [
        each.subject_id
        for each in scored
        if city_date(each.computed_at) < city_date(now)
        or newest.get(each.subject_id, each.computed_at - _COMMIT_MARGIN)
        > each.computed_at - _COMMIT_MARGIN
    ]


async def list_aged(
    tx: ReadTx, *, after: UUID | None, limit: int, now: datetime
) -> list[ScoredSubject]:
    """Return whose score is of an earlier day of the city, from behind `after`."""
    return await store.list_aged(tx, today=city_date(now), after=after, limit=limit)


async def count(tx: ReadTx) -> int:
    """Return how many scores there are, for the progress of work on all of them."""
    return await store.count_scores(tx)


async def _compute(
    tx: Tx, data_keys: Mapping[UUID, bytes], *, vault: Vault, now: datetime
) -> list[Score]:
    """Read, decide and write for a batch: one statement each way, however many there are."""
    if not data_keys:
        return []
    scorecard, as_of = get_scorecard(), city_date(now)
    histories = await record.list_current_by_subject(tx, subject_ids=[*data_keys])
    scores = []
    for subject_id, data_key in data_keys.items():
        result = score_records(scorecard, histories[subject_id], as_of)
        plain = msgspec.json.encode(explain(scorecard, result))
        sealed = vault.seal(data_key, plain, aad=_aad(subject_id))
        scores.append(
            keep(result, subject_id=subject_id, explanation_sealed=sealed, computed_at=now)
        )
    await store.save_scores(tx, scores)
    return scores


def _aad(subject_id: UUID) -> str:
    return f"score|explanation_sealed|{subject_id}"
