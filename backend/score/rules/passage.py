"""Which records came to stand behind an indicator between two scores, and which left it.

A version of a record says itself when it was reported and when it stopped standing, so what stood
at a moment can be told afterwards, as long as the version is kept.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import msgspec

from backend.record.rules.life import Record, RecordVersion, stood_at
from backend.score.rules.change import IndicatorChange
from backend.score.rules.explanation import RECORDS_NAMED_MAX, records_behind
from backend.score.rules.scorecard import Scorecard

# A scorecard, the day a score was of, and the moment it was worked out.
Viewpoint = tuple[Scorecard, date, datetime]


class ItemRecords(msgspec.Struct, frozen=True):
    """One item of what changed, and the newest records that came and left behind it."""

    item: IndicatorChange
    came: list[Record]
    left: list[Record]


def name_records(
    items: Sequence[IndicatorChange],
    before: Viewpoint,
    after: Viewpoint,
    versions: Iterable[RecordVersion],
) -> list[ItemRecords]:
    """Return the items with the records behind them, at most RECORDS_NAMED_MAX each way.

    `versions` are all that are on file of the subject.
    """
    held = [*versions]
    stood_before = [each for each in held if stood_at(each, before[2])]
    stood_after = [each for each in held if stood_at(each, after[2])]
    named: list[ItemRecords] = []
    for item in items:
        then = _behind(item.indicator, before, stood_before)
        now = _behind(item.indicator, after, stood_after)
        ids_then = {each.record_id for each in then}
        ids_now = {each.record_id for each in now}
        came = [each for each in now if each.record_id not in ids_then]
        left = [each for each in then if each.record_id not in ids_now]
        named.append(ItemRecords(item, came[:RECORDS_NAMED_MAX], left[:RECORDS_NAMED_MAX]))
    return named


def _behind(code: str, viewpoint: Viewpoint, stood: Sequence[Record]) -> list[Record]:
    scorecard, as_of, _ = viewpoint
    indicator = next((each for each in scorecard.indicators if each.code == code), None)
    return [] if indicator is None else records_behind(indicator, stood, as_of)
