"""A scorecard as SQL: what `engine` does for one subject, for many at once inside PostgreSQL.

The text is made of names and whole numbers of the scorecard alone, each looked at before it goes
in; days come in as parameters, worked out here, so that a statement means the same on every day.
PostgreSQL's calendar is asked for nothing but the parts of a date and to add months, which it does
as `add_months` does. Whole numbers are divided as the engine divides them: rounded down.

A statement is a row of named steps: `tallied` (one pass over the records that stand), `valued` (the
indicators' values), `weighed` (their points), `scored` (a score as it would be kept). What is done
with `scored` is the difference between reading and writing.
"""

import calendar
import re
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from itertools import pairwise

import msgspec

from backend.record.rules.catalogue import DIMENSIONS
from backend.score.rules.engine import NEVER
from backend.score.rules.plan import classes_of, plan_of, window_floor
from backend.score.rules.scorecard import PERMILLE, VALUE_MAX, Indicator, Scorecard

_NAME = re.compile(r"[a-z0-9_.-]+")
# The first parameters are the day, its month counted from year 0, and its day of the month (31 for
# the last one of any month: no day of an earlier month is missing then). Windows follow.
_AS_OF, _MONTH, _DAY = "$1::date", "$2::integer", "$3::integer"
_FIXED = 3
_HASHED_FROM, _HASHED_LEAST = 5, 9
_STANDS = (
    "record.superseded_at IS NULL AND record.disputed_at IS NULL AND record.repaired_at IS NULL"
)
_IS_TO_COME = f"occurred_on > {_AS_OF} AND (ends_on IS NULL OR ends_on > occurred_on)"


class Subjects(StrEnum):
    """Whose scores a statement is about, and what it takes: their ids, or the ends of a range."""

    LISTED = "listed"
    BETWEEN = "between"


class CompiledStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, and what it takes besides the day."""

    sql: str
    scorecard_version: str
    windows: tuple[int, ...]

    def arguments(self, as_of: date, *given: object) -> list[object]:
        """Return all arguments for a day; `given` are whose scores they are, and what else."""
        last = calendar.monthrange(as_of.year, as_of.month)[1]
        return [
            as_of,
            as_of.year * 12 + as_of.month,
            31 if as_of.day == last else as_of.day,
            *(window_floor(as_of, months) for months in self.windows),
            *given,
        ]


def compile_evaluation(scorecard: Scorecard, subjects: Subjects) -> CompiledStatement:
    """Return a statement that reads: what the scores of some subjects would be, and nothing else.

    Columns: subject_id, points, identity_points … civic_points, indicator_values, input_digest,
    due_on. Takes the day, and the subjects: their ids, or the first one and the one behind the
    last (null for the end).
    """
    text = _Text(scorecard, subjects)
    columns = ", ".join(["subject_id", "points", *_DIMENSION_COLUMNS, "indicator_values"])
    return text.statement(f"\nSELECT {columns}, input_digest, due_on\nFROM scored")


def compile_recompute(scorecard: Scorecard, subjects: Subjects) -> CompiledStatement:
    """Return a statement that brings the scores of some subjects up to date.

    Takes the day, the subjects (as `compile_evaluation` does) and the moment. Columns: `seen`,
    `changed` (new revisions), `missed` (ids of scores that somebody else wrote meanwhile).

    A score is written only in the revision that the statement saw: an older picture never
    overwrites a newer one, and who left meanwhile stays gone. Rows are locked in the order of the
    ids, so that two statements can't wait for each other: a list's beforehand, by a step of its
    own; a range is read and written through indexes in that order, and is spared the step.
    """
    text = _Text(scorecard, subjects)
    moment = text.parameter("timestamptz")
    figures = ["points", *_DIMENSION_COLUMNS, "indicator_values", "input_digest"]
    kept = ", ".join(
        ["subject_id", "revision", *figures, "scorecard_version", "as_of", "computed_at"]
    )
    settled = ", ".join(f"{column} = changed.{column}" for column in [*figures, "due_on"])
    # Points follow from the values; a row in which they do not was tampered with, and is put right.
    is_otherwise = " OR ".join(f"seen_{column} <> {column}" for column in _KEPT_FIGURES)
    held, source = "", "changed"
    if subjects is Subjects.LISTED:
        held, source = _HELD.format(scores=text.scores), "changed JOIN held USING (subject_id)"
    return text.statement(
        f""",
