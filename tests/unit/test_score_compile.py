"""Goal: nothing but a scorecard's own names and whole numbers gets into a statement.

Method: scorecards as no loader would let them through, compiled; also by an interpreter that leaves
assertions out, because a statement of somebody else's must not depend on how Python was started.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pytest

from backend.score.rules.compile import Subjects, compile_evaluation, compile_recompute
from backend.score.rules.scorecard import Scorecard
from backend.score.service import packaged_scorecard

T = TypeVar("T", bound=msgspec.Struct)
FOREIGN = "x' OR true OR class_code = '"


def of_class(scorecard: Scorecard) -> Scorecard:
    first, *rest = scorecard.indicators
    return changed(scorecard, indicators=[changed(first, classes=[FOREIGN]), *rest])


def of_version(scorecard: Scorecard) -> Scorecard:
    return changed(scorecard, version="2026'; DROP TABLE score; --")


def of_dimension(scorecard: Scorecard) -> Scorecard:
    first, *rest = scorecard.dimensions
    return changed(scorecard, dimensions=[changed(first, cap_points="0) OR (1"), *rest])


def of_number(scorecard: Scorecard) -> Scorecard:
    first, *rest = scorecard.indicators
    return changed(scorecard, indicators=[changed(first, neutral_value=-1), *rest])


def changed(struct: T, **members: Any) -> T:
    return msgspec.structs.replace(struct, **members)


@pytest.mark.parametrize("foreign", [of_class, of_version, of_dimension, of_number])
def test_foreign_text_is_refused(foreign: Callable[[Scorecard], Scorecard]) -> None:
    for compile_ in (compile_evaluation, compile_recompute):
        with pytest.raises(ValueError, match="no part of a statement"):
            compile_(foreign(packaged_scorecard()), Subjects.LISTED)


def test_it_is_refused_without_assertions_too() -> None:
    program = (
        "from tests.unit.test_score_compile import of_class\n"
        "from backend.score.rules.compile import Subjects, compile_evaluation\n"
        "from backend.score.service import packaged_scorecard\n"
        "print(compile_evaluation(of_class(packaged_scorecard()), Subjects.LISTED).sql)"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", program], capture_output=True, text=True, check=False
    )
    assert FOREIGN not in done.stdout
    assert "no part of a statement" in done.stderr
