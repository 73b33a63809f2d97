"""Random scorecards that can be proved, and random records of the shipped catalogue.

Scorecards are built right by construction (curves that rise or fall as they must, caps that can
be reached), and still go through the loader: what it refuses here is a fault of the loader.
"""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from importlib.resources import files
from itertools import pairwise
from math import ceil, floor
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from backend.record.rules.catalogue import DIMENSIONS, Catalogue, RecordClass, load_catalogue
from backend.record.rules.life import Record, ends_on_of, fingerprint_of
from backend.score.rules.proof import load_scorecard, prove_scorecard
from backend.score.rules.scorecard import Scorecard

_DATA = files("backend.record") / "data"
CATALOGUE: Catalogue = load_catalogue(
    (_DATA / "catalogue-2026.toml").read_text(), (_DATA / "sources-2026.toml").read_text()
)
SHIPPED: Scorecard = load_scorecard(
    (files("backend.score") / "data" / "scorecard-2026-2.toml").read_text(), CATALOGUE
)
AS_OF = date(2026, 11, 20)
DAYS_AGO = st.integers(-40, 1500)
REPORTED_AT = datetime(2026, 11, 20, 2, tzinfo=UTC)
GOOD = [each for each in CATALOGUE.classes.values() if not each.is_adverse]
ADVERSE = [each for each in CATALOGUE.classes.values() if each.is_adverse]


def make_record(
    record_class: RecordClass,
    number: int,
    *,
    occurred_on: date,
    ended_on: date | None = None,
    quantity: int = 1,
) -> Record:
    """Return a record as the record room would hold it."""
    ends_on = ends_on_of(record_class, occurred_on=occurred_on, ended_on=ended_on)
    content: dict[str, Any] = {
        "class_code": record_class.code,
        "source_code": "source",
        "external_id": f"x-{number}",
        "version": 1,
        "quantity": quantity,
        "occurred_on": occurred_on,
        "ended_on": ended_on,
        "ends_on": ends_on,
    }
    return Record(
        subject_id=UUID(int=9),
        record_id=UUID(int=number),
        **content,
        reported_at=REPORTED_AT,
        disputed_at=None,
        repaired_at=None,
        fingerprint=fingerprint_of(**content),
    )


@st.composite
def records(
    draw: st.DrawFn,
    number: int = 0,
    kinds: list[RecordClass] | None = None,
    days: st.SearchStrategy[int] = DAYS_AGO,
) -> Record:
    """A record of any class, at any time: before its windows, within them, and to come."""
    record_class = draw(st.sampled_from(kinds or [*CATALOGUE.classes.values()]))
    days_ago = draw(days)
    lasted = draw(st.none() | st.integers(0, 1200))
    occurred_on = AS_OF - timedelta(days=days_ago)
    return make_record(
        record_class,
        number,
        occurred_on=occurred_on,
        ended_on=None if lasted is None else occurred_on + timedelta(days=lasted),
        quantity=draw(st.integers(1, 40)),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """The current records of one subject."""
    count = draw(st.integers(0, 12))
    return [draw(records(number)) for number in range(1, count + 1)]


@st.composite
def _curves(draw: st.DrawFn, *, rises: bool, most_value: int) -> list[tuple[int, int]]:
    values = sorted(draw(st.sets(st.integers(0, most_value), min_size=2, max_size=5)))
    points = sorted(draw(st.integers(0, 200)) for _ in values)
    points[-1] += points[0] == points[-1]
    return list(zip(values, points if rises else points[::-1], strict=True))


def _points_at(curve: list[tuple[int, int]], value: int) -> int:
    """What a curve gives, worked out with fractions and not the engine's way."""
    for (left, low), (right, high) in pairwise(curve):
        if left <= value < right:
            exact = low + Fraction((high - low) * (value - left), right - left)
            return floor(exact) if high >= low else ceil(exact)
    return curve[0][1] if value < curve[0][0] else curve[-1][1]


@st.composite
def _indicators(draw: st.DrawFn, code: str, dimension: str) -> dict[str, Any]:
    good = [each for each in GOOD if each.dimension == dimension]
    adverse = [each for each in ADVERSE if each.dimension == dimension]
    lasting = [each for each in good if each.is_lasting]
    aggregates = ["count", "sum", "max", "months_since"]
    aggregate = draw(st.sampled_from(aggregates + ["tenure_months"] * bool(lasting)))
    if adverse and draw(st.booleans()):
        aggregate = "ratio"
    if aggregate == "tenure_months":
        good = lasting
    is_bad = bool(adverse) and aggregate not in {"tenure_months", "ratio"} and draw(st.booleans())
    chosen = draw(
        st.lists(
            st.sampled_from(adverse if is_bad else good),
            min_size=1,
            unique_by=lambda each: each.code,
            max_size=3,
        )
    )
    against = (
        draw(
            st.lists(
                st.sampled_from(adverse), min_size=1, unique_by=lambda each: each.code, max_size=2
            )
        )
        if (aggregate == "ratio")
        else []
    )
    if is_bad:
        longest = max(each.publication_max_months or 0 for each in chosen)
    else:
        longest = min(each.retention_months for each in chosen)
    window = draw(st.integers(1, min(longest, 60)))
    most_value = {"ratio": 1_000, "months_since": window}.get(aggregate, 60)
    curve = draw(_curves(rises=(aggregate == "months_since") == is_bad, most_value=most_value))
    neutral = {"ratio": draw(st.integers(0, 1_000)), "months_since": window}.get(aggregate, 0)
    if aggregate == "ratio" and _points_at(curve, neutral) <= _points_at(curve, 0):
        neutral = 1_000  # no data is never as bad as nothing but adverse records
    return {
        "code": code,
        "dimension": dimension,
        "name_zh": "指标",
        "name_en": "indicator",
        "aggregate": aggregate,
        "classes": [each.code for each in chosen],
        "against": [each.code for each in against],
        "minimum_count": draw(st.integers(1, 12)) if aggregate == "ratio" else 0,
        "window_months": window,
        "neutral_value": neutral,
        "neutral_points": _points_at(curve, neutral),
        "curve": [list(corner) for corner in curve],
        "text_zh": "{value}",
        "text_en": "{value}",
        "can_act": False,
    }


@st.composite
def raw_scorecards(draw: st.DrawFn) -> dict[str, Any]:
    """The tables of a scorecard that can be proved."""
    indicators: list[dict[str, Any]] = []
    dimensions: list[dict[str, Any]] = []
    for dimension in DIMENSIONS:
        least = 1 if dimension == "performance" else 0
        own = [
            draw(_indicators(f"{dimension}_{number}", dimension))
            for number in range(draw(st.integers(least, 3)))
        ]
        most = [max(points for _, points in each["curve"]) for each in own]
        least_cap = max([sum(each["neutral_points"] for each in own), *most])
        cap = draw(st.integers(least_cap, max(least_cap, sum(most))))
        indicators += own
        dimensions.append(
            {"code": dimension, "name_zh": "维度", "name_en": "dimension", "cap_points": cap}
        )
    return {
        "version": "random",
        "range_points": sum(each["cap_points"] for each in dimensions),
        "tier": [{"code": "start", "name_zh": "起步", "name_en": "Start", "from_points": 0}],
        "dimension": dimensions,
        "indicator": indicators,
    }


def prove(raw: dict[str, Any]) -> Scorecard:
    """Put tables through the loader."""
    return prove_scorecard(raw, digest=bytes(32), catalogue=CATALOGUE)


scorecards = st.just(SHIPPED) | raw_scorecards().map(prove)