changed AS MATERIALIZED (
  SELECT *, seen_version <> '{text.version}' OR seen_values <> indicator_values
      OR seen_digest <> input_digest AS is_new
  FROM scored
  WHERE seen_version <> '{text.version}' OR seen_values <> indicator_values
    OR seen_digest <> input_digest OR {is_otherwise}),
{held}written AS (
  UPDATE score SET {settled},
    revision = score.revision + is_new::integer, scorecard_version = '{text.version}',
    as_of = {_AS_OF}, computed_at = CASE WHEN is_new THEN {moment} ELSE score.computed_at END
  FROM {source}
  WHERE {text.scores}
    AND score.subject_id = changed.subject_id AND score.revision = changed.revision
  RETURNING new.*, new.revision > old.revision AS is_new),
kept AS (
  INSERT INTO score_history ({kept})
  SELECT {kept} FROM written WHERE is_new
  RETURNING subject_id)
SELECT
  (SELECT count(*) FROM score WHERE {text.scores}) AS seen,
  (SELECT count(*) FROM kept) AS changed,
  CASE WHEN (SELECT count(*) FROM changed) = (SELECT count(*) FROM written) THEN '{{}}'
    ELSE ARRAY(SELECT subject_id FROM changed EXCEPT SELECT subject_id FROM written)
  END AS missed"""  # noqa: S608 - names and numbers that were looked at
    )


_HELD = """held AS MATERIALIZED (
  SELECT score.subject_id
  FROM score JOIN changed
    ON score.subject_id = changed.subject_id AND score.revision = changed.revision
  WHERE {scores}
  ORDER BY score.subject_id
  FOR NO KEY UPDATE OF score),
