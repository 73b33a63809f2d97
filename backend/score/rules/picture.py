"""The report as one picture that can be printed: Chinese first, with English beside it.

Everything drawn stands in the report; what is not told there is drawn as a dotted place.
"""

from collections.abc import Sequence
from typing import NamedTuple

from backend.kit.svg import Attributes, drawing, element, text
from backend.score.rules.panel import (
    CHALLENGER,
    CHAMPION,
    FAINT,
    INK,
    LOW,
    MUTED,
    Pair,
    bar,
    dotted,
    heading,
    label,
    line,
    pairs,
)
from backend.score.rules.report import Contribution, Group, GroupSide, Report, Side

WIDTH, HEIGHT, MARGIN = 1000, 1414, 48
_INNER = WIDTH - 2 * MARGIN
_HALF = (_INNER - 40) // 2
INDICATORS_SHOWN, DISTRICTS_SHOWN = 8, 8

_LEVELS = {
    "stable": "稳定 stable",
    "shifted": "有变化 shifted",
    "changed": "明显变化 changed",
}
_REASONS = {
    "not_a_backtest": "须回溯 backtests only",
    "too_few": "人数不足 too few people",
    "no_earlier_report": "无早期报告 none earlier",
}


def draw_report(report: Report) -> str:
    """Return the report as an SVG document of A4's proportions."""
    parts = [element("rect", {"width": WIDTH, "height": HEIGHT, "fill": "#ffffff"}), *_head(report)]
    if report.is_told:
        parts += [
            *_figures(report, 168),
            *_distribution(report, 300),
            *_tiers(report, 590),
            *_moves(report, 590),
            *_contributions(report, 838),
            *_parity(report, 1108),
        ]
    else:
        words = f"参加人数不足 {report.k} 人，不作统计。"
        english = f"Fewer than {report.k} people take part: nothing is told about them."
        parts += [label(MARGIN, 220, words, size=18), label(MARGIN, 250, english, size=14)]
    parts += _foot(report)
    return drawing(
        "scorecard-report",
        element("g", {"font-family": "sans-serif", "fill": INK}, *parts),
        title=f"评分卡报告 Scorecard report {_versions(report)}, {report.as_of.isoformat()}",
        description=_description(report),
        size=(WIDTH, HEIGHT),
    )


def _versions(report: Report) -> str:
    if report.challenger_version is None:
        return str(report.champion_version)
    if report.champion_version is None:
        return report.challenger_version
    return f"{report.challenger_version} ↔ {report.champion_version}"


def _description(report: Report) -> str:
    if not report.is_told:
        return f"Fewer than {report.k} people take part: nothing is told about them."
    words = [f"{report.participants} people and a few more take part."]
    for name, side in (("In force", report.champion), ("Challenger", report.challenger)):
        if side is not None:
            words.append(
                f"{name} {side.version}: mean {side.mean_points}, median {side.median_points}."
            )
    if report.movement is not None:
        words.append(
            f"Population stability index between them {report.movement.stability_index},"
            f" {report.movement.level}."
        )
    return " ".join(words)


def _sides(report: Report) -> list[tuple[Side, str, str]]:
    """Return what there is, with the colour it is drawn in and its name."""
    found = []
    if report.champion is not None:
        colour = CHAMPION if report.challenger is not None else CHALLENGER
        found.append((report.champion, colour, f"现行 in force {report.champion.version}"))
    if report.challenger is not None:
        found.append(
            (report.challenger, CHALLENGER, f"候选 challenger {report.challenger.version}")
        )
    return found


def _head(report: Report) -> list[str]:
    kind = "回溯 backtest" if report.is_backtest else "当日 of the day"
    parts = [
        label(MARGIN, 68, "评分卡报告", size=30, weight="bold"),
        label(MARGIN + 168, 68, f"Scorecard report {_versions(report)}", size=22),
        label(
            MARGIN,
            98,
            f"数据日期 as of {report.as_of.isoformat()}（{kind}） · 参加人数 participants"
            f" {report.participants}+ · 制作 made by {report.made_by},"
            f" {report.made_at:%Y-%m-%d %H:%M} UTC",
            size=13,
            colour=MUTED,
        ),
        label(MARGIN, 118, f"报告编号 report {report.report_id}", size=13, colour=MUTED),
    ]
    x = MARGIN
    for _, colour, name in _sides(report):
        parts += [bar(x, 134, 14, 14, colour=colour), label(x + 20, 146, name, size=13)]
        x += 260
    return parts


class _Figure(NamedTuple):
    name: str
    value: str
    note: str


