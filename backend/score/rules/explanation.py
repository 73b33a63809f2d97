"""Why a score is what it is: in words, in order of effect, with the records behind it.

Worked out from a scorecard and the values of its indicators whenever somebody asks, so that any
score that was kept can be explained; the records are those that stand when it is asked.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from backend.record.rules.life import Record, counts
from backend.score.rules.contribution import weigh
from backend.score.rules.engine import tally
from backend.score.rules.plan import classes_of
from backend.score.rules.scorecard import Indicator, Scorecard

REASONS_MAX = 4
RECORDS_NAMED_MAX = 20


class Reason(msgspec.Struct, frozen=True):
    """One thing that moved a score: by how many points, in words, and the records behind it.

    `records` are the newest of `record_count`, at most RECORDS_NAMED_MAX.
    """

    indicator: str
    dimension: str
    effect_points: int
    text_zh: str
    text_en: str
    record_count: int
    records: list[Record]


def explain(
    scorecard: Scorecard, indicator_values: Sequence[int], records: Iterable[Record], as_of: date
) -> list[Reason]:
    """Return at most REASONS_MAX reasons of a score, the largest effect first.

    `as_of` is the day of the score; of `records` those behind an indicator are named that count
    then and lie within its window.
    """
    indicators = {indicator.code: indicator for indicator in scorecard.indicators}
    moved = [each for each in weigh(scorecard, indicator_values) if each.effect_points != 0]
    moved.sort(key=lambda each: (-abs(each.effect_points), each.effect_points, each.indicator))
    held = [*records]
    reasons: list[Reason] = []
    for each in moved[:REASONS_MAX]:
        indicator = indicators[each.indicator]
        found = records_behind(indicator, held, as_of)
        reasons.append(
            Reason(
                indicator=indicator.code,
                dimension=indicator.dimension,
                effect_points=each.effect_points,
                text_zh=worded(indicator.text_zh, indicator, each.value),
                text_en=worded(indicator.text_en, indicator, each.value),
                record_count=len(found),
                records=found[:RECORDS_NAMED_MAX],
            )
        )
    return reasons


def records_behind(indicator: Indicator, records: Iterable[Record], as_of: date) -> list[Record]:
    """Return the records an indicator looks at on a day, newest first."""
    by_class: dict[str, list[Record]] = {code: [] for code in classes_of(indicator)}
    for record in records:
        if record.class_code in by_class and counts(record, as_of):
            by_class[record.class_code].append(record)
    return tally(indicator, by_class, as_of).records


def worded(text: str, indicator: Indicator, value: int, step: int | None = None) -> str:
    """Return a text of an indicator with its value; `step` is what would be done, if not a step."""
    given = indicator.help_step if step is None else step
    return text.format(value=value, percent=value // 10, step=given)