"""
_DIMENSION_COLUMNS = [f"{code}_points" for code in DIMENSIONS]
_KEPT_FIGURES = ["points", *_DIMENSION_COLUMNS, "due_on"]


class _Text:
    """A scorecard on its way to a statement: the parameters so far, and the steps."""

    def __init__(self, scorecard: Scorecard, subjects: Subjects) -> None:
        self.scorecard = scorecard
        self.version = _name(scorecard.version)
        self.windows = plan_of(scorecard).windows
        self._given = _FIXED + len(self.windows)
        self._looks = _looks(scorecard)
        if subjects is Subjects.LISTED:
            ids = self.parameter("uuid[]")
            self.scores = f"score.subject_id = ANY({ids})"
            self._records = f"record.subject_id = ANY({ids})"
        else:
            first, end = self.parameter("uuid"), self.parameter("uuid")
            self.scores, self._records = (
                f"{table}.subject_id >= {first} AND {table}.subject_id < {end}"
                for table in ("score", "record")
            )

    def parameter(self, kind: str) -> str:
        """Return a further parameter, given after the windows."""
        self._given += 1
        return f"${self._given}::{kind}"

    def statement(self, end: str) -> CompiledStatement:
        """Return the whole statement: the steps, and what is done with them."""
        # Named once, so that each has a type also where no indicator asks for it.
        day = f"day AS (SELECT {_AS_OF}, {_MONTH}, {_DAY})"
        steps = [day, self._tallied(), self._valued(), self._weighed(), self._scored()]
        return CompiledStatement(
            sql="WITH\n" + ",\n".join(steps) + end,
            scorecard_version=self.version,
            windows=self.windows,
        )

    def _floor(self, months: int) -> str:
        return f"${_FIXED + 1 + self.windows.index(months)}::date"

    def _tallied(self) -> str:
        """One pass over the records: what each indicator needs of them, and when days are over."""
        columns = [
            f"count(*) FILTER (WHERE occurred_on <= {_AS_OF}) AS record_count",
            f"sum(fingerprint) FILTER (WHERE occurred_on <= {_AS_OF}) AS record_sum",
            f"min(ends_on) FILTER (WHERE occurred_on <= {_AS_OF}) AS ends_on",
            f"min(occurred_on) FILTER (WHERE {_IS_TO_COME}) AS begins_on",
            *self._firsts(),
        ]
        for place, indicator in enumerate(self.scorecard.indicators, start=1):
            columns += _aggregates(place, indicator, self._floor(indicator.window_months))
        chosen = ",\n    ".join(columns)
        return f"""tallied AS (
  SELECT record.subject_id,
    {chosen}
  FROM record
  WHERE {self._records} AND {_STANDS}
    AND (record.ends_on IS NULL OR record.ends_on > {_AS_OF})
  GROUP BY record.subject_id)"""  # noqa: S608 - names and numbers that were looked at

    def _firsts(self) -> list[str]:
        """For each window the earliest day within it: the first to leave is the first that came.

        The day is asked first, and rules most records out of a short window.
        """
        return [
            f"min({day}) FILTER (WHERE {day} > {self._floor(months)} AND occurred_on <= {_AS_OF}"
            f" AND {_of(codes)}) AS first_{number}"
            for number, (day, months, codes) in enumerate(self._looks, start=1)
        ]

    def _valued(self) -> str:
        values = [
            f"{_value(place, indicator)} AS value_{place}"
            for place, indicator in enumerate(self.scorecard.indicators, start=1)
        ]
        grown = [f"{day}_{place}" for place, day in self._growing()]
        firsts = [f"first_{number}" for number in range(1, len(self._looks) + 1)]
        chosen = ",\n    ".join(["ends_on", "begins_on", *firsts, *grown, *values])
        seen = ", ".join(f"score.{column} AS seen_{column}" for column in _KEPT_FIGURES)
        return f"""valued AS (
  SELECT score.subject_id, score.revision, score.scorecard_version AS seen_version,
    score.indicator_values AS seen_values, score.input_digest AS seen_digest,
    {seen},
    sha256((coalesce(record_count, 0) || '|' || coalesce(record_sum, 0))::bytea) AS input_digest,
    {chosen}
  FROM score LEFT JOIN tallied USING (subject_id)
  WHERE {self.scores}
  OFFSET 0)"""  # noqa: S608 - names and numbers that were looked at

    def _weighed(self) -> str:
        dimensions = []
        for code, cap, places in plan_of(self.scorecard).members:
            given = [_points(place + 1, self.scorecard.indicators[place]) for place in places]
            total = "\n      + ".join(given) or "0"
            dimensions.append(f"least({_number(cap)},\n      {total}) AS {_name(code)}_points")
        chosen = ",\n    ".join(dimensions)
        values = ", ".join(
            f"value_{place}" for place in range(1, len(self.scorecard.indicators) + 1)
        )
        dues = ["ends_on", "begins_on"]
        dues += [
            f"(first_{number} + interval '{_number(months)} months')::date"
            for number, (_, months, _) in enumerate(self._looks, start=1)
        ]
        dues += [
            f"({day}_{place} + make_interval(months => value_{place} + 1))::date"
            for place, day in self._growing()
        ]
        due_on = ",\n      ".join([*dues, f"date '{NEVER.isoformat()}'"])
        seen = ", ".join(f"seen_{column}" for column in _KEPT_FIGURES)
        return f"""weighed AS (
  SELECT subject_id, revision, seen_version, seen_values, seen_digest, {seen},
    input_digest, ARRAY[{values}] AS indicator_values,
    least({due_on}) AS due_on,
    {chosen}
  FROM valued
  OFFSET 0)"""  # noqa: S608 - names and numbers that were looked at

    def _growing(self) -> list[tuple[int, str]]:
        """The indicators whose values grow month by month, and the column with the day it began."""
        days = {"months_since": "found", "tenure_months": "since"}
        return [
            (place, days[indicator.aggregate])
            for place, indicator in enumerate(self.scorecard.indicators, start=1)
            if indicator.aggregate in days
        ]

    def _scored(self) -> str:
        total = " + ".join(_DIMENSION_COLUMNS)
        return f"""scored AS (
  SELECT *, {total} AS points
  FROM weighed)"""  # noqa: S608 - names and numbers that were looked at


def _looks(scorecard: Scorecard) -> list[tuple[str, int, list[str]]]:
    """Return which classes are looked at within which window, and by which of their days."""
    found: dict[tuple[str, int], dict[str, None]] = {}
    for indicator in scorecard.indicators:
        day = "ended_on" if indicator.aggregate == "tenure_months" else "occurred_on"
        for code in classes_of(indicator):
            found.setdefault((day, indicator.window_months), {})[code] = None
    return [(day, months, [*codes]) for (day, months), codes in sorted(found.items())]


def _aggregates(place: int, indicator: Indicator, floor: str) -> list[str]:
    """Return what one indicator needs of the records within its window."""
    within = f"occurred_on > {floor} AND occurred_on <= {_AS_OF}"
    of_all = _of(classes_of(indicator))
    # No quantity counts for more than a value may be; so the sums stay whole machine numbers.
    quantity = f"least(quantity, {VALUE_MAX})::integer"
    taken = {
        "count": "count(*)",
        "sum": f"sum({quantity})",
        "max": f"max({quantity})",
        "months_since": "max(occurred_on)",
    }
    if indicator.aggregate in taken:
        found = taken[indicator.aggregate]
        return [f"{found} FILTER (WHERE {of_all} AND {within}) AS found_{place}"]
    if indicator.aggregate == "ratio":
        return [
            f"sum({quantity}) FILTER (WHERE {_of(codes)} AND {within}) AS {side}_{place}"
            for side, codes in (("good", indicator.classes), ("bad", indicator.against))
        ]
    goes_on = f"occurred_on <= {_AS_OF} AND (ended_on IS NULL OR ended_on > {_AS_OF})"
    over = f"occurred_on <= {_AS_OF} AND ended_on > {floor} AND ended_on <= {_AS_OF}"
    return [
        f"min(occurred_on) FILTER (WHERE {of_all} AND {goes_on}) AS since_{place}",
        f"max({_MONTHS_LASTED}) FILTER (WHERE {of_all} AND {over}) AS lasted_{place}",
    ]


def _months(day: str) -> str:
    """Return the whole months from a day to the day a statement is about."""
    parts = f"date_part('year', {day}) * 12 + date_part('month', {day})"
    return (
        f"greatest(0, {_MONTH} - ({parts})::integer - (date_part('day', {day}) > {_DAY})::integer)"
    )


_CALENDAR_MONTHS = (
    "(date_part('year', ended_on) * 12 + date_part('month', ended_on)"
    " - date_part('year', occurred_on) * 12 - date_part('month', occurred_on))::integer"
)
_MONTHS_LASTED = (
    f"greatest(0, {_CALENDAR_MONTHS}"
    f" - (occurred_on + make_interval(months => {_CALENDAR_MONTHS}) > ended_on)::integer)"
)


def _value(place: int, indicator: Indicator) -> str:
    """Return one indicator's value; what nothing was found for is neutral."""
    neutral = _number(indicator.neutral_value)
    if indicator.aggregate == "ratio":
        good, bad = f"coalesce(good_{place}, 0)", f"coalesce(bad_{place}, 0)"
        missing = f"greatest(0, {_number(indicator.minimum_count)} - {good} - {bad})"
        share = f"{good} * {PERMILLE} + {missing} * {neutral}"
        return f"(({share}) / ({good} + {bad} + {missing}))::integer"
    if indicator.aggregate == "count":
        return f"coalesce(nullif(found_{place}, 0), {neutral})::integer"
    if indicator.aggregate == "sum":
        return f"least(coalesce(found_{place}, {neutral}), {VALUE_MAX})::integer"
    if indicator.aggregate == "max":
        return f"coalesce(found_{place}, {neutral})"
    if indicator.aggregate == "months_since":
        since = f"found_{place}"
        return f"CASE WHEN {since} IS NULL THEN {neutral} ELSE {_months(since)} END"
    since = f"since_{place}"
    lasts = f"CASE WHEN {since} IS NOT NULL THEN {_months(since)} END"
    return f"coalesce(greatest({lasts}, lasted_{place}), {neutral})"


