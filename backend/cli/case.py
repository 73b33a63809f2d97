"""Cases from the command line: what waits for a person, and what is late."""

import json
from datetime import date

import click

from backend.case import service
from backend.case.rules import Case, days_overdue
from backend.case.service import QueueCounts
from backend.cli.environment import command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction
from backend.kit.clock import SystemClock, city_date
from backend.kit.page import PAGE_SIZE_MAX
from backend.kit.postgres import Tx


@click.group()
def case() -> None:
    """What a person has to look at, and by when (docs/cases.md)."""


@case.command("list")
@click.option("--overdue", is_flag=True, help="Only what should be decided by now.")
@JSON_OPTION
def case_list(*, overdue: bool, as_json: bool) -> None:
    """List the first hundred open cases, the first to be due first; nothing about anybody."""
    today = city_date(SystemClock().now())

    async def find(tx: Tx) -> tuple[list[Case], QueueCounts]:
        page = await service.list_queue(
            tx, overdue_only=overdue, cursor=None, page_size=PAGE_SIZE_MAX, today=today
        )
        return page.items, await service.count_queue(tx, today=today)

    found, counts = run(in_transaction(command_settings(), find))
    if as_json:
        facts = {
            "open": counts.open,
            "overdue": counts.overdue,
            "items": [_facts_of(each, today) for each in found],
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(f"{counts.open} open, {counts.overdue} of them overdue.")
    for each in found:
        late = days_overdue(each, today)
        due = f"due {each.due_on}" + (f", {late} days late" if late else "")
        taken = f"with {each.taken_by}" if each.taken_by else "taken by nobody"
        click.echo(f"{each.case_id} {each.kind} {each.object}: {due}, {taken}")


def _facts_of(each: Case, today: date) -> dict[str, object]:
    return {
        "case_id": str(each.case_id),
        "kind": each.kind,
        "object": each.object,
        "opened_at": each.opened_at.isoformat(),
        "due_on": each.due_on.isoformat(),
        "days_overdue": days_overdue(each, today),
        "taken_by": each.taken_by,
    }