def _figures(report: Report, y: int) -> list[str]:
    """Draw the numbers one looks at first, six in a row."""
    sides = [side for side, _, _ in _sides(report)]
    subject = sides[-1]
    means = " → ".join(f"{side.mean_points:.0f}" for side in sides)
    medians = " → ".join(str(side.median_points) for side in sides)
    outcome, drift = subject.outcome, sides[0].drift
    figures = [
        _Figure("平均分 mean", means, f"满分 of {subject.range_points}"),
        _Figure("中位数 median", medians, f"基础分 base {subject.base_points}"),
        _between(report),
        _Figure(
            "较上次 PSI since then",
            "–" if drift.stability_index is None else f"{drift.stability_index:.3f}",
            _level(drift.level, drift.reason),
        ),
        _Figure(
            "薄档案 thin files",
            _percent(report.thin_files.thin_permille if report.thin_files else None),
            "不足 3 条 under 3 records",
        ),
        _Figure(
            "KS · AUC",
            "–" if outcome.area is None else f"{outcome.separation:.2f} · {outcome.area:.2f}",
            _REASONS.get(outcome.reason or "", "对履约结果 vs outcomes"),
        ),
    ]
    width = (_INNER - 5 * 12) / 6
    parts = []
    for place, figure in enumerate(figures):
        x = MARGIN + place * (width + 12)
        frame: Attributes = {
            "x": x,
            "y": y,
            "width": width,
            "height": 96,
            "rx": 6,
            "fill": FAINT,
        }
        parts += [
            element("rect", frame),
            label(x + 10, y + 24, figure.name, size=12, colour=MUTED),
            label(x + 10, y + 58, figure.value, size=20, weight="bold"),
            label(x + 10, y + 82, figure.note, size=10, colour=MUTED),
        ]
    return parts


def _between(report: Report) -> _Figure:
    if report.movement is None:
        return _Figure("候选与现行 PSI", "–", "无候选 no challenger")
    movement = report.movement
    return _Figure(
        "与现行 PSI vs in force", f"{movement.stability_index:.2f}", _LEVELS[movement.level]
    )


def _level(level: str | None, reason: str | None) -> str:
    return _LEVELS[level] if level else _REASONS.get(reason or "", "")


def _percent(permille: int | None) -> str:
    return "–" if permille is None else f"{permille / 10:.0f}%"


