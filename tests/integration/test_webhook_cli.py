"""Goal: the server's shell shows what a partner was told, and sets what has stopped going again.

Method: the commands themselves on a real database; what they did stands in the operators' entries.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner

from backend.__main__ import main
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.webhook import service
from tests.support.webhook_world import WebhookWorld, open_webhooks


@pytest.fixture
async def world(database: Database, vault: Vault) -> AsyncIterator[WebhookWorld]:
    async with open_webhooks(database, vault) as world:
        yield world


async def test_an_endpoint_is_listed_paused_resumed_and_its_message_replayed(
    world: WebhookWorld, database_url: str
) -> None:
    async def creditplus(*words: str) -> Any:
        environment = {"CREDIT_DATABASE_URL": database_url}
        done = await asyncio.to_thread(
            lambda: CliRunner().invoke(main, ("webhook", *words, "--json"), env=environment)
        )
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    partner_id, receiver = await world.add_partner(), await world.receive()
    endpoint_id = str(await world.add_endpoint(partner_id, receiver))
    message_id = await world.tell(partner_id)
    await world.send_due()
    (endpoint,) = await creditplus("endpoints", "bike-rental")
    assert (endpoint["endpoint_id"], endpoint["state"]) == (endpoint_id, "active")
    assert "secret" not in str(endpoint)
    delivered = await creditplus("deliveries", "bike-rental", "--state", "delivered")
    found = [each for each in delivered if each["message_id"] == str(message_id)]
    assert len(found) == 1
    assert len(await creditplus("deliveries", "bike-rental", "--limit", "1")) == 1
    assert (await creditplus("pause", endpoint_id))["state"] == "paused"
    await creditplus("replay", found[0]["delivery_id"], "--by", "陈静", "--reason", "对方漏收")
    assert await world.send_due() == 0
    async with world.database.write() as tx:
        with pytest.raises(Refusal, match="webhook_paused_by_operator"):
            await service.resume(
                tx,
                partner_id=partner_id,
                endpoint_id=(await world.deliveries(partner_id))[0].endpoint_id,
                by="partner",
                now=world.clock.now(),
            )
    assert (await creditplus("resume", endpoint_id))["state"] == "active"
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE webhook_delivery SET due_at = now() - interval '1 hour'")
    actions = await connection.fetch(
        "SELECT action, login, reason FROM operator_entry ORDER BY entry_id"
    )
    await connection.close()
    assert [row["action"] for row in actions] == [
        "webhook_endpoint.paused",
        "webhook_delivery.replayed",
        "webhook_endpoint.resumed",
    ]
    assert (actions[1]["login"], actions[1]["reason"]) == ("cli:陈静", "对方漏收")
    await world.send_due()
    assert [message.id for message in receiver.taken] == [str(message_id)] * 2
