"""A run as Markdown: what it was made on, then the figures with their floor beside them."""

import statistics
from collections.abc import Iterable
from pathlib import Path

from tests.bench.eligibility import Plan, Result
from tests.bench.ingest import IngestPlan, IngestResult
from tests.bench.load import Outcome
from tests.bench.quota import QuotaPlan, QuotaResult
from tests.bench.score import CityResult, ScorePlan, ScoreResult
from tests.bench.webhook import WebhookPlan, WebhookResult

BENCHMARKS = Path(__file__).parents[2] / "docs" / "benchmarks.md"
RATIO_TARGET = 0.35
PEER_TARGET = 12
TAIL_TARGET = 5
FSYNCS_TARGET = 50
RECOMPUTE_TARGET, DOUBLE_TARGET = 0.5, 0.8
CHANGED_TARGET = 3
MEMORY_MB_TARGET = 200
PYTHON_US_TARGET = 1_000
GROWTH_TARGET = 1.5
INGEST_TARGET = 0.5
QUOTA_TARGET = 0.5
WEBHOOK_TARGET = 500


def eligibility_report(plan: Plan, result: Result) -> str:
    """Return the table of one run."""
    ratios = [
        check.rate / bare.rate for check, bare in zip(result.checks, result.bare, strict=True)
    ]
    cpu_ratios = [
        bare.cpu_us / check.cpu_us for check, bare in zip(result.checks, result.bare, strict=True)
    ]
    times = [check.rate / peer.rate for check, peer in zip(result.checks, result.peer, strict=True)]
    cpu_times = [
        peer.cpu_us / check.cpu_us for check, peer in zip(result.checks, result.peer, strict=True)
    ]
    rate = _spread(each.rate for each in result.checks)
    p50, p99 = (_spread_ms(each.percentile_ms(s) for each in result.checks) for s in (0.5, 0.99))
    tail = result.half.percentile_ms(0.99) / result.half.percentile_ms(0.5)
    fsyncs = 1000 * result.fsyncs / result.fsynced_checks
    rows = [
        ("bare Litestar GET handler, answers/s", _spread(r.rate for r in result.bare), ""),
        ("eligibility check, answers/s", rate, ""),
        ("ratio", _spread(ratios, ".3f"), f"≥ {RATIO_TARGET}"),
        ("server CPU a bare answer, µs", _spread(each.cpu_us for each in result.bare), ""),
        ("server CPU a check, µs", _spread(each.cpu_us for each in result.checks), ""),
        ("ratio of CPU", _spread(cpu_ratios, ".3f"), ""),
        (
            "FastAPI + SQLAlchemy twin, answers/s",
            _spread(each.rate for each in result.peer),
            "",
        ),
        ("check / twin, answers", _spread(times, ".1f"), f"≥ {PEER_TARGET}"),
        ("server CPU a twin's answer, µs", _spread(each.cpu_us for each in result.peer), ""),
        ("twin / check, CPU", _spread(cpu_times, ".1f"), ""),
        ("check at the maximum rate, p50 ms", p50, ""),
        ("check at the maximum rate, p99 ms", p99, ""),
        (f"check at {result.half_rate:.0f}/s (half), p50 ms", _ms(result.half, 0.5), ""),
        (f"check at {result.half_rate:.0f}/s (half), p99 ms", _ms(result.half, 0.99), ""),
        ("p99 / p50 at half of the maximum rate", f"{tail:.1f}", f"≤ {TAIL_TARGET}"),
        ("check with 1 connection, p50 ms", _ms(result.lone, 0.5), ""),
        ("bare handler with 1 connection, p50 ms", _ms(result.bare_lone, 0.5), ""),
        ("WAL fsyncs per 1,000 checks", f"{fsyncs:.1f}", f"≤ {FSYNCS_TARGET}"),
        (f"statements a check, {plan.connections} connections", _words(result.statements), ""),
        ("statements a check, 1 connection", _words(result.lone_statements), ""),
    ]
    how = (
        f"{plan.rounds} rounds of {plan.seconds:g} s each by turns, {plan.citizens} citizens,"
        f" {plan.connections} connections; median (min-max).\n"
        "Server on one core; load, PostgreSQL and Valkey on the other."
    )
    return _table(result.machine, how, rows)


def ingest_report(plan: IngestPlan, result: IngestResult) -> str:
    """Return the table of one run."""
    ratios = [taken / copied for taken, copied in zip(result.taken, result.copied, strict=True)]
    rows = [
        ("bare COPY into the same table, rows/s", _spread(result.copied), ""),
        ("taken in with all checks, rows/s", _spread(result.taken), ""),
        ("ratio", _spread(ratios, ".3f"), f"≥ {INGEST_TARGET}"),
    ]
    how = (
        f"{plan.rounds} rounds of each by turns, a file of {plan.rows:,} rows; median (min-max).\n"
        "The COPY sends the very rows that were taken in, in binary, to the emptied table."
    )
    return _table(result.machine, how, rows)


