"""A city in which partners open service orders for citizens: rental, transit and the library.

In a test:

    shop = await Shop.of(city, "city-rental")           # a client of the partner, with all scopes
    person = await city.person(enrols=["rental"])
    opener = await shop.opener(person, "rental")        # the citizen's consent, without its page
    order = await shop.open(opener, "R-1", 20_000)      # the verb, in a transaction of its own
    token = await shop.token(person, "rental")          # the whole OAuth way, for HTTP
    answer = await shop.call("POST", "/v1/service-orders", {...}, token=token)
"""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import msgspec

from backend.consent import service as consent
from backend.kit.ids import new_token
from backend.kit.postgres import Tx
from backend.oauth import service as oauth
from backend.order import service as order
from backend.order.rules.order import Asked, Order
from backend.order.service import Keeper, Opener
from tests.support.oauth_client import ORDER_SCOPE, OauthClient
from tests.support.partner import PartnerSoftware
from tests.support.programme_world import PURPOSES, City, Person

ORDERS = "/v1/service-orders"
BOUNDS = {"rental": 200_000, "transit": 2_000, "library": 10_000}
PARTNER_OF = {"rental": "city-rental", "transit": "city-transit", "library": "city-library"}


class OrderRow(msgspec.Struct, frozen=True):
    """What stands in the database of an order."""

    state: str
    amount_fen: int
    credit_fen: int
    settled_fen: int | None
    performance: str | None
    revision: int


class Sum(msgspec.Struct, frozen=True):
    """What a balance says."""

    reserved_fen: int
    settled_fen: int
    uses: int


class Shop:
    """A partner's software, with a token of its own."""

    def __init__(self, city: City, client: OauthClient, partner_id: UUID) -> None:
        self.city, self.client, self.partner_id = city, client, partner_id
        self.own = PartnerSoftware(client)

    @classmethod
    async def of(cls, city: City, partner_code: str) -> "Shop":
        """Register a client of a partner, and the partner unless the city knows it."""
        client_id = f"{partner_code}-orders"
        client = OauthClient(city.http, city.clock, client_id=client_id, issuer=city.origin)
        shop = cls(city, client, await city.add_client(client, partner_code))
        await shop.own.sign_in()
        return shop

    @property
    def keeper(self) -> Keeper:
        """Whoever keeps this partner's orders, with a token of its own."""
        return Keeper(self.partner_id, None)

    async def consent(
        self, person: Person, code: str, *, confirm: str = "citizen", most: int | None = None
    ) -> UUID:
        """Give this partner the citizen's consent to orders; return its id."""
        async with self.city.house.database.write() as tx:
            return await self._consent(tx, person, _detail(code, confirm, most))

    async def _consent(self, tx: Tx, person: Person, detail: dict[str, Any]) -> UUID:
        given = await consent.give(
            tx,
            subject_id=person.subject_id,
            client_id=self.client.client_id,
            detail=detail,
            now=self.city.clock.now(),
        )
        return given.consent_id

    async def opener(
        self, person: Person, code: str, *, confirm: str = "citizen", most: int | None = None
    ) -> Opener:
        """Return who opens orders for a citizen, under a consent given just now."""
        return Opener(
            subject_id=person.subject_id,
            consent_id=await self.consent(person, code, confirm=confirm, most=most),
            partner_id=self.partner_id,
            client_id=self.client.client_id,
            details=[_detail(code, confirm, most)],
        )

    async def open(
        self, opener: Opener, reference: str, amount_fen: int, *, partial: bool = False
    ) -> Order | None:
        """Open an order, in a transaction of its own."""
        asked = Asked(str(opener.details[0]["programme"]), reference, amount_fen, partial)
        async with self.city.house.database.write() as tx:
            return await order.open_order(
                tx,
                opener=opener,
                asked=asked,
                vault=self.city.house.vault,
                now=self.city.clock.now(),
            )

    async def token(
        self, person: Person, code: str, *, confirm: str = "citizen", most: int | None = None
    ) -> str:
        """Get a token for a citizen's orders, the whole way but for the consent page."""
        city, detail = self.city, _detail(code, confirm, most)
        pushed = await self.client.push(
            authorization_details=json.dumps([detail]), scope=ORDER_SCOPE
        )
        assert pushed.status_code == 201, pushed.text
        request_uri = pushed.json()["request_uri"]
        query = {"client_id": self.client.client_id, "request_uri": request_uri}
        opened = await city.http.get("/oauth/authorize", params=query)
        assert opened.status_code == 303, opened.text
        now = city.clock.now()
        async with city.house.database.write() as tx:
            consent_id = await self._consent(tx, person, detail)
            asked = await oauth.get_request(tx, request_uri=request_uri, now=now)
            redirect = await oauth.approve(
                tx,
                request_uri=request_uri,
                subject_id=person.subject_id,
                consent_id=consent_id,
                details=asked.parameters.details,
                expires_at=now + timedelta(days=30),
                vault=city.house.vault,
                now=now,
            )
        answer = await self.client.redeem(parse_qs(urlsplit(redirect).query)["code"][0])
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request with a citizen's token or, without one, with a token of its own."""
        if token is None:
            return await self.own.call(method, path, body, headers=headers)
        proof = self.client.proof(method, path.partition("?")[0], access_token=token)
        sent = {"authorization": f"DPoP {token}", "dpop": proof}
        if method == "POST":
            sent["idempotency-key"] = new_token("key_")
        return await self.city.http.request(
            method, path, json=body, headers={**sent, **(headers or {})}
        )


