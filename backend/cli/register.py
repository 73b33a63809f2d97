"""`creditplus register build`: the identity register from the city's own list of people.

The list itself never reaches the service: what comes out is keyed digests, which name nobody
(ADR 0013).
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import click

from backend.app import open_vault
from backend.citizen.ports import identity_digest
from backend.citizen.rules import parse_name, parse_national_id, parse_phone
from backend.cli.environment import Fault, command_settings
from backend.kit.clock import SystemClock, city_date
from backend.kit.crypto import Vault
from backend.kit.problem import Refusal
from backend.settings import SettingsFault

COLUMNS = ("name", "national_id", "phone")
FAULTS_SHOWN = 20


@click.group()
def register() -> None:
    """Who may register: the city's list of people, as digests that name nobody."""


@register.command("build")
@click.argument("people", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def register_build(people: Path, out: Path) -> None:
    """Make the register OUT from the CSV PEOPLE with columns name, national_id, phone.

    A line that is not a person is told and left out; then the exit code is 1, and OUT holds
    the others. Name OUT in CREDIT_IDENTITY_REGISTER_FILE and restart the API.
    """
    try:
        vault = open_vault(command_settings())
    except SettingsFault as fault:
        raise Fault("; ".join(fault.faults)) from None
    faults: list[str] = []
    digests = sorted(_digests(people, vault, faults))
    fresh = out.with_name(out.name + ".new")
    fresh.write_text("".join(f"{digest}\n" for digest in digests))
    fresh.chmod(0o600)
    fresh.replace(out)  # the API reads a whole register or the one before
    click.echo(f"{len(digests)} people in {out}, {len(faults)} lines left out.")
    for line in faults[:FAULTS_SHOWN]:
        click.echo(f"  {line}", err=True)
    if faults:
        raise SystemExit(1)


def _digests(people: Path, vault: Vault, faults: list[str]) -> Iterator[str]:
    today = city_date(SystemClock().now())
    with people.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        rows = csv.DictReader(file)
        if not set(COLUMNS) <= set(rows.fieldnames or ()):
            raise Fault(f"{people} needs the columns {', '.join(COLUMNS)}")
        for row in rows:
            try:
                yield identity_digest(
                    vault,
                    national_id=parse_national_id(row["national_id"] or "", today=today).number,
                    name=parse_name(row["name"] or ""),
                    phone=parse_phone(row["phone"] or ""),
                ).hex()
            except Refusal as refusal:
                faults.append(f"line {rows.line_num}: {refusal.code}")