def _distribution(report: Report, y: int) -> list[str]:
    sides = _sides(report)
    height, foot = 190, y + 230
    bins = sides[0][0].histogram
    shares = [each.share_permille or 0 for side, _, _ in sides for each in side.histogram]
    most = max([*shares, 1])
    step = _INNER / len(bins)
    parts = heading(MARGIN, y, "分数分布", "Score distribution, share of participants")
    for share in (most // 2, most):
        level = foot - share * height / most
        parts += [
            line(MARGIN, level, WIDTH - MARGIN, level, colour=FAINT),
            label(WIDTH - MARGIN, level - 3, _percent(share), size=10, colour=MUTED, anchor="end"),
        ]
    for number, (side, colour, _) in enumerate(sides):
        width = step * (0.78 if number == 0 else 0.42)
        for place, each in enumerate(side.histogram):
            x = MARGIN + place * step + (step - width) / 2
            if each.people is None:
                parts.append(dotted(x, foot - 3 - 6 * number, width, colour))
            elif each.share_permille:
                tall = each.share_permille * height / most
                parts.append(bar(x, foot - tall, width, tall, colour=colour))
    parts.append(line(MARGIN, foot, WIDTH - MARGIN, foot, colour=MUTED))
    for place in range(0, len(bins) + 1, 2):
        points = bins[place].from_points if place < len(bins) else bins[-1].to_points
        x = MARGIN + place * step
        parts.append(label(x, foot + 16, str(points), size=11, colour=MUTED, anchor="middle"))
    return parts


def _tiers(report: Report, y: int) -> list[str]:
    sides = _sides(report)
    rows = [
        Pair(
            f"{tier.name_zh} {tier.name_en}",
            [(_share_of(side, tier.code), colour) for side, colour, _ in sides],
        )
        for tier in sides[0][0].tiers
    ]
    title = heading(MARGIN, y, "各等级占比", "Share of each tier")
    return title + pairs(MARGIN, y + 22, _HALF, rows)


def _share_of(side: Side, code: str) -> int | None:
    return next((tier.share_permille for tier in side.tiers if tier.code == code), None)


def _moves(report: Report, y: int) -> list[str]:
    if report.movement is None:
        return []
    x = MARGIN + _HALF + 40
    rows = [
        Pair(_band(each.from_change, each.to_change), [(each.share_permille, CHALLENGER)])
        for each in report.movement.bands
    ]
    change = report.movement.mean_change_points
    title = heading(x, y, "分数变化", f"Change of points, {change:+.1f} on average")
    return title + pairs(x, y + 22, _HALF, rows)


def _band(least: int | None, most: int | None) -> str:
    if least is None:
        return f"≤ {most}"
    if most is None:
        return f"≥ +{least}"
    return "不变 no change" if least == most == 0 else f"{least:+d} … {most:+d}"


def _contributions(report: Report, y: int) -> list[str]:
    sides = _sides(report)
    right = MARGIN + _HALF + 40
    indicators = _contribution_rows(sides, [side.indicators for side, _, _ in sides])
    return [
        *heading(MARGIN, y, "各维度影响占比", "What moves scores: dimensions"),
        *pairs(
            MARGIN,
            y + 22,
            _HALF,
            _contribution_rows(sides, [side.dimensions for side, _, _ in sides]),
        ),
        *heading(right, y, "主要指标", "indicators that move most"),
        *pairs(right, y + 22, _HALF, indicators[:INDICATORS_SHOWN]),
    ]


def _contribution_rows(
    sides: Sequence[tuple[Side, str, str]], parts: Sequence[Sequence[Contribution]]
) -> list[Pair]:
    """Return a row for each part of the last scorecard, the one that moves most first."""
    names: dict[str, str] = {}
    shares: dict[str, list[int | None]] = {}
    for number, own in enumerate(parts):
        for each in own:
            names[each.code] = f"{each.name_zh} {each.name_en}"
            shares.setdefault(each.code, [None] * len(sides))[number] = each.share_permille
    colours = [colour for _, colour, _ in sides]
    rows = [Pair(names[code], list(zip(own, colours, strict=True))) for code, own in shares.items()]
    return sorted(rows, key=lambda row: -(row.shares[-1][0] or 0))


def _parity(report: Report, y: int) -> list[str]:
    assert report.parity is not None, "a report that is told"
    shown = sorted(report.parity.districts, key=lambda each: -(each.people or 0))
    right = MARGIN + _HALF + 40
    return [
        *heading(MARGIN, y, "年龄公平", "Parity by age: reaching a tier, 1.00 as everybody"),
        *_groups(report, report.parity.age_bands, MARGIN, y + 18),
        *heading(right, y, "地区公平", "by district (area code of the id)"),
        *_groups(report, shown[:DISTRICTS_SHOWN], right, y + 18),
        *_left_out(len(shown) - DISTRICTS_SHOWN, right, y + 18 + 24 * (DISTRICTS_SHOWN + 1)),
    ]


def _left_out(count: int, x: int, y: int) -> list[str]:
    words = f"另有 {count} 个地区见 report.json · {count} more in report.json"
    return [label(x, y, words, size=10, colour=MUTED)] if count > 0 else []


def _groups(report: Report, groups: Sequence[Group], x: int, y: int) -> list[str]:
    """Draw a table: a group a row, its people, mean against all, and its ratio at each tier."""
    side = report.challenger or report.champion
    assert side is not None, "a report has a subject"
    columns = [x + 92, x + 150, *(x + 216 + 54 * place for place in range(len(side.tiers) - 1))]
    names = ["人数 people", "均差 mean", *(f"≥{tier.name_zh}" for tier in side.tiers[1:])]
    parts = [
        label(at, y + 10, name, size=10, colour=MUTED, anchor="end")
        for at, name in zip(columns, names, strict=True)
    ]
    for place, group in enumerate(groups[:DISTRICTS_SHOWN], start=1):
        level = y + 10 + 22 * place
        parts.append(line(x, level + 6, x + _HALF, level + 6, colour=FAINT))
        parts.append(label(x, level, group.name_zh, size=12))
        people = "<20 / –" if group.people is None else f"{group.people}+"
        parts.append(label(columns[0], level, people, size=12, anchor="end"))
        shown = group.challenger or group.champion
        if shown is not None:
            parts += _group_cells(shown, columns[1:], level)
    return parts


def _group_cells(shown: GroupSide, columns: Sequence[float], level: int) -> list[str]:
    parts = [label(columns[0], level, f"{round(shown.mean_difference):+d}", size=12, anchor="end")]
    for at, tier in zip(columns[1:], shown.tiers, strict=True):
        unsaid = "<0.80" if tier.is_low else "–"
        ratio = unsaid if tier.ratio_permille is None else f"{tier.ratio_permille / 1000:.2f}"
        weight, colour = ("bold", LOW) if tier.is_low else ("normal", INK)
        parts.append(label(at, level, ratio, size=12, anchor="end", weight=weight, colour=colour))
    return parts


def _foot(report: Report) -> list[str]:
    notes = [
        (
            f"人数以 {report.k} 人为单位向下取整；不足 {report.k} 人的，"
            "以及可据以推算的数字，不公布（虚线、–）。"
        ),
        (
            f"People are told in whole {report.k}s, rounded down."
            " Fewer are not told, nor what would give them away (dots, –)."
        ),
        (
            "PSI < 0.1 稳定 stable · 0.1–0.25 有变化 shifted · ≥ 0.25 明显变化 changed.   红字 red:"
            " 达到该等级的机会不足总体的 0.8 · reaches the tier less than 0.8 times as often."
        ),
        (
            "地区为身份证号前六位，即首次登记地，不一定是居住地。 District: the first six digits of"
            " the id, where it was first registered."
        ),
    ]
    return [
        text(MARGIN, HEIGHT - 72 + 16 * place, note, {"font-size": 10.5, "fill": MUTED})
        for place, note in enumerate(notes)
    ]