def _points(place: int, indicator: Indicator) -> str:
    """Return the points of one indicator: straight between its corners, level outside."""
    value = f"value_{place}"
    left_value, left_points = indicator.curve[0]
    cases = [f"WHEN {value} <= {_number(left_value)} THEN {_number(left_points)}"]
    for (left_value, left_points), (right_value, right_points) in pairwise(indicator.curve):
        run, width = f"({value} - {_number(left_value)})", right_value - left_value
        rise, sign = abs(right_points - left_points), "+" if right_points >= left_points else "-"
        cases.append(
            f"WHEN {value} < {_number(right_value)} THEN {_number(left_points)}"
            f" {sign} {_number(rise)}::bigint * {run} / {_number(width)}"
        )
    return f"CASE {' '.join(cases)} ELSE {_number(indicator.curve[-1][1])} END"


def _of(codes: Sequence[str]) -> str:
    """Return the condition of being of some classes; comparing one by one beats a list of few.

    A list of nine or more is looked up by hash (PostgreSQL's least), so one of several is filled up
    with texts that are no class.
    """
    if len(codes) >= _HASHED_FROM:
        filled = [*map(_name, codes), *(f"-{each}" for each in range(_HASHED_LEAST - len(codes)))]
        return f"class_code = ANY ('{{{','.join(filled)}}}'::text[])"
    either = " OR ".join(f"class_code = '{_name(code)}'" for code in codes)
    return f"({either})" if len(codes) > 1 else either


def _name(text: str) -> str:
    """Return a name that may stand in a statement; the loader refuses any other.

    Not by an assertion: those can be left out when Python is started.
    """
    if not _NAME.fullmatch(text):
        raise ValueError("a name that is no part of a statement")
    return text


def _number(value: int) -> str:
    if type(value) is not int or not 0 <= value <= VALUE_MAX:
        raise ValueError("a number that is no part of a statement")
    return str(value)
