"""Goal: the citizen sees every consent with all it means, and ends any of the own, at once.

Method: the handlers in process on a real PostgreSQL and Valkey, with consents given by the verb
the consent page calls.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from joserfc.jwk import ECKey

from backend.consent import service
from backend.consent.rules import Consent
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.valkey import Valkey
from backend.partner import service as partner
from tests.support.citizen_world import App, CitizenWorld, open_world

BORROWING = {"type": "eligibility", "programme": "library", "purpose": "deposit_free_borrowing"}


@pytest.fixture
async def world(
    database: Database, valkey: Valkey, vault: Vault, clock: FixedClock
) -> AsyncIterator[CitizenWorld]:
    async with open_world(database, valkey, vault, clock) as world:
        now = clock.now()
        key = {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "1"}
        async with database.write() as tx:
            await partner.add_partner(
                tx,
                code="city-library",
                name_zh="市图书馆",
                name_en="City Library",
                kind="merchant",
                now=now,
            )
            await partner.add_client(
                tx,
                partner_code="city-library",
                client_id="library-demo",
                name_zh="借阅终端",
                name_en="Lending desk",
                jwks={"keys": [key]},
                redirect_uris=["https://library.example/callback"],
                scopes=["eligibility:verify"],
                now=now,
            )
        yield world


async def agree(world: CitizenWorld, app: App, **changes: Any) -> Consent:
    async with world.database.write() as tx:
        return await service.give(
            tx,
            subject_id=await app.subject_id,
            client_id="library-demo",
            detail={**BORROWING, **changes},
            now=world.clock.now(),
        )


async def test_a_consent_is_shown_with_recipient_purpose_data_and_end(world: CitizenWorld) -> None:
    """Who, what for, which data, how often, until when, in both languages."""
    app = await world.app_of(joins=True)
    consent = await agree(world, app)
    answer = await app.call("GET", "/v1/me/consents")
    assert answer.headers["cache-control"] == "no-store"
    page = answer.json()
    assert page["next_cursor"] is None
    (item,) = page["items"]
    purpose = service.PURPOSES["deposit_free_borrowing"]
    kind = service.DATA_KINDS["eligibility"]
    assert item == {
        "consent_id": str(consent.consent_id),
        "state": "given",
        "recipient": {
            "partner": "city-library",
            "name_zh": "市图书馆",
            "name_en": "City Library",
            "client_name_zh": "借阅终端",
            "client_name_en": "Lending desk",
        },
        "purpose": {
            "code": purpose.code,
            "name_zh": purpose.name_zh,
            "name_en": purpose.name_en,
            "text_zh": purpose.text_zh,
            "text_en": purpose.text_en,
        },
        "programme": "library",
        "order": None,
        "data_kinds": [{"code": kind.code, "name_zh": kind.name_zh, "name_en": kind.name_en}],
        "per_day": purpose.per_day_max,
        "given_at": "2026-11-20T02:00:00Z",
        "expires_at": "2027-11-20T02:00:00Z",
        "ended_at": None,
    }


async def test_withdrawing_works_at_once_and_again(world: CitizenWorld) -> None:
    """204 both times; the list says when it ended."""
    app = await world.app_of(joins=True)
    consent = await agree(world, app)
    world.clock.advance(timedelta(hours=1))
    for _ in range(2):
        answer = await app.call("DELETE", f"/v1/me/consents/{consent.consent_id}")
        assert (answer.status_code, answer.content) == (204, b"")
        world.clock.advance(timedelta(hours=1))
    (item,) = (await app.call("GET", "/v1/me/consents")).json()["items"]
    assert (item["state"], item["ended_at"]) == ("withdrawn", "2026-11-20T03:00:00Z")


async def test_someone_elses_an_unknown_and_a_malformed_id_are_not_found(
    world: CitizenWorld,
) -> None:
    """The same 404 for each; the owner's consent stays in force."""
    owner, stranger = await world.app_of(1, joins=True), await world.app_of(2, joins=True)
    consent = await agree(world, owner)
    for consent_id in (consent.consent_id, UUID(int=7), "x"):
        answer = await stranger.call("DELETE", f"/v1/me/consents/{consent_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    (item,) = (await owner.call("GET", "/v1/me/consents")).json()["items"]
    assert item["state"] == "given"
    assert (await stranger.call("GET", "/v1/me/consents")).json()["items"] == []


async def test_the_states_of_a_consent_are_told_apart(world: CitizenWorld) -> None:
    """Replaced and left are ended; what ran out is expired."""
    app = await world.app_of(joins=True)
    for changes in ({}, {}, {"programme": "reading-room", "days": 1}):
        await agree(world, app, **changes)
        world.clock.advance(timedelta(seconds=1))
    world.clock.advance(timedelta(days=1))
    items = (await app.call("GET", "/v1/me/consents")).json()["items"]
    assert [item["state"] for item in items] == ["expired", "given", "ended"]
    assert (await app.call("DELETE", "/v1/me/participation")).status_code == 204
    items = (await app.call("GET", "/v1/me/consents")).json()["items"]
    assert [item["state"] for item in items] == ["expired", "ended", "ended"]


async def test_the_list_is_paged(world: CitizenWorld) -> None:
    """Newest first, each once, and a broken cursor or size is refused."""
    app = await world.app_of(joins=True)
    given = []
    for _ in range(3):
        given.append(str((await agree(world, app)).consent_id))
        world.clock.advance(timedelta(seconds=1))
    first = (await app.call("GET", "/v1/me/consents?page_size=2")).json()
    cursor = first["next_cursor"]
    second = (await app.call("GET", f"/v1/me/consents?page_size=2&cursor={cursor}")).json()
    seen = [item["consent_id"] for item in first["items"] + second["items"]]
    assert (seen, second["next_cursor"]) == (given[::-1], None)
    for query, code in (
        ("cursor=nonsense!", "cursor_invalid"),
        ("cursor=" + "A" * 513, "parameter_invalid"),
        ("page_size=0", "parameter_invalid"),
        ("page_size=101", "parameter_invalid"),
        ("page_size=x", "parameter_invalid"),
    ):
        answer = await app.call("GET", f"/v1/me/consents?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, code), query
