"""Partners with endpoints, receivers for them, and the loop that sends to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from backend.event import service as event
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.partner import service as partner
from backend.webhook import service
from backend.webhook.jobs import Dispatch
from backend.webhook.ports import Courier, Resolve, resolve
from backend.webhook.rules.address import TargetPolicy
from backend.webhook.rules.delivery import Delivery, Try
from backend.webhook.rules.endpoint import Endpoint
from tests.support.receiver import Receiver

ORIGIN = "https://credit.example.cn"
LOOPBACK = TargetPolicy(allow_loopback=True)
PUBLIC_ONLY = TargetPolicy(allow_loopback=False)
TOPICS = ["order.created", "order.activated", "order.completed"]


class WebhookWorld:
    """One database, a clock that starts now, and whatever partners have there."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database, self.vault = database, vault
        # Receivers look at their own clock.
        self.clock = FixedClock(datetime.now(UTC).replace(microsecond=0))
        self.receivers: list[Receiver] = []

    async def add_partner(self, code: str = "bike-rental") -> UUID:
        """Add a partner and return its id."""
        async with self.database.write() as tx:
            added = await partner.add_partner(
                tx,
                code=code,
                name_zh="骑行公司",
                name_en="Bikes",
                kind="merchant",
                now=self.clock.now(),
            )
        return added.partner_id

    async def receive(self, **changes: Any) -> Receiver:
        """Start a receiver."""
        receiver = await Receiver(**changes).start()
        self.receivers.append(receiver)
        return receiver

    async def add_endpoint(
        self, partner_id: UUID, receiver: Receiver, *, is_verified: bool = True, **changes: Any
    ) -> UUID:
        """Add the endpoint of a receiver, teach it the secret, and let it prove itself."""
        given = {"url": receiver.url, "topics": TOPICS, "scheme": "hmac", **changes}
        async with self.database.write() as tx:
            added = await service.add_endpoint(
                tx,
                partner_id=partner_id,
                policy=LOOPBACK,
                vault=self.vault,
                now=self.clock.now(),
                **given,
            )
            endpoint = await service.get_endpoint(
                tx, partner_id=partner_id, endpoint_id=added.endpoint_id
            )
        secret = service.shown_secret_of(endpoint, secret_id=added.secret_id, vault=self.vault)
        assert secret is not None
        receiver.secrets.insert(0, secret)
        if is_verified:
            await self.verify(partner_id, added.endpoint_id)
            await self.send_due()
            found = await self.endpoint(partner_id, added.endpoint_id)
            assert found.state == "active"
        return added.endpoint_id

    async def verify(self, partner_id: UUID, endpoint_id: UUID) -> UUID:
        """Ask for a challenge."""
        async with self.database.write() as tx:
            return await service.verify(
                tx,
                partner_id=partner_id,
                endpoint_id=endpoint_id,
                origin=ORIGIN,
                now=self.clock.now(),
            )

    async def emit(
        self,
        partner_id: UUID,
        *,
        topic: str = "order.created",
        object_id: UUID | None = None,
        sequence: int = 1,
        facts: dict[str, object] | None = None,
    ) -> UUID:
        """Write a message in a transaction of its own; it isn't fanned out yet."""
        async with self.database.write() as tx:
            return await service.emit_message(
                tx,
                partner_id=partner_id,
                topic=topic,
                object_id=object_id or uuid4(),
                sequence=sequence,
                facts=facts or {},
                now=self.clock.now(),
            )

    async def fan_out(self, event_id: UUID) -> bool:
        """Carry out one message as the relay does; False when it was done already."""
        async with self.database.write() as tx:
            found = await event.take(tx, event_id=event_id)
            if found is None:
                return False
            await service.fan_out(tx, event=found, origin=ORIGIN, now=self.clock.now())
            await event.finish(tx, event_ids=[event_id], now=self.clock.now())
        return True

    async def tell(self, partner_id: UUID, **changes: Any) -> UUID:
        """Write a message and fan it out; return its id."""
        event_id = await self.emit(partner_id, **changes)
        assert await self.fan_out(event_id)
        return event_id

    def dispatch(
        self, policy: TargetPolicy = LOOPBACK, *, by: Resolve = resolve, **changes: Any
    ) -> Dispatch:
        """Return a loop that sends."""
        given = {"database": self.database, "vault": self.vault, "clock": self.clock, **changes}
        return Dispatch(courier=Courier(policy, resolve=by), **given)

    async def send_due(self, policy: TargetPolicy = LOOPBACK, **changes: Any) -> int:
        """Send what is due now; return how many tries that were."""
        return await self.dispatch(policy, **changes).send_due()

    async def endpoint(self, partner_id: UUID, endpoint_id: UUID) -> Endpoint:
        """Return an endpoint."""
        async with self.database.read() as tx:
            return await service.get_endpoint(tx, partner_id=partner_id, endpoint_id=endpoint_id)

    async def deliveries(self, partner_id: UUID) -> list[Delivery]:
        """Return the deliveries of a partner, oldest first, challenges left out."""
        async with self.database.read() as tx:
            page = await service.list_deliveries(
                tx, partner_id=partner_id, cursor=None, page_size=100
            )
        return [each for each in reversed(page.items) if each.kind != "ownership"]

    async def tries(self, partner_id: UUID, delivery_id: UUID) -> list[Try]:
        """Return the tries of a delivery."""
        async with self.database.read() as tx:
            _, tries = await service.get_delivery(
                tx, partner_id=partner_id, delivery_id=delivery_id
            )
        return tries


@asynccontextmanager
async def open_webhooks(database: Database, vault: Vault) -> AsyncIterator[WebhookWorld]:
    """Open a world, and stop its receivers afterwards."""
    world = WebhookWorld(database, vault)
    try:
        yield world
    finally:
        for receiver in world.receivers:
            await receiver.stop()
