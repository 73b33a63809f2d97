"""Measure one thing against its floor in the same run: `python -m tests.bench NAME`."""

import argparse
import asyncio
import sys

import uvloop

from tests.bench.eligibility import Plan, run
from tests.bench.report import append, eligibility_report


def main() -> None:
    """Run one bench and print its table."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    benches = parser.add_subparsers(dest="bench", required=True)
    eligibility = benches.add_parser("eligibility", help="eligibility checks over HTTP")
    eligibility.add_argument("--seconds", type=float, default=5.0, help="of each round")
    eligibility.add_argument("--rounds", type=int, default=5)
    eligibility.add_argument("--connections", type=int, default=64)
    eligibility.add_argument("--citizens", type=int, default=2000)
    eligibility.add_argument("--append", action="store_true", help="to docs/benchmarks.md")
    given = parser.parse_args()
    plan = Plan(given.seconds, given.rounds, given.connections, given.citizens)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(run(plan, lambda line: print(line, file=sys.stderr)))
    report = eligibility_report(plan, result)
    print(report)
    if given.append:
        command = " ".join(["scripts/bench", *(w for w in sys.argv[1:] if w != "--append")])
        append("eligibility", command, report)


if __name__ == "__main__":
    main()
