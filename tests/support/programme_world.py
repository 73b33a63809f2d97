"""A city with its programmes and partners, and the whole application on it.

Citizens come in by the citizen room's own verbs; partners get their tokens the whole OAuth way,
with only the consent page left out: `token` does what it does when the citizen agrees.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

from backend.app import House, Participation, build_app, open_house
from backend.citizen import service as citizen
from backend.citizen.rules import SessionKind
from backend.consent import service as consent
from backend.kit.clock import FixedClock
from backend.kit.ids import new_id, new_token, token_hash
from backend.kit.postgres import Tx
from backend.oauth import service as oauth
from backend.partner import service as partner
from backend.partner.rules import scopes_of
from backend.programme import service as programme
from backend.programme.rules.eligibility import EligibilityCheck
from backend.score import service as score
from backend.score.rules.engine import score_records
from backend.settings import load_settings
from tests.conftest import DIGEST_KEY, KEK, encoded_key
from tests.support.citizen import sign_up
from tests.support.oauth_client import ISSUER, REDIRECT_URI, OauthClient, jwks_of

PURPOSES = {
    "library": "deposit_free_borrowing",
    "rental": "deposit_free_rental",
    "transit": "deferred_fare",
    "tourism": "tourism_discount",
    "approval": "fast_approval",
    "loan": "loan_preference",
}
# Enough for each of the six programmes.
GOOD = {
    "score": 800,
    "dimension.civic": 100,
    "indicator.library_returns": 12,
    "indicator.library_overdue": 0,
    "indicator.volunteer_hours": 20,
    "indicator.transit_fares_unpaid": 0,
    "indicator.rental_performance": 1000,
    "indicator.utility_on_time": 1000,
    "indicator.pledges_broken": 0,
    "indicator.penalties_serious": 0,
    "indicator.judgments": 0,
    "indicator.social_insurance_months": 36,
    "indicator.tax_level": 5,
    "indicator.business_months": 0,
}


@dataclass
class Person:
    """A citizen with the app: its token and the key it is bound to."""

    subject_id: UUID
    token: str
    app: OauthClient


class City:
    """The house, its application, and who lives and works there."""

    def __init__(
        self, house: House, clock: FixedClock, *, http: httpx.AsyncClient | None = None
    ) -> None:
        self.house, self.clock = house, clock
        self.origin = house.settings.public_origin
        self.hooks = Participation()
        # Another one speaks to a server of its own on the same database.
        self.http = http or httpx.AsyncClient(
            transport=httpx.ASGITransport(build_app(house), raise_app_exceptions=False),
            base_url=self.origin,
        )
        self.library = OauthClient(self.http, clock, issuer=self.origin)
        self._serial = 0

    async def found(self) -> None:
        """Publish the programmes, register the library, make the signing key."""
        now = self.clock.now()
        async with self.house.database.write() as tx:
            await programme.publish_packaged(tx, now=now)
            await oauth.ensure_signing_key(tx, vault=self.house.vault, now=now)
        await self.add_client(self.library, "city-library")

    async def add_client(self, client: OauthClient, partner_code: str) -> UUID:
        """Register a client and its partner; return the partner's id."""
        now = self.clock.now()
        kind = "lender" if partner_code == "city-bank" else "merchant"
        names = {"name_zh": "市图书馆", "name_en": "City Library"}
        async with self.house.database.write() as tx:
            if await partner.find_partner(tx, code=partner_code) is None:
                await partner.add_partner(tx, code=partner_code, kind=kind, now=now, **names)
            added = await partner.add_client(
                tx,
                partner_code=partner_code,
                client_id=client.client_id,
                jwks=jwks_of(client.key),
                redirect_uris=[REDIRECT_URI],
                scopes=sorted(scopes_of(kind)),
                now=now,
                **names,
            )
            return added.partner_id

    async def person(
        self,
        *,
        facts: dict[str, int] | None = None,
        joins: bool = True,
        enrols: list[str] | None = None,
    ) -> Person:
        """Let a citizen register, join, have these facts, and enrol."""
        self._serial += 1
        app = OauthClient(self.http, self.clock, issuer=self.origin)
        now = self.clock.now()
        async with self.house.database.write() as tx:
            signed = await sign_up(tx, vault=self.house.vault, now=now, serial=self._serial)
            subject_id = signed.session.subject_id
            # The session is bound to the key of this install.
            await tx.execute(
                "UPDATE session SET jkt = $2 WHERE token_hash = $1",
                token_hash(signed.token),
                app.jkt,
            )
            assert signed.session.kind is SessionKind.APP
            if joins:
                await citizen.join(
                    tx,
                    subject_id=subject_id,
                    notice_version=citizen.CURRENT_NOTICE.version,
                    vault=self.house.vault,
                    now=now,
                    hooks=self.hooks,
                )
                await set_facts(tx, subject_id, GOOD if facts is None else facts)
            for code in enrols or ():
                await programme.enrol(tx, subject_id=subject_id, programme_code=code, now=now)
        return Person(subject_id, signed.token, app)

    async def call(
        self,
        person: Person,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request as a citizen's app; a POST gets a fresh Idempotency-Key."""
        bare = path.partition("?")[0]
        sent = {
            "authorization": f"DPoP {person.token}",
            "dpop": person.app.proof(method, bare, access_token=person.token),
        }
        if method == "POST":
            sent["idempotency-key"] = new_token("key_")
        return await self.http.request(method, path, json=body, headers={**sent, **(headers or {})})

    async def give_consent(
        self, person: Person, *, programme_code: str = "library", client: OauthClient | None = None
    ) -> UUID:
        """Give a client the citizen's consent to a programme; return its id."""
        client = client or self.library
        detail = {
            "type": "eligibility",
            "programme": programme_code,
            "purpose": PURPOSES[programme_code],
        }
        async with self.house.database.write() as tx:
            given = await consent.give(
                tx,
                subject_id=person.subject_id,
                client_id=client.client_id,
                detail=detail,
                now=self.clock.now(),
            )
        return given.consent_id

    async def withdraw(self, person: Person, consent_id: UUID) -> None:
        """Withdraw a consent."""
        async with self.house.database.write() as tx:
            await consent.withdraw(
                tx, subject_id=person.subject_id, consent_id=consent_id, now=self.clock.now()
            )

    async def leave(self, person: Person) -> None:
        """Stop taking part."""
        async with self.house.database.write() as tx:
            await citizen.leave(
                tx, subject_id=person.subject_id, now=self.clock.now(), hooks=self.hooks
            )

    async def token(
        self, person: Person, *, programme_code: str = "library", client: OauthClient | None = None
    ) -> str:
        """Get a client a token for a citizen and programme, the whole way."""
        client = client or self.library
        purpose = PURPOSES[programme_code]
        detail = {"type": "eligibility", "programme": programme_code, "purpose": purpose}
        pushed = await client.push(authorization_details=json.dumps([detail]))
        assert pushed.status_code == 201, pushed.text
        request_uri = pushed.json()["request_uri"]
        query = {"client_id": client.client_id, "request_uri": request_uri}
        opened = await self.http.get("/oauth/authorize", params=query)
        assert opened.status_code == 303, opened.text
        consent_id = await self.give_consent(person, programme_code=programme_code, client=client)
        now = self.clock.now()
        async with self.house.database.write() as tx:
            asked = await oauth.get_request(tx, request_uri=request_uri, now=now)
            redirect = await oauth.approve(
                tx,
                request_uri=request_uri,
                subject_id=person.subject_id,
                consent_id=consent_id,
                details=asked.parameters.details,
                expires_at=now + timedelta(days=30),
                vault=self.house.vault,
                now=now,
            )
        answer = await client.redeem(parse_qs(urlsplit(redirect).query)["code"][0])
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def check(
        self, token: str, *, programme_code: str = "library", client: OauthClient | None = None
    ) -> httpx.Response:
        """Ask as a partner whether a benefit is open to the citizen of the token."""
        client = client or self.library
        path = "/v1/eligibility-checks"
        return await self.http.post(
            path,
            json={"programme": programme_code},
            headers={
                "authorization": f"DPoP {token}",
                "dpop": client.proof("POST", path, access_token=token),
            },
        )

    async def question(self, person: Person, programme_code: str = "library") -> EligibilityCheck:
        """Return a check under a fresh consent, as the desk gets it."""
        consent_id = await self.give_consent(person, programme_code=programme_code)
        async with self.house.database.read() as tx:
            client = await partner.find_client(tx, client_id=self.library.client_id)
        assert client is not None
        return EligibilityCheck(
            subject_id=person.subject_id,
            consent_id=consent_id,
            partner_id=client.partner_id,
            client_id=client.client_id,
            programme_code=programme_code,
        )

    async def seats(self, programme_code: str = "library") -> tuple[int, int]:
        """Return how many seats there are and how many are taken."""
        async with self.house.database.read() as tx:
            found = await programme.find_programme(tx, programme_code=programme_code)
        assert found is not None
        return found.seats.total, found.seats.taken

    async def set_seats(self, total: int, programme_code: str = "library") -> None:
        """Make the seats of a programme scarce."""
        async with self.house.database.write() as tx:
            await tx.execute(
                "UPDATE seat_budget SET seats_total = $2 WHERE programme_code = $1",
                programme_code,
                total,
            )

    async def count(self, table: str) -> int:
        """Count the rows of a table."""
        async with self.house.database.read() as tx:
            return await tx.fetch_value(int, f"SELECT count(*) FROM {table}")


async def set_facts(tx: Tx, subject_id: UUID, facts: dict[str, int]) -> None:
    """Give a citizen these facts, as a score worked out from other records would have."""
    figures = figures_of(facts)
    count = await tx.execute(
        """UPDATE score SET points = $2, identity_points = $3, performance_points = $4,
             law_points = $5, economic_points = $6, civic_points = $7, indicator_values = $8
           WHERE subject_id = $1""",
        subject_id,
        *figures,
    )
    assert count == 1, "who takes part has a score"


def figures_of(facts: dict[str, int]) -> list[Any]:
    """Return the points, the dimensions' points and the values of a score with these facts."""
    neutral = score_records(score.packaged_scorecard(), [], date(2026, 11, 20))
    given = {"score": neutral.points}
    given |= {f"dimension.{code}": points for code, points in neutral.dimensions.items()}
    given |= {f"indicator.{code}": each.value for code, each in neutral.tallies.items()}
    assert facts.keys() <= given.keys(), "facts that the scorecard knows"
    figures = [*(given | facts).values()]
    return [*figures[:6], figures[6:]]


async def add_strangers(tx: Tx, count: int, *, now: Any) -> list[UUID]:
    """Add citizens who take part and have good facts, without their way in: for crowds."""
    subject_ids = [new_id(now) for _ in range(count)]
    await tx.execute_many(
        """INSERT INTO account (subject_id, data_key, phone_sealed, name_sealed,
             national_id_sealed, created_at) VALUES ($1, '', '', '', '', $2)""",
        [(subject_id, now) for subject_id in subject_ids],
    )
    await tx.execute_many(
        """INSERT INTO participation (subject_id, data_key, notice_version, joined_at)
           VALUES ($1, '', 'x', $2)""",
        [(subject_id, now) for subject_id in subject_ids],
    )
    await tx.execute_many(
        """INSERT INTO score (subject_id, points, identity_points, performance_points,
             law_points, economic_points, civic_points, indicator_values, scorecard_version,
             input_digest, revision, as_of, due_on, computed_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, sha256(''), 1, $10, $10, $11)""",
        [
            (
                *(subject_id, *figures_of(GOOD), score.packaged_scorecard().version),
                *(now.date(), now),
            )
            for subject_id in subject_ids
        ],
    )
    return subject_ids


@asynccontextmanager
async def open_city(
    directory: Path, *, database_url: str, valkey_url: str, clock: FixedClock
) -> AsyncIterator[City]:
    """Open the house on a database of the test's own, and found the city in it."""
    environ = {
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_VALKEY_URL": valkey_url,
        "CREDIT_PUBLIC_ORIGIN": ISSUER,
        "CREDIT_LOCAL_DIR": str(directory),
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }
    house = await open_house(load_settings(environ), clock=clock)
    city = City(house, clock)
    try:
        await city.found()
        yield city
    finally:
        await city.http.aclose()
        await house.close()