def _detail(code: str, confirm: str, most: int | None) -> dict[str, Any]:
    # As the authorization server completes it: the bound is always written out.
    detail: dict[str, Any] = {
        "type": "service_order",
        "programme": code,
        "purpose": PURPOSES[code],
        "confirm": confirm,
    }
    return {**detail, "amount_max_fen": most or BOUNDS[code]}


async def row_of(city: City, order_id: UUID) -> OrderRow | None:
    """Return what stands in the database of an order, or None."""
    async with city.house.database.read() as tx:
        return await tx.fetch_optional(
            OrderRow,
            """SELECT state, amount_fen, credit_fen, settled_fen, performance, revision
               FROM service_order WHERE order_id = $1""",
            order_id,
        )


async def exposure_of(city: City, person: Person) -> int:
    """Return how much stands for a citizen."""
    async with city.house.database.read() as tx:
        found = await tx.fetch_optional_value(
            int, "SELECT open_fen FROM exposure WHERE subject_id = $1", person.subject_id
        )
    return found or 0


async def budget_of(city: City, code: str) -> Sum:
    """Return a programme's balance as a whole."""
    async with city.house.database.read() as tx:
        return await tx.fetch_one(
            Sum,
            """SELECT reserved_fen, settled_fen, uses FROM budget
               WHERE programme_code = $1 AND span = 'programme'""",
            code,
        )


async def topics_of(city: City, object_id: UUID) -> list[str]:
    """Return what a partner was told of an object, in order."""
    async with city.house.database.read() as tx:
        found = await tx.fetch_all(
            _Topic,
            """SELECT payload ->> 'topic' AS topic FROM outbox
               WHERE topic = 'webhook.message' AND payload ->> 'object_id' = $1
               ORDER BY (payload ->> 'sequence')::bigint""",
            str(object_id),
        )
    return [each.topic for each in found]


async def notices_of(city: City, person: Person) -> list[str]:
    """Return what a citizen was told, by the alphabet."""
    async with city.house.database.read() as tx:
        found = await tx.fetch_all(
            _Topic,
            "SELECT topic FROM notice WHERE subject_id = $1 ORDER BY topic",
            person.subject_id,
        )
    return [each.topic for each in found]


class _Topic(msgspec.Struct, frozen=True):
    topic: str


# What must hold of orders whenever nothing is under way: a sentence, and what finds a breach.
BOOKS = {
    "exposure is what running orders hold": """
        SELECT subject_id FROM exposure FULL JOIN (
          SELECT subject_id, sum(credit_fen) AS runs FROM service_order
          WHERE state IN ('created', 'active') GROUP BY subject_id) AS held USING (subject_id)
        WHERE coalesce(open_fen, 0) <> coalesce(runs, 0)""",
    "an order's reservation is where its order is": """
        SELECT order_id FROM service_order LEFT JOIN reservation USING (subject_id, reservation_id)
        WHERE reservation.state IS NULL OR NOT CASE service_order.state
          WHEN 'created' THEN reservation.state IN ('reserved', 'expired')
            AND reservation.amount_fen >= credit_fen
          WHEN 'active' THEN reservation.state = 'reserved'
            AND reservation.amount_fen = credit_fen AND reservation.expires_at IS NULL
          WHEN 'completed' THEN reservation.state = 'settled'
            AND reservation.settled_fen = service_order.settled_fen
          ELSE reservation.state IN ('released', 'expired') END""",
    "the budget is the sum of its reservations": """
        SELECT programme_code FROM budget WHERE span = 'programme' AND reserved_fen <> (
          SELECT coalesce(sum(amount_fen), 0) FROM reservation
          WHERE reservation.programme_code = budget.programme_code
            AND reservation.state = 'reserved')""",
    "nothing is reserved for nothing": """
        SELECT reservation_id FROM reservation WHERE state = 'reserved' AND NOT EXISTS (
          SELECT FROM service_order WHERE service_order.subject_id = reservation.subject_id
            AND service_order.reservation_id = reservation.reservation_id
            AND service_order.state IN ('created', 'active'))""",
}


async def books_of(city: City) -> None:
    """Hold the books against each other: what runs is what is open, reserved and told."""
    async with city.house.database.read() as tx:
        for sentence, sql in BOOKS.items():
            wrong = await tx.fetch_value(int, f"SELECT count(*) FROM ({sql}) AS found")
            assert wrong == 0, sentence


class OwedRow(msgspec.Struct, frozen=True):
    """What stands in the database of what is owed."""

    obligation_id: UUID
    state: str


async def obligation_of(city: City, order_id: UUID) -> OwedRow | None:
    """Return what is owed under an order, or None."""
    async with city.house.database.read() as tx:
        return await tx.fetch_optional(
            OwedRow, "SELECT obligation_id, state FROM obligation WHERE order_id = $1", order_id
        )
