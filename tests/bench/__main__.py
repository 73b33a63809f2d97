"""Measure one thing against its floor in the same run: `python -m tests.bench NAME`."""

import argparse
import asyncio
import sys

import uvloop

from tests.bench.eligibility import Plan, run
from tests.bench.ingest import ROWS_MAX, IngestPlan, run_ingest
from tests.bench.quota import QuotaPlan, run_quota
from tests.bench.report import (
    append,
    eligibility_report,
    ingest_report,
    quota_report,
    score_report,
    webhook_report,
)
from tests.bench.score import ScorePlan, run_score
from tests.bench.webhook import WebhookPlan, run_webhook


def main() -> None:
    """Run one bench and print its table."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    benches = parser.add_subparsers(dest="bench", required=True)
    eligibility = benches.add_parser("eligibility", help="eligibility checks over HTTP")
    eligibility.add_argument("--seconds", type=float, default=5.0, help="of each round")
    eligibility.add_argument("--rounds", type=int, default=5)
    eligibility.add_argument("--connections", type=int, default=64)
    eligibility.add_argument("--citizens", type=int, default=2000)
    score = benches.add_parser("score", help="recomputing every score of a city")
    score.add_argument("--rounds", type=int, default=3)
    score.add_argument(
        "--citizens", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of each city"
    )
    ingest = benches.add_parser("ingest", help="taking in what departments hand in")
    ingest.add_argument("--rounds", type=int, default=5)
    ingest.add_argument(
        "--rows", type=int, default=300_000, choices=range(1, ROWS_MAX + 1), metavar="N"
    )
    webhook = benches.add_parser("webhook", help="telling partners, by one worker")
    webhook.add_argument("--rounds", type=int, default=5)
    webhook.add_argument("--messages", type=int, default=5_000, help="of each round")
    webhook.add_argument("--endpoints", type=int, default=8)
    quota = benches.add_parser("quota", help="many at once for few seats")
    quota.add_argument("--rounds", type=int, default=5)
    quota.add_argument("--contenders", type=int, default=1_000)
    quota.add_argument("--seats", type=int, default=100)
    for bench in (eligibility, score, ingest, quota, webhook):
        bench.add_argument("--append", action="store_true", help="to docs/benchmarks.md")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(_measure(given))
    print(report)
    if given.append:
        command = " ".join(["scripts/bench", *(w for w in sys.argv[1:] if w != "--append")])
        append(given.bench, command, report)


async def _measure(given: argparse.Namespace) -> str:
    if given.bench == "eligibility":
        plan = Plan(given.seconds, given.rounds, given.connections, given.citizens)
        return eligibility_report(plan, await run(plan, _say))
    if given.bench == "score":
        score_plan = ScorePlan(sorted(given.citizens), given.rounds)
        return score_report(score_plan, await run_score(score_plan, _say))
    if given.bench == "webhook":
        webhook_plan = WebhookPlan(given.messages, given.endpoints, given.rounds)
        return webhook_report(webhook_plan, await run_webhook(webhook_plan, _say))
    if given.bench == "quota":
        quota_plan = QuotaPlan(given.contenders, given.seats, given.rounds)
        return quota_report(quota_plan, await run_quota(quota_plan, _say))
    ingest_plan = IngestPlan(given.rows, given.rounds)
    return ingest_report(ingest_plan, await run_ingest(ingest_plan, _say))


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
