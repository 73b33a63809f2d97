"""A town on a fleet: residents with their apps, two partners with shops and receivers, an operator.

It is set up by the verbs, and from then on everything is asked over HTTP, of processes that may be
killed. Everybody is eligible, so that what is refused is refused for want of seats, budget or room.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import msgspec

from backend.app import House, Participation, open_house
from backend.citizen import service as citizen
from backend.kit.clock import SystemClock
from backend.kit.ids import new_id, token_hash
from backend.kit.postgres import Tx
from backend.programme import service as programme
from backend.programme.rules.document import Budget, Limit
from backend.settings import Settings
from backend.webhook.rules.payload import FOLLOWED_TOPICS, OBJECTS
from tests.support.citizen import sign_up
from tests.support.oauth_client import OauthClient
from tests.support.operator import OperatorSoftware
from tests.support.order_world import Shop
from tests.support.programme_world import City, Person
from tests.support.receiver import Receiver

CODES = ("rental", "transit")
# Small, so that it is spent and filled up again while they play.
BUDGET = Budget(reservation_minutes=600, amount_fen=60_000, day=Limit(uses=1_000_000))
ENDPOINTS = "/v1/webhook-endpoints"
TOPICS = [each for each in FOLLOWED_TOPICS if OBJECTS[each] in ("service_order", "obligation")]
VERIFY_SECONDS = 30


class Resident(msgspec.Struct):
    """A citizen, and the tokens partners hold for their orders, by programme."""

    person: Person
    tokens: dict[str, str]


class Town(City):
    """The city in front of which real processes answer."""

    shops: dict[str, Shop]
    operator: OperatorSoftware

    def __init__(self, house: House) -> None:
        clock: Any = SystemClock()
        http = httpx.AsyncClient(base_url=house.settings.public_origin, timeout=10)
        super().__init__(house, clock, http=http)
        # What an operator's software needs of a world.
        self.database, self.vault = house.database, house.vault
        self.receivers = {code: Receiver() for code in CODES}

    async def settle(self) -> None:
        """Publish versions for everybody, and let partners and operator come in."""
        async with self.database.write() as tx:
            for code in CODES:
                await self._publish(tx, code)
        self.shops = {code: await Shop.of(self, f"city-{code}") for code in CODES}
        world: Any = self
        self.operator = await OperatorSoftware.of(world, "programmes")
        for code in CODES:
            await self._listen(code)

    async def residents(self, count: int) -> list[Resident]:
        """Let so many citizens come in, and give each partner its consent."""
        found = []
        for _ in range(count):
            person = await self._resident()
            tokens = {code: await self.token_for(person, code) for code in CODES}
            found.append(Resident(person, tokens))
        return found

    async def token_for(self, person: Person, code: str) -> str:
        """Get a partner a token for a citizen's orders; the consent confirms where it may."""
        confirm = "consent" if code == "transit" else "citizen"
        return await self.shops[code].token(person, code, confirm=confirm)

    async def close(self) -> None:
        """Hang up, and let go of the database."""
        for receiver in self.receivers.values():
            await receiver.stop()
        await self.http.aclose()
        await self.house.close()

    async def _publish(self, tx: Tx, code: str) -> None:
        found = await programme.find_programme(tx, programme_code=code)
        assert found is not None
        document = msgspec.structs.replace(
            found.programme.document,
            version=found.programme.document.version + 1,
            facts=["score"],
            rule={"all": [{"fact": "score", "at_least": 1}]},
            budget=BUDGET,
        )
        made = msgspec.structs.replace(
            found.programme,
            document=document,
            digest=new_id(self.clock.now()).bytes + bytes(16),
        )
        done = await programme.publish(tx, programme=made, now=self.clock.now())
        assert done is programme.Publication.PUBLISHED

    async def _resident(self) -> Person:
        self._serial += 1
        app = OauthClient(self.http, self.clock, issuer=self.origin)
        now = self.clock.now()
        async with self.database.write() as tx:
            signed = await sign_up(tx, vault=self.vault, now=now, serial=self._serial)
            subject_id = signed.session.subject_id
            await tx.execute(
                "UPDATE session SET jkt = $2 WHERE token_hash = $1",
                token_hash(signed.token),
                app.jkt,
            )
            await citizen.join(
                tx,
                subject_id=subject_id,
                notice_version=citizen.CURRENT_NOTICE.version,
                vault=self.vault,
                now=now,
                hooks=Participation(),
            )
        return Person(subject_id, signed.token, app)

    async def _listen(self, code: str) -> None:
        """Register the receiver of a partner, and wait until it has proved itself."""
        receiver, own = await self.receivers[code].start(), self.shops[code].own
        asked = {"url": receiver.url, "topics": TOPICS, "scheme": "hmac"}
        made = await own.call("POST", ENDPOINTS, asked)
        assert made.status_code == 201, made.text
        receiver.secrets.append(made.json()["verify_with"])
        path = f"{ENDPOINTS}/{made.json()['endpoint_id']}"
        challenged = await own.call("POST", f"{path}/verify", {})
        assert challenged.status_code < 300, challenged.text
        async with asyncio.timeout(VERIFY_SECONDS):
            while (await own.call("GET", path)).json()["state"] != "active":
                await asyncio.sleep(0.1)


@asynccontextmanager
async def open_town(settings: Settings) -> AsyncIterator[Town]:
    """Open a town on the servers that the settings name."""
    town = Town(await open_house(settings))
    try:
        await town.settle()
        yield town
    finally:
        await town.close()


def subjects_of(residents: list[Resident]) -> list[UUID]:
    """Return who they are."""
    return [each.person.subject_id for each in residents]
