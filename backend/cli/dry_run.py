"""A dry run as the terminal shows it."""

import json
from typing import Any

import click
import msgspec

from backend.kit.money import format_yuan
from backend.programme.rules.dry_run import GroupShare
from backend.programme.service import SignedDryRun


def facts_of_dry_run(signed: SignedDryRun) -> dict[str, Any]:
    """Return a dry run as programs read it, with its signature."""
    facts: dict[str, Any] = json.loads(msgspec.json.encode(signed.dry_run))
    return {**facts, "signature": signed.signature}


def show_dry_run(signed: SignedDryRun) -> None:
    """Print what was found, in lines; people in whole twenties; few may be nobody."""
    made = signed.dry_run
    click.echo(f"Dry run {made.dry_run_id} of {made.programme} version {made.version}:")
    for check in made.checks:
        click.echo(f"  {'sound' if check.is_sound else 'FAULT'}  {check.name}")
        for fault in check.faults:
            click.echo(f"         {fault}")
    click.echo(f"  people:    {made.participants}, scored otherwise {_told(made.not_scored)}")
    click.echo(f"  rule met:  {_told(made.rule_met)}; could enrol: {_told(made.eligible)}")
    cost = made.cost
    if cost.cost_fen is not None:
        whole = "no limit" if cost.budget_fen is None else f"{format_yuan(cost.budget_fen)} yuan"
        click.echo(f"  cost:      {format_yuan(cost.cost_fen)} yuan of {whole}")
    if made.difference is not None:
        gained, lost = made.difference.gained, made.difference.lost
        click.echo(
            f"  against version {made.difference.live_version}:"
            f" {_told(gained)} would gain, {_told(lost)} would lose"
        )
    for name, groups in (("age", made.parity.age_bands), ("district", made.parity.districts)):
        for group in groups:
            click.echo(f"  {name} {group.code}: {_share(group)}")


def _share(group: GroupShare) -> str:
    if group.people is None:
        return "few"
    if group.share_permille is None:
        return f"{group.people} people, few on one side"
    return f"{group.eligible} of {group.people} people, {group.share_permille / 10:.1f} %"


def _told(count: int | None) -> str:
    return "few" if count is None else str(count)
