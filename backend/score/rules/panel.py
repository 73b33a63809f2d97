"""The parts the picture of a report is drawn from: labels, bars, rows of bars in pairs."""

from collections.abc import Sequence
from typing import NamedTuple

from backend.kit.svg import Attributes, element, text

INK, MUTED, FAINT = "#1b1f24", "#57606a", "#eaeef2"
CHAMPION, CHALLENGER, LOW = "#b4bcc6", "#2166ac", "#b42318"

_ROW, _BAR = 27, 8


class Pair(NamedTuple):
    """A row: what it is about, and a share in permille in its colour for each scorecard."""

    name: str
    shares: Sequence[tuple[int | None, str]]


def label(
    x: float,
    y: float,
    content: str,
    *,
    size: int,
    weight: str = "normal",
    colour: str = INK,
    anchor: str = "start",
) -> str:
    """Return a text."""
    attributes: Attributes = {
        "font-size": size,
        "font-weight": weight,
        "fill": colour,
        "text-anchor": anchor,
    }
    return text(round(x, 1), round(y, 1), content, attributes)


def heading(x: float, y: float, chinese: str, english: str) -> list[str]:
    """Return a title, with its English after it."""
    after = x + 18 * len(chinese) + 10
    return [
        label(x, y, chinese, size=17, weight="bold"),
        label(after, y, english, size=13, colour=MUTED),
    ]


def bar(x: float, y: float, width: float, height: float, *, colour: str) -> str:
    """Return a filled rectangle."""
    place: Attributes = {
        "x": round(x, 1),
        "y": round(y, 1),
        "width": round(width, 1),
        "height": round(height, 1),
        "fill": colour,
    }
    return element("rect", place)


def line(x1: float, y1: float, x2: float, y2: float, *, colour: str) -> str:
    """Return a thin line."""
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    place: Attributes = {name: round(value, 1) for name, value in ends.items()}
    return element("line", {**place, "stroke": colour, "stroke-width": 1})


def dotted(x: float, y: float, width: float, colour: str) -> str:
    """Return the sign of a number that is not told."""
    place: Attributes = {
        "x1": round(x, 1),
        "x2": round(x + width, 1),
        "y1": round(y, 1),
        "y2": round(y, 1),
        "stroke": colour,
        "stroke-width": 2,
        "stroke-dasharray": "2 3",
    }
    return element("line", place)


def pairs(x: float, y: float, width: float, rows: Sequence[Pair]) -> list[str]:
    """Return rows of bars, one above the other for each scorecard, with their shares."""
    shares = [share or 0 for row in rows for share, _ in row.shares]
    most = max([*shares, 1])
    start, room = x + width * 0.46, width * 0.44
    parts = []
    for number, row in enumerate(rows):
        top = y + number * _ROW
        parts.append(label(x, top + 13, _short(row.name), size=12))
        for place, (share, colour) in enumerate(row.shares):
            level = top + 2 + place * (_BAR + 1)
            if share is None:
                parts.append(dotted(start, level + _BAR / 2, 26, colour))
                continue
            long = max(1.0, share * room / most)
            parts.append(bar(start, level, long, _BAR, colour=colour))
            told = label(start + long + 5, level + _BAR, f"{share / 10:.1f}%", size=9, colour=MUTED)
            parts.append(told)
    return parts


def _short(name: str, longest: int = 30) -> str:
    """Cut a name to the room it has; a Chinese character takes twice the room of a letter."""
    room = 0
    for place, character in enumerate(name):
        room += 2 if ord(character) > 0x2E80 else 1
        if room > longest:
            return name[:place].rstrip() + "…"
    return name
