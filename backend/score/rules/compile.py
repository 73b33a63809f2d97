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
from collections.abc import Sequence
from datetime import date
from enum import StrEnum

import msgspec

from backend.record.rules.catalogue import DIMENSIONS
from backend.score.rules.engine import NEVER
from backend.score.rules.expression import (
    AS_OF,
    DAY,
    MONTH,
    MONTHS_LASTED,
    as_name,
    as_number,
    points_of,
    value_of,
)
from backend.score.rules.plan import plan_of, window_floor
from backend.score.rules.scorecard import VALUE_MAX, Indicator, Scorecard

# The first parameters are the day, its month and its day of the month. Windows follow.
_FIXED = 3
_STANDS = (
    "record.superseded_at IS NULL AND record.disputed_at IS NULL AND record.repaired_at IS NULL"
)
_IS_TO_COME = f"occurred_on > {AS_OF} AND (ends_on IS NULL OR ends_on > occurred_on)"


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
    held, source, bounds = "", "changed", f"{text.scores} AND "
    if subjects is Subjects.LISTED:
        held, source = _HELD.format(scores=text.scores), "changed JOIN held USING (subject_id)"
        bounds = ""  # each row is looked up by its id; the whole list would be sorted for each
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
    as_of = {AS_OF}, computed_at = CASE WHEN is_new THEN {moment} ELSE score.computed_at END
  FROM {source}
  WHERE {bounds}score.subject_id = changed.subject_id AND score.revision = changed.revision
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
        self.version = as_name(scorecard.version)
        self._plan = plan_of(scorecard)
        self.windows = self._plan.windows
        self._given = _FIXED + len(self.windows)
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
        day = f"day AS (SELECT {AS_OF}, {MONTH}, {DAY})"
        steps = [day, self._tallied(), self._valued(), self._weighed(), self._scored()]
        return CompiledStatement(
            sql="WITH\n" + ",\n".join(steps) + end,
            scorecard_version=self.version,
            windows=self.windows,
        )

    def _floor(self, months: int) -> str:
        return f"${_FIXED + 1 + self.windows.index(months)}::date"

    def _tallied(self) -> str:
        """One pass over the records: what each indicator needs of them, and when days are over.

        Told to be in order, the inner query is not taken apart, and each class is compared once.
        """
        columns = [
            f"count(*) FILTER (WHERE occurred_on <= {AS_OF}) AS record_count",
            f"sum(fingerprint) FILTER (WHERE occurred_on <= {AS_OF}) AS record_sum",
            f"min(ends_on) FILTER (WHERE occurred_on <= {AS_OF}) AS ends_on",
            f"min(occurred_on) FILTER (WHERE {_IS_TO_COME}) AS begins_on",
            *self._firsts(),
        ]
        for place, indicator in enumerate(self.scorecard.indicators, start=1):
            columns += self._aggregates(place, indicator)
        chosen = ",\n    ".join(columns)
        classes = sorted(self._plan.numbers)
        return f"""tallied AS (
  SELECT subject_id,
    {chosen}
  FROM (
    SELECT record.subject_id, quantity, occurred_on, ended_on, ends_on, fingerprint,
      CASE WHEN occurred_on <= {AS_OF} THEN {self._number_of(classes)} ELSE 0 END AS class
    FROM record
    WHERE {self._records} AND {_STANDS}
      AND (record.ends_on IS NULL OR record.ends_on > {AS_OF})
    ORDER BY record.subject_id) AS record
  GROUP BY subject_id)"""  # noqa: S608 - names and numbers that were looked at

    def _number_of(self, classes: Sequence[str]) -> str:
        """Return the number of a record's class, one of the sorted `classes`, found by halving.

        A record of any other has none (0), nor has one outside the only window that looks at it.
        """
        if len(classes) > 1:
            half = len(classes) // 2
            return (
                f"CASE WHEN class_code < '{as_name(classes[half])}' COLLATE \"C\""
                f" THEN {self._number_of(classes[:half])}"
                f" ELSE {self._number_of(classes[half:])} END"
            )
        (code,) = classes
        condition, months = f"class_code = '{as_name(code)}'", self._plan.only_windows.get(code)
        if months is not None:
            condition += f" AND occurred_on > {self._floor(months)}"
        return f"CASE WHEN {condition} THEN {self._plan.numbers[code]} ELSE 0 END"

    def _of(self, codes: Sequence[str]) -> str:
        """Return the condition of being of some classes, by the runs that their numbers form."""
        runs: list[list[int]] = []
        for number in sorted(self._plan.numbers[code] for code in codes):
            if runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        either = " OR ".join(
            f"class = {run[0]}" if len(run) == 1 else f"class >= {run[0]} AND class <= {run[-1]}"
            for run in runs
        )
        return f"({either})" if len(runs) > 1 else either

    def _within(self, codes: Sequence[str], day: str, months: int) -> str:
        """Return the condition of being of some classes, and within a window.

        A number says it already when no other window looks at its class.
        """
        if day == "occurred_on" and all(
            self._plan.only_windows.get(code) == months for code in codes
        ):
            return self._of(codes)
        return f"{self._of(codes)} AND {day} > {self._floor(months)}"

    def _firsts(self) -> list[str]:
        """For each window the earliest day within it: the first to leave is the first that came."""
        return [
            f"min({look.day}) FILTER (WHERE {self._within(look.codes, look.day, look.months)})"
            f" AS first_{number}"
            for number, look in enumerate(self._plan.looks, start=1)
        ]

    def _aggregates(self, place: int, indicator: Indicator) -> list[str]:
        """Return what one indicator needs of the records within its window."""
        months = indicator.window_months
        # No quantity counts for more than a value may be; so the sums stay whole machine numbers.
        quantity = f"least(quantity, {VALUE_MAX})::integer"
        taken = {
            "count": "count(*)",
            "sum": f"sum({quantity})",
            "max": f"max({quantity})",
            "months_since": "max(occurred_on)",
        }
        if indicator.aggregate in taken:
            within = self._within(indicator.classes, "occurred_on", months)
            return [f"{taken[indicator.aggregate]} FILTER (WHERE {within}) AS found_{place}"]
        if indicator.aggregate == "ratio":
            return [
                f"sum({quantity}) FILTER (WHERE {self._within(codes, 'occurred_on', months)})"
                f" AS {side}_{place}"
                for side, codes in (("good", indicator.classes), ("bad", indicator.against))
            ]
        of_them = self._of(indicator.classes)
        over = f"ended_on > {self._floor(months)} AND ended_on <= {AS_OF}"
        goes_on = f"(ended_on IS NULL OR ended_on > {AS_OF})"
        return [
            f"min(occurred_on) FILTER (WHERE {of_them} AND {goes_on}) AS since_{place}",
            f"max({MONTHS_LASTED}) FILTER (WHERE {of_them} AND {over}) AS lasted_{place}",
        ]

    def _valued(self) -> str:
        values = [
            f"{value_of(place, indicator)} AS value_{place}"
            for place, indicator in enumerate(self.scorecard.indicators, start=1)
        ]
        grown = [f"{day}_{place}" for place, day in self._growing()]
        firsts = [f"first_{number}" for number in range(1, len(self._plan.looks) + 1)]
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
        for code, cap, places in self._plan.members:
            given = [points_of(place + 1, self.scorecard.indicators[place]) for place in places]
            total = "\n      + ".join(given) or "0"
            dimensions.append(f"least({as_number(cap)},\n      {total}) AS {as_name(code)}_points")
        chosen = ",\n    ".join(dimensions)
        values = ", ".join(
            f"value_{place}" for place in range(1, len(self.scorecard.indicators) + 1)
        )
        dues = ["ends_on", "begins_on"]
        dues += [
            f"(first_{number} + interval '{as_number(look.months)} months')::date"
            for number, look in enumerate(self._plan.looks, start=1)
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
