"""Goal: a chart draws its numbers to scale, says what it shows, and lets no text become markup.

Method: drawings are parsed as XML and their lengths and texts read back.
"""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.svg import Axis, Point, element, step_chart

NS = "{http://www.w3.org/2000/svg}"


def chart(*points: Point, low: int = 0, high: int = 1000) -> ElementTree.Element:
    axis = Axis(low, high, "first", "last")
    markup = step_chart(points, axis, name="history", title="Title", description="What it says")
    return ElementTree.fromstring(markup)


def test_who_listens_is_told_what_the_drawing_shows() -> None:
    drawn = chart(Point(1, 500, "500"))
    assert drawn.get("role") == "img"
    named = [drawn.find(f".//*[@id='{each}']") for each in drawn.get("aria-labelledby", "").split()]
    assert [each.text for each in named if each is not None] == ["Title", "What it says"]


def test_each_point_says_its_own_label() -> None:
    drawn = chart(Point(1, 500, "500 in May"), Point(9, 620, "620 in June"))
    labels = [each.text for each in drawn.iterfind(f"{NS}circle/{NS}title")]
    assert labels == ["500 in May", "620 in June"]


values = st.lists(st.integers(0, 1000), min_size=2, max_size=40)


@given(values)
def test_a_higher_value_stands_higher_and_a_later_one_further_right(found: list[int]) -> None:
    drawn = chart(*(Point(at, value, str(value)) for at, value in enumerate(found)))
    dots = [
        (float(each.get("cx", "")), float(each.get("cy", "")))
        for each in drawn.iterfind(f"{NS}circle")
    ]
    assert len(dots) == len(found)
    for ((x, y), value), ((next_x, next_y), next_value) in pairwise(zip(dots, found, strict=True)):
        assert x < next_x
        assert (y > next_y, y < next_y) == (value < next_value, value > next_value) or y == next_y
    assert all(0 <= x <= 320 and 0 <= y <= 150 for x, y in dots)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_no_text_becomes_markup(text: str) -> None:
    drawn = ElementTree.fromstring(
        step_chart(
            [Point(1, 2, text)], Axis(0, 9, text, text), name="x", title=text, description=text
        )
    )
    found = [each.text or "" for each in drawn.iter() if each.tag in {f"{NS}title", f"{NS}desc"}]
    assert found == [text, text, text]
    attribute = ElementTree.fromstring(element("a", {"b": text}))
    assert attribute.get("b", "").split() == text.split()


def test_a_point_off_the_chart_or_no_point_is_a_programmers_error() -> None:
    with pytest.raises(AssertionError, match="off the chart"):
        chart(Point(1, 1001, ""))
    with pytest.raises(AssertionError, match="of nothing"):
        chart()
    with pytest.raises(AssertionError, match="out of order"):
        chart(Point(2, 1, ""), Point(1, 1, ""))
