"""Webhooks from the command line: what goes out to a partner, and setting it going again."""

import json
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import click
import msgspec

from backend.cli.environment import command_settings, run
from backend.cli.partner import JSON_OPTION, in_transaction, say
from backend.cli.shell import actor_of, as_somebody, reason_of
from backend.kit.clock import SystemClock
from backend.kit.page import PAGE_SIZE_MAX
from backend.kit.postgres import Tx
from backend.webhook import service
from backend.webhook.rules.delivery import Delivery, State
from backend.webhook.rules.endpoint import Endpoint

_STATES = ("pending", "delivered", "failed", "abandoned")


@click.group()
def webhook() -> None:
    """What partners are told, and whether it reaches them."""


@webhook.command("endpoints")
@click.argument("partner")
@JSON_OPTION
def webhook_endpoints(*, partner: str, as_json: bool) -> None:
    """List the endpoints of PARTNER, by its code."""

    async def find(tx: Tx) -> list[Endpoint]:
        partner_id = await service.partner_id_of(tx, code=partner)
        return await service.list_endpoints(tx, partner_id=partner_id)

    found = run(in_transaction(command_settings(), find))
    if as_json:
        click.echo(json.dumps([_endpoint(each) for each in found]))
        return
    for each in found:
        why = f" ({each.pause_reason})" if each.pause_reason else ""
        click.echo(f"{each.endpoint_id}  {each.state}{why}  {each.url}  {' '.join(each.topics)}")
        if each.failing_since is not None:
            click.echo(f"  has taken nothing since {each.failing_since:%Y-%m-%d %H:%M} UTC")
        if each.probe_accepted:
            click.echo("  takes messages that are wrongly signed")
    if not found:
        click.echo(f"{partner} has no endpoints.")


@webhook.command("deliveries")
@click.argument("partner")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, PAGE_SIZE_MAX), default=20, show_default=True)
@JSON_OPTION
def webhook_deliveries(*, partner: str, state: State | None, limit: int, as_json: bool) -> None:
    """List what was or will be sent to PARTNER, by its code, newest first."""

    async def find(tx: Tx) -> list[Delivery]:
        partner_id = await service.partner_id_of(tx, code=partner)
        page = await service.list_deliveries(
            tx, partner_id=partner_id, state=state, cursor=None, page_size=limit
        )
        return page.items

    found = run(in_transaction(command_settings(), find))
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(each) for each in found]))
        return
    for each in found:
        click.echo(
            f"{each.delivery_id}  {each.state}  {each.tries} tries  {each.kind}  {each.topic}"
            f"  {each.object_id}"
        )
    if not found:
        click.echo("Nothing was sent.")


@webhook.command("replay")
@click.argument("delivery_id", type=click.UUID)
@as_somebody
@JSON_OPTION
def webhook_replay(*, delivery_id: UUID, by: str, reason: str, as_json: bool) -> None:
    """Send the message of DELIVERY_ID once more, under the same webhook-id."""

    async def replay(tx: Tx) -> UUID:
        return await service.replay_as_operator(
            tx,
            delivery_id=delivery_id,
            by=actor_of(by),
            reason=reason_of(reason),
            now=SystemClock().now(),
        )

    new = run(in_transaction(command_settings(), replay))
    say(as_json, f"It will be sent again as {new}.", delivery_id=str(new))


@webhook.command("pause")
@click.argument("endpoint_id", type=click.UUID)
@as_somebody
@JSON_OPTION
def webhook_pause(*, endpoint_id: UUID, by: str, reason: str, as_json: bool) -> None:
    """Send nothing to ENDPOINT_ID until an operator resumes it; what happens is kept."""
    _set_resting(endpoint_id, "pause", by, reason)
    say(as_json, f"Endpoint {endpoint_id} rests.", endpoint_id=str(endpoint_id), state="paused")


@webhook.command("resume")
@click.argument("endpoint_id", type=click.UUID)
@as_somebody
@JSON_OPTION
def webhook_resume(*, endpoint_id: UUID, by: str, reason: str, as_json: bool) -> None:
    """Send ENDPOINT_ID what was kept for it, oldest first, and go on."""
    _set_resting(endpoint_id, "resume", by, reason)
    say(as_json, f"Endpoint {endpoint_id} goes on.", endpoint_id=str(endpoint_id), state="active")


def _set_resting(
    endpoint_id: UUID, action: Literal["pause", "resume"], by: str, reason: str
) -> None:
    async def change(tx: Tx) -> None:
        await service.set_resting(
            tx,
            endpoint_id=endpoint_id,
            action=action,
            by=actor_of(by),
            reason=reason_of(reason),
            now=SystemClock().now(),
        )

    run(in_transaction(command_settings(), change))


def _endpoint(endpoint: Endpoint) -> Mapping[str, Any]:
    """Return an endpoint for programs, without what signs."""
    shown: dict[str, Any] = msgspec.to_builtins(endpoint)
    del shown["secrets_sealed"]
    return shown
