"""Goal: a consent is in force for one recipient and purpose, ends at once, and its tokens with it.

Method: the verbs on a real PostgreSQL with a real partner, client and grants; races as
transactions at once on a database of their own.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from joserfc.jwk import ECKey

from backend.citizen import service as citizen
from backend.consent import service
from backend.consent.rules import Consent, State, state_of
from backend.kit.crypto import Vault
from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.oauth import store as oauth_store
from backend.oauth.rules.grant import Grant
from backend.partner import service as partner
from backend.partner.rules import Client
from tests.conftest import NOW
from tests.support.citizen import RecordingHooks, sign_up
from tests.support.citizen_world import EndingConsents

LATER = NOW + timedelta(hours=1)
BORROWING = {"type": "eligibility", "programme": "library", "purpose": "deposit_free_borrowing"}
FARE = {"type": "eligibility", "programme": "transit", "purpose": "deferred_fare"}


async def add_client(tx: Tx, code: str = "city-library") -> Client:
    await partner.add_partner(
        tx, code=code, name_zh="市图书馆", name_en="City Library", kind="merchant", now=NOW
    )
    key = {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "1"}
    return await partner.add_client(
        tx,
        partner_code=code,
        client_id=f"{code}-client",
        name_zh="借阅终端",
        name_en="Lending desk",
        jwks={"keys": [key]},
        redirect_uris=["https://library.example/callback"],
        scopes=["eligibility:verify"],
        now=NOW,
    )


async def join(tx: Tx, vault: Vault, serial: int = 1) -> UUID:
    """Return a citizen who takes part."""
    subject_id = (await sign_up(tx, vault=vault, now=NOW, serial=serial)).session.subject_id
    version = citizen.CURRENT_NOTICE.version
    await citizen.join(
        tx,
        subject_id=subject_id,
        notice_version=version,
        vault=vault,
        now=NOW,
        hooks=RecordingHooks(),
    )
    return subject_id


async def grant_on(tx: Tx, consent: Consent) -> UUID:
    """Return the grant the authorization server makes on a consent."""
    grant = Grant(
        grant_id=uuid4(),
        subject_id=consent.subject_id,
        client_id=consent.client_id,
        partner_id=consent.partner_id,
        consent_id=consent.consent_id,
        pairwise_subject="p",
        scopes=["eligibility:verify"],
        details=[BORROWING],
        created_at=NOW,
        expires_at=consent.expires_at,
        revoked_at=None,
    )
    await oauth_store.insert_grant(tx, grant)
    return grant.grant_id


async def revoked_at(tx: Tx, grant_id: UUID) -> datetime | None:
    return (await oauth_store.get_grant(tx, grant_id=grant_id)).revoked_at


class Ended(msgspec.Struct):
    subject_id: UUID | None
    payload: dict[str, Any]


async def ended_events(tx: Tx) -> list[Ended]:
    return await tx.fetch_all(
        Ended,
        """SELECT subject_id, payload FROM outbox
           WHERE topic = 'webhook.message' AND payload ->> 'topic' = 'consent.ended'""",
    )


async def told_reasons(tx: Tx) -> list[str]:
    return [event.payload["facts"]["reason"] for event in await ended_events(tx)]


async def find_live(tx: Tx, subject_id: UUID, client: Client, now=NOW) -> Consent | None:
    return await service.find_live(
        tx,
        subject_id=subject_id,
        partner_id=client.partner_id,
        purpose="deposit_free_borrowing",
        programme_code="library",
        now=now,
    )


async def give(tx: Tx, subject_id: UUID, client: Client, detail=None, now=NOW) -> Consent:
    return await service.give(
        tx, subject_id=subject_id, client_id=client.client_id, detail=detail or BORROWING, now=now
    )


async def test_a_consent_is_found_from_the_moment_it_is_given_until_it_expires(
    tx: Tx, vault: Vault
) -> None:
    """For just this recipient, purpose and programme."""
    client, other = await add_client(tx), await add_client(tx, "other-library")
    subject_id = await join(tx, vault)
    assert await find_live(tx, subject_id, client) is None
    consent = await give(tx, subject_id, client)
    assert await find_live(tx, subject_id, client) == consent
    assert await find_live(tx, subject_id, client, now=consent.expires_at) is None
    assert await find_live(tx, subject_id, other) is None
    assert await find_live(tx, UUID(int=3), client) is None
    assert consent.terms.data_kinds == ["eligibility"]


async def test_who_does_not_take_part_has_nothing_to_consent_to(tx: Tx, vault: Vault) -> None:
    """Before joining and after leaving a consent is refused."""
    client = await add_client(tx)
    subject_id = (await sign_up(tx, vault=vault, now=NOW)).session.subject_id
    with pytest.raises(Refusal) as refused:
        await give(tx, subject_id, client)
    assert refused.value.code == "participation_required"


@pytest.mark.parametrize(
    ("detail", "attribute"),
    [({**BORROWING, "purpose": "loan_preference"}, "recipient"), ({"type": "x"}, None)],
)
async def test_a_consent_beyond_the_caps_is_not_given(
    tx: Tx, vault: Vault, detail: dict[str, str], attribute: str | None
) -> None:
    """The kind of recipient is read from the register of partners, not from the caller."""
    client = await add_client(tx)
    subject_id = await join(tx, vault)
    with pytest.raises(Refusal) as refused:
        await give(tx, subject_id, client, detail)
    assert refused.value.code == "consent_beyond_cap"
    assert refused.value.facts["attribute"] == (attribute or "authorization_details")
    with pytest.raises(Refusal, match="consent_beyond_cap"):
        await service.give(tx, subject_id=subject_id, client_id="nobody", detail=BORROWING, now=NOW)


async def test_withdrawing_ends_consent_and_tokens_in_one_transaction_and_tells(
    tx: Tx, vault: Vault
) -> None:
    """Only the grants on this consent; again changes nothing; the message is ids and codes."""
    client = await add_client(tx)
    subject_id = await join(tx, vault)
    consent = await give(tx, subject_id, client)
    other = await give(tx, subject_id, client, FARE)
    grant_id, other_grant = await grant_on(tx, consent), await grant_on(tx, other)
    for moment in (LATER, LATER + timedelta(hours=1)):
        await service.withdraw(tx, subject_id=subject_id, consent_id=consent.consent_id, now=moment)
    assert await find_live(tx, subject_id, client, now=LATER) is None
    assert await revoked_at(tx, grant_id) == LATER
    assert await revoked_at(tx, other_grant) is None
    (event,) = await ended_events(tx)
    assert event.subject_id is None
    assert event.payload == {
        "partner_id": str(client.partner_id),
        "topic": "consent.ended",
        "object_id": str(consent.consent_id),
        "sequence": 1,
        "facts": {
            "programme": "library",
            "purpose": "deposit_free_borrowing",
            "reason": "withdrawn",
        },
        "at": LATER.isoformat(),
    }


async def test_someone_elses_consent_is_not_found(tx: Tx, vault: Vault) -> None:
    """An unknown id and a foreign one get the same answer, and nothing ends."""
    client = await add_client(tx)
    owner, stranger = await join(tx, vault, 1), await join(tx, vault, 2)
    consent = await give(tx, owner, client)
    for consent_id in (consent.consent_id, UUID(int=1)):
        with pytest.raises(Refusal) as refused:
            await service.withdraw(tx, subject_id=stranger, consent_id=consent_id, now=LATER)
        assert refused.value.code == "not_found"
    assert await find_live(tx, owner, client) == consent


async def test_a_new_consent_replaces_the_one_for_the_same_purpose(tx: Tx, vault: Vault) -> None:
    """The old one ends with its tokens in the same transaction; other purposes stay."""
    client = await add_client(tx)
    subject_id = await join(tx, vault)
    old, fare = await give(tx, subject_id, client), await give(tx, subject_id, client, FARE)
    grant_id, fare_grant = await grant_on(tx, old), await grant_on(tx, fare)
    new = await give(tx, subject_id, client, now=LATER)
    assert await find_live(tx, subject_id, client, now=LATER) == new
    assert await revoked_at(tx, grant_id) == LATER
    assert await revoked_at(tx, fare_grant) is None
    assert await told_reasons(tx) == ["replaced"]


async def test_an_expired_consent_makes_room_and_is_noted_as_expired(tx: Tx, vault: Vault) -> None:
    """Agreeing again after a year is not a replacement."""
    client = await add_client(tx)
    subject_id = await join(tx, vault)
    old = await give(tx, subject_id, client)
    await give(tx, subject_id, client, now=old.expires_at)
    page = await service.list_consents(tx, subject_id=subject_id, cursor=None, page_size=10)
    assert [(item.end_reason, item.ended_at) for item in page.items] == [
        (None, None),
        ("expired", old.expires_at),
    ]


async def test_after_a_refusal_the_partner_may_not_ask_again_until_it_has_cooled_down(
    tx: Tx, vault: Vault
) -> None:
    """This partner, this purpose; the moment the cool-down ends it is over."""
    client, other = await add_client(tx), await add_client(tx, "other-library")
    subject_id = await join(tx, vault)
    refusal = await service.refuse(
        tx,
        subject_id=subject_id,
        partner_id=client.partner_id,
        purpose="deposit_free_borrowing",
        now=NOW,
    )

    async def until(asking: Client, purpose: str, now: datetime) -> datetime | None:
        return await service.check_cooldown(
            tx, subject_id=subject_id, partner_id=asking.partner_id, purpose=purpose, now=now
        )

    end = refusal.cooldown_until
    assert end == NOW + timedelta(days=7)
    assert await until(client, "deposit_free_borrowing", NOW) == end
    assert await until(client, "deposit_free_borrowing", end) is None
    assert await until(client, "deferred_fare", NOW) is None
    assert await until(other, "deposit_free_borrowing", NOW) is None
    with pytest.raises(Refusal) as refused:
        await give(tx, subject_id, client, now=LATER)
    assert (refused.value.code, refused.value.facts) == ("consent_cooling_down", {"until": end})
    assert await give(tx, subject_id, other, now=LATER)
    assert await give(tx, subject_id, client, now=end)


async def test_a_refusal_never_outlives_the_account(database: Database, vault: Vault) -> None:
    """A no that comes after or beside the deletion of the account leaves no row behind."""
    async with database.write() as tx:
        client = await add_client(tx)
        subject_id = await join(tx, vault)

    async def refuse() -> None:
        async with database.write() as tx:
            await service.refuse(
                tx,
                subject_id=subject_id,
                partner_id=client.partner_id,
                purpose="deposit_free_borrowing",
                now=NOW,
            )

    async def delete() -> None:
        async with database.write() as tx:
            await citizen.delete_account(tx, subject_id=subject_id, now=NOW, hooks=EndingConsents())
            await asyncio.sleep(0.05)

    ends = await asyncio.gather(delete(), *[refuse() for _ in range(8)], return_exceptions=True)
    assert {end.code for end in ends if isinstance(end, Refusal)} <= {"account_missing"}
    with pytest.raises(Refusal, match="account_missing"):
        await refuse()
    async with database.read() as tx:
        left = await tx.fetch_value(int, "SELECT count(*)::int FROM consent_refusal")
    assert left == 0


async def test_refusing_a_renewal_leaves_the_consent_in_force_alone(tx: Tx, vault: Vault) -> None:
    """No to a new question is not a withdrawal of what was agreed before."""
    client = await add_client(tx)
    subject_id = await join(tx, vault)
    consent = await give(tx, subject_id, client)
    await service.refuse(
        tx,
        subject_id=subject_id,
        partner_id=client.partner_id,
        purpose="deposit_free_borrowing",
        now=LATER,
    )
    assert await find_live(tx, subject_id, client, now=LATER) == consent


async def test_leaving_ends_every_consent_and_forgets_refusals(tx: Tx, vault: Vault) -> None:
    """All grants of the citizen are dead, a neighbour's are not; partners don't hear who left."""
    client = await add_client(tx)
    subject_id, neighbour = await join(tx, vault, 1), await join(tx, vault, 2)
    grants = [
        await grant_on(tx, await give(tx, subject_id, client, detail))
        for detail in (BORROWING, FARE)
    ]
    kept = await grant_on(tx, await give(tx, neighbour, client))
    await service.refuse(
        tx,
        subject_id=subject_id,
        partner_id=client.partner_id,
        purpose="fast_approval",
        now=NOW,
    )
    assert await service.end_all(tx, subject_id=subject_id, now=LATER) == 2
    assert await service.end_all(tx, subject_id=subject_id, now=LATER) == 0
    assert [await revoked_at(tx, grant_id) for grant_id in grants] == [LATER, LATER]
    assert await revoked_at(tx, kept) is None
    assert await told_reasons(tx) == ["withdrawn", "withdrawn"]
    assert await tx.fetch_value(int, "SELECT count(*) FROM consent_refusal") == 0


async def test_the_list_goes_page_by_page_newest_first_with_names(tx: Tx, vault: Vault) -> None:
    """Every consent ever given appears once; a foreign or broken cursor is refused."""
    client = await add_client(tx)
    subject_id = await join(tx, vault)
    given = [
        (await give(tx, subject_id, client, now=NOW + timedelta(minutes=n))).consent_id
        for n in range(5)
    ]
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await service.list_consents(tx, subject_id=subject_id, cursor=cursor, page_size=2)
        seen += [item.consent_id for item in page.items]
        cursor, pages = page.next_cursor, pages + 1
    assert (seen, pages) == (given[::-1], 3)
    assert page.items[0].partner_name_zh == "市图书馆"
    assert page.items[0].client_name_en == "Lending desk"
    for broken in ("x", "W10", "WyJub3QgYSB1dWlkIl0"):
        with pytest.raises(Refusal, match="cursor_invalid"):
            await service.list_consents(tx, subject_id=subject_id, cursor=broken, page_size=2)


async def test_of_consents_at_once_one_is_in_force_and_the_others_are_replaced(
    database: Database, vault: Vault
) -> None:
    """Two browser tabs, or eight: the unique index decides, each ends up given, one live."""
    async with database.write() as tx:
        client, subject_id = await add_client(tx), await join(tx, vault)

    async def one(n: int) -> UUID:
        async with database.write() as tx:
            return (
                await give(tx, subject_id, client, now=NOW + n * timedelta(seconds=1))
            ).consent_id

    given = await asyncio.gather(*(one(n) for n in range(8)))
    async with database.read() as tx:
        page = await service.list_consents(tx, subject_id=subject_id, cursor=None, page_size=50)
    states = [
        state_of(
            expires_at=item.expires_at,
            ended_at=item.ended_at,
            end_reason=item.end_reason,
            now=NOW + timedelta(minutes=1),
        )
        for item in page.items
    ]
    assert sorted(item.consent_id for item in page.items) == sorted(given)
    assert sorted(states) == [State.ENDED] * 7 + [State.GIVEN]


async def test_withdrawing_waits_for_who_discloses_under_the_consent(
    database: Database, vault: Vault
) -> None:
    """What was answered was allowed; once withdrawing is acknowledged, nothing can be held."""
    async with database.write() as tx:
        client, subject_id = await add_client(tx), await join(tx, vault)
        consent_id = (await give(tx, subject_id, client)).consent_id

    async def withdraw() -> None:
        async with database.write() as tx:
            await service.withdraw(tx, subject_id=subject_id, consent_id=consent_id, now=LATER)

    async with database.write() as tx:
        held = await service.hold_live(tx, subject_id=subject_id, consent_id=consent_id, now=NOW)
        assert held is not None
        withdrawing = asyncio.create_task(withdraw())
        done, _ = await asyncio.wait({withdrawing}, timeout=0.2)
        assert not done
    await withdrawing
    async with database.write() as tx:
        gone = await service.hold_live(tx, subject_id=subject_id, consent_id=consent_id, now=NOW)
        assert gone is None


async def test_leaving_while_consenting_leaves_no_consent_in_force(
    database: Database, vault: Vault
) -> None:
    """Whichever comes first: after leaving, nothing given before or meanwhile is in force."""

    class EndingConsents(RecordingHooks):
        async def left(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
            await service.end_all(tx, subject_id=subject_id, now=now)

    async with database.write() as tx:
        client, subject_id = await add_client(tx), await join(tx, vault)

    async def agree() -> str:
        try:
            async with database.write() as tx:
                await give(tx, subject_id, client)
        except Refusal as refusal:
            return refusal.code
        return "given"

    async def leave() -> str:
        async with database.write() as tx:
            await citizen.leave(tx, subject_id=subject_id, now=NOW, hooks=EndingConsents())
        return "left"

    outcomes = await asyncio.gather(agree(), agree(), leave(), agree(), agree())
    assert set(outcomes) <= {"given", "participation_required", "left"}
    async with database.write() as tx:
        assert await find_live(tx, subject_id, client) is None


async def test_the_application_cant_delete_a_consent(tx: Tx, vault: Vault) -> None:
    """The proof that a look was allowed outlives every mistake of a statement."""
    allowed = await tx.fetch_value(
        bool, "SELECT has_table_privilege('creditplus_app', 'consent', 'DELETE')"
    )
    assert not allowed
