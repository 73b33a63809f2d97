"""Charts as SVG, made on the server: pure text from numbers.

Every text and attribute is escaped here. A drawing has a title and a description for who listens
instead of looking; colours and line widths are classes of the page's style sheet, because the
pages' content security policy allows no inline style.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

Attributes = Mapping[str, str | int | float]

_WIDTH, _HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 10, 22
_DOT_RADIUS = 3
# More dots than these would be one thick line.
_DOTS_MAX = 40


class Point(NamedTuple):
    """A value at a place on the horizontal axis; `label` is what is said of it."""

    at: int
    value: int
    label: str


class Axis(NamedTuple):
    """The range of values drawn, and what stands at the two ends of the horizontal axis."""

    low: int
    high: int
    first: str
    last: str


def element(name: str, attributes: Attributes, *children: str) -> str:
    """Return one element; attributes are escaped, `children` are markup made here already."""
    written = "".join(f' {key}="{_written(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(x: float, y: float, content: str, attributes: Attributes) -> str:
    """Return a text element at a place."""
    return element("text", {"x": x, "y": y, **attributes}, escape(content))


def drawing(name: str, *children: str, title: str, description: str, size: tuple[int, int]) -> str:
    """Return a whole drawing of `size` user units, that says what it shows.

    `name` is unique on its page: the ids of title and description are made from it.
    """
    width, height = size
    attributes: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {width} {height}",
        "class": "chart",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-description",
    }
    head = (
        element("title", {"id": f"{name}-title"}, escape(title)),
        element("desc", {"id": f"{name}-description"}, escape(description)),
    )
    return element("svg", attributes, *head, *children)


def step_chart(
    points: Sequence[Point], axis: Axis, *, name: str, title: str, description: str
) -> str:
    """Return a line that holds each value until the next point; points come in order of `at`."""
    assert points, "a chart of nothing"
    assert all(axis.low <= each.value <= axis.high for each in points), "a point off the chart"
    first, last = points[0].at, points[-1].at
    assert [each.at for each in points] == sorted(each.at for each in points), "out of order"

    def x(at: int) -> float:
        share = (at - first) / (last - first) if last > first else 1.0
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(value: int) -> float:
        share = (value - axis.low) / max(1, axis.high - axis.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    path = f"M{_LEFT} {y(points[0].value)}"
    for each in points:
        path += f"H{x(each.at)}V{y(each.value)}"
    grid = [
        element(
            "line",
            {"class": "chart-grid", "x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y(v), "y2": y(v)},
        )
        for v in (axis.low, axis.high)
    ]
    dots = [
        element(
            "circle",
            {"class": "chart-dot", "cx": x(each.at), "cy": y(each.value), "r": _DOT_RADIUS},
            element("title", {}, escape(each.label)),
        )
        for each in points[-_DOTS_MAX:]
    ]
    line = element("path", {"class": "chart-line", "d": path, "fill": "none"})
    return drawing(
        name,
        *grid,
        *_labels(axis, y(axis.low), y(axis.high)),
        line,
        *dots,
        title=title,
        description=description,
        size=(_WIDTH, _HEIGHT),
    )


def _labels(axis: Axis, y_low: float, y_high: float) -> list[str]:
    beside: Attributes = {"class": "chart-label", "text-anchor": "end"}
    under: Attributes = {"class": "chart-label"}
    foot = _HEIGHT - 6
    return [
        text(_LEFT - 6, y_high + 4, str(axis.high), beside),
        text(_LEFT - 6, y_low + 4, str(axis.low), beside),
        text(_LEFT, foot, axis.first, under),
        text(_WIDTH - _RIGHT, foot, axis.last, beside),
    ]


def _written(value: str | float) -> str:
    return escape(value if isinstance(value, str) else f"{value:g}", quote=True)