def webhook_report(plan: WebhookPlan, result: WebhookResult) -> str:
    """Return the table of one run."""
    ratios = [sent / bare for sent, bare in zip(result.sent, result.bare, strict=True)]
    many = f"sent to {plan.endpoints} endpoints, messages/s"
    rows = [
        ("bare loop of httpx POSTs, messages/s", _spread(result.bare), ""),
        (many, _spread(result.sent), f"≥ {WEBHOOK_TARGET}"),
        ("sent to one endpoint, messages/s", _spread(result.lone), f"≥ {WEBHOOK_TARGET}"),
        ("ratio to the bare loop", _spread(ratios, ".2f"), ""),
        ("CPU of the bare loop a message, µs", _spread(result.bare_us), ""),
        ("CPU of the worker a message, making it included, µs", _spread(result.sent_us), ""),
    ]
    how = (
        f"{plan.rounds} rounds of each by turns, {plan.messages:,} messages; median (min-max).\n"
        "One worker on one core: claimed, signed, sent, answer read, delivery and try written\n"
        "durably. Receiver and PostgreSQL on the other core."
    )
    return _table(result.machine, how, rows)


def quota_report(plan: QuotaPlan, result: QuotaResult) -> str:
    """Return the table of one run."""
    ratios = [desk / bare for desk, bare in zip(result.desk, result.bare, strict=True)]
    alone = [each / bare for each, bare in zip(result.alone, result.bare, strict=True)]
    rows = [
        ("bare conditional UPDATE, answers/s", _spread(result.bare), ""),
        ("enrolment at the desk, answers/s", _spread(result.desk), ""),
        ("ratio", _spread(ratios, ".2f"), f"≥ {QUOTA_TARGET}"),
        ("enrolment in a transaction of its own, answers/s", _spread(result.alone), ""),
        ("ratio of that", _spread(alone, ".2f"), ""),
    ]
    how = (
        f"{plan.rounds} rounds of each by turns, {plan.contenders:,} at once; median (min-max).\n"
        f"Exactly {plan.seats} seats taken each time. In one process, on one pool."
    )
    return _table(result.machine, how, rows)


def score_report(plan: ScorePlan, result: ScoreResult) -> str:
    """Return the table of one run."""
    rows: list[tuple[str, str, str]] = []
    for city in result.cities:
        rows += _city_rows(city)
    smallest, largest = result.cities[0], result.cities[-1]
    growth = _cost_us(largest, largest.full) / _cost_us(smallest, smallest.full)
    rows += [
        (
            f"cost a citizen at {largest.citizens:,} / at {smallest.citizens:,}",
            f"{growth:.2f}",
            f"≤ {GROWTH_TARGET}",
        ),
        (
            "one score in Python with its trace, µs of CPU",
            _spread(result.python_us),
            f"< {PYTHON_US_TARGET:,}",
        ),
    ]
    how = (
        f"{plan.rounds} rounds of each by turns, 12 records a citizen; median (min-max). Each\n"
        "full recompute writes every score anew and a row of history with it."
    )
    return _table(result.machine, how, rows)


def _city_rows(city: CityResult) -> list[tuple[str, str, str]]:
    name = f"{city.citizens:,}"
    ratios = [bare / full for bare, full in zip(city.bare, city.full, strict=True)]
    doubles = [bare / double for bare, double in zip(city.bare, city.double, strict=True)]
    changed_us = city.changed / city.changed_citizens * 1e6
    factor = changed_us / _cost_us(city, city.full)
    return [
        (f"{name} citizens: bare aggregates, s", _spread(city.bare, ".2f"), ""),
        (f"{name}: full recompute, all scores change, s", _spread(city.full, ".2f"), ""),
        (f"{name}: ratio", _spread(ratios, ".2f"), f"≥ {RECOMPUTE_TARGET}"),
        (f"{name}: the same on two connections, s", _spread(city.double, ".2f"), ""),
        (f"{name}: ratio on two connections", _spread(doubles, ".2f"), f"≥ {DOUBLE_TARGET}"),
        (f"{name}: full recompute, no score changes, s", f"{city.unchanged:.2f}", ""),
        (f"{name}: cost a citizen, µs", f"{_cost_us(city, city.full):.1f}", ""),
        (
            f"{name}: cost a citizen when 1 % changed / in the full recompute",
            f"{factor:.1f}",
            f"≤ {CHANGED_TARGET}",
        ),
        (
            f"{name}: memory of the Python process, MB",
            _spread(city.memory_mb),
            f"< {MEMORY_MB_TARGET}",
        ),
    ]


def _cost_us(city: CityResult, seconds: list[float]) -> float:
    return statistics.median(seconds) / city.citizens * 1e6


def _table(machine: list[tuple[str, str]], how: str, rows: list[tuple[str, str, str]]) -> str:
    head = "".join(f"- {name}: {value}\n" for name, value in machine)
    lines = [f"| {name} | {value} | {target} |" for name, value, target in rows]
    return "\n".join([head, how, "", "| what | measured | target |", "|---|---|---|", *lines, ""])


def append(title: str, command: str, report: str) -> None:
    """Add a run to docs/benchmarks.md."""
    with BENCHMARKS.open("a") as file:
        file.write(f"\n## {title}\n\n`{command}`\n\n{report}")


def _spread(values: Iterable[float], form: str = ",.0f") -> str:
    ordered = sorted(values)
    middle = statistics.median(ordered)
    return f"{middle:{form}} ({ordered[0]:{form}}-{ordered[-1]:{form}})"


def _spread_ms(values: Iterable[float]) -> str:
    return _spread(values, ".1f")


def _ms(outcome: Outcome, share: float) -> str:
    return f"{outcome.percentile_ms(share):.2f}"


def _words(statements: dict[str, float]) -> str:
    parts = ", ".join(f"{word} {count:.2f}" for word, count in statements.items())
    return f"{sum(statements.values()):.2f} ({parts})"
