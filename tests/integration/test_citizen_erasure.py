"""Goal: leaving erases all that hangs on taking part, in every room, and deleting all the rest.

Method: the application's own hooks on a real PostgreSQL. A citizen gets a row in every table that
carries a subject; then each of these tables is walked. A new table makes the test fail until it is
said here what becomes of its rows.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from backend import app
from backend.case import service as case
from backend.citizen import service
from backend.consent import service as consent
from backend.kit.crypto import Vault
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.notice import service as notice
from backend.oauth import store as oauth
from backend.oauth.rules.grant import Grant
from backend.programme import service as programme
from backend.programme.rules.eligibility import EligibilityCheck
from backend.programme.rules.offer import Enrolment
from backend.programme.service import budget
from backend.programme.store import enrolment as programme_store
from backend.programme.store import waiting as waiting_store
from tests.conftest import NOW
from tests.integration.test_consent_service import BORROWING, add_client
from tests.support.citizen import national_id, sign_up

LATER = NOW + timedelta(hours=1)

GONE_ON_LEAVING = {
    "participation",
    "score",
    "score_history",
    "enrolment",
    "waiting",
    "consent_refusal",
    "notice",
    "review_case",
    "reservation",
    "citizen_budget",
    "exposure",
    "obligation",
    "service_order",
}
GONE_ON_DELETING = {"account", "phone_directory", "session"}
# What stays under the pseudonym, and why.
STAYS = {
    "access_entry": "who looked, append-only: the citizen's own protection",
    "consent": "ended consents: they prove that each look in the ledger was allowed",
    "decision": "that a partner was answered; what the answer was made from is destroyed",
    "oauth_access_token": "dead with its grant, swept when it expires",
    "oauth_code": "dead with its grant, swept when it expires",
    "oauth_grant": "revoked with its consent, swept when it expires",
    "oauth_refresh_token": "dead with its grant, swept when it expires",
    "outbox": "events still to be carried out, purged a week after",
    "record": "the sources' records, kept by law",
    "record_step": "who disputed or repaired a record and why: as long as the record",
}
UNUSED_HERE = {"oauth_access_token", "oauth_code", "oauth_refresh_token", "record_step"}


class Name(msgspec.Struct):
    name: str


async def tables_with_a_subject(tx: Tx) -> set[str]:
    found = await tx.fetch_all(
        Name,
        """SELECT table_name::text AS name FROM information_schema.columns
           WHERE table_schema = 'public' AND column_name = 'subject_id'""",
    )
    return {each.name for each in found}


async def rows_of(tx: Tx, subject_id: UUID) -> dict[str, int]:
    """Return how many rows each table has of a subject."""
    return {
        table: await tx.fetch_value(
            int, f'SELECT count(*) FROM "{table}" WHERE subject_id = $1', subject_id
        )
        for table in await tables_with_a_subject(tx)
    }


async def ask_and_tell(tx: Tx, subject_id: UUID, vault: Vault) -> None:
    """Let a citizen ask for a person, and tell them something."""
    await case.open_case(
        tx,
        subject_id=subject_id,
        kind="not_yet",
        object="library",
        text="请人工看一下",
        vault=vault,
        now=NOW,
    )
    ended = {"programme": "library"}
    await notice.notify(tx, subject_id=subject_id, topic="programme.ended", facts=ended, now=NOW)


async def spend(tx: Tx, subject_id: UUID) -> None:
    """Let a citizen have used a benefit, and another that was given back."""
    found = await programme.find_programme(tx, programme_code="library")
    assert found is not None
    why: dict[str, Any] = {"by_whom": "partner:library", "reason": "order", "now": NOW}
    made = [
        await budget.reserve(
            tx,
            subject_id=subject_id,
            programme=found.programme,
            partner_id=uuid4(),
            amount_fen=100,
            expires_at=None,
            **why,
        )
        for _ in range(2)
    ]
    used, back = [
        dict[str, Any](subject_id=each.subject_id, reservation_id=each.reservation_id)
        for each in made
    ]
    await budget.settle(tx, **used, settled_fen=99, **why)
    await budget.release(tx, **back, **why)


async def order_and_owe(tx: Tx, subject_id: UUID, partner_id: UUID) -> None:
    """Let a citizen have an order that is over, and something said to be owed under it.

    One that runs stays until the partner ends it: tests/integration/test_order_http.py.
    """
    order_id = uuid4()
    await tx.execute(
        """INSERT INTO service_order
             (subject_id, order_id, partner_id, client_id, consent_id, programme_code,
              programme_version, decision_id, reservation_id, reference, state, confirmed_by,
              opened_fen, accepts_partial, amount_fen, credit_fen, settled_fen, performance,
              revision, created_at, confirm_by, activated_at, ended_at)
           VALUES ($1, $2, $3, 'x', $2, 'library', 1, $2, $2, 'n-1', 'completed', 'citizen',
                   100, false, 100, 100, 0, 'open_obligation', 4, $4, $4, $4, $4)""",
        subject_id,
        order_id,
        partner_id,
        NOW,
    )
    await tx.execute(
        """INSERT INTO obligation (subject_id, obligation_id, order_id, partner_id, amount_fen,
                                   state, announced_at, stands_on, revision)
           VALUES ($1, $2, $2, $3, 1, 'announced', $4, '2026-12-05', 1)""",
        subject_id,
        order_id,
        partner_id,
        NOW,
    )
    await tx.execute("INSERT INTO exposure (subject_id, open_fen) VALUES ($1, 0)", subject_id)


async def settle(tx: Tx, vault: Vault) -> UUID:
    """Return a citizen who has used all there is: a row in every table with a subject."""
    subject_id = vault.subject_id(national_id(1))
    await tx.execute(
        """INSERT INTO record (subject_id, record_id, class_code, source_code, external_id, version,
                               quantity, occurred_on, submission_id, reported_at, fingerprint)
           VALUES ($1, $2, 'library_return', 'library', 'x', 1, 3, '2026-01-01', $3, $4, 0)""",
        subject_id,
        uuid4(),
        uuid4(),
        NOW,
    )
    hooks = app.Participation()
    assert (await sign_up(tx, vault=vault, now=NOW)).session.subject_id == subject_id
    await service.join(
        tx,
        subject_id=subject_id,
        notice_version=service.CURRENT_NOTICE.version,
        vault=vault,
        now=NOW,
        hooks=hooks,
    )
    for document in programme.packaged_documents():
        await programme.publish(tx, programme=document, now=NOW)
    made = Enrolment(
        subject_id=subject_id,
        enrolment_id=new_id(NOW),
        programme_code="library",
        programme_version=1,
        enrolled_at=NOW,
    )
    assert await programme_store.insert_enrolments(tx, [made]) == {made.enrolment_id}
    assert await programme_store.take_seats(tx, "library", 1) == 1
    await waiting_store.insert_waiting(
        tx, "transit", [subject_id], waiting_ids=[new_id(NOW)], case_ids=[None], since=NOW
    )
    await spend(tx, subject_id)
    client = await add_client(tx)
    given = await consent.give(
        tx, subject_id=subject_id, client_id=client.client_id, detail=BORROWING, now=NOW
    )
    await consent.refuse(
        tx, subject_id=subject_id, partner_id=client.partner_id, purpose="deferred_fare", now=NOW
    )
    grant = Grant(
        grant_id=uuid4(),
        subject_id=subject_id,
        client_id=client.client_id,
        partner_id=client.partner_id,
        consent_id=given.consent_id,
        pairwise_subject="p",
        scopes=["eligibility:verify"],
        details=[BORROWING],
        created_at=NOW,
        expires_at=given.expires_at,
        revoked_at=None,
    )
    await oauth.insert_grant(tx, grant)
    check = EligibilityCheck(
        subject_id, given.consent_id, client.partner_id, client.client_id, "library"
    )
    await programme.check_eligibility(tx, checks=[check], vault=vault, now=NOW)
    await ask_and_tell(tx, subject_id, vault)
    await order_and_owe(tx, subject_id, client.partner_id)
    return subject_id


async def test_every_table_with_a_subject_has_its_fate_written_down(tx: Tx) -> None:
    """A new table is a question: what becomes of it when the citizen leaves?"""
    known = GONE_ON_LEAVING | GONE_ON_DELETING | STAYS.keys()
    assert await tables_with_a_subject(tx) == known


@pytest.mark.parametrize(
    ("begins_zh", "begins_en", "words"),
    [
        ("六、", "6. ", [("记录", "records"), ("授权", "consents"), ("查询记录", "access record")]),
        ("六、", "6. ", [("答复", "answers"), ("假名", "pseudonym")]),
        ("七、", "7. ", [("授权", "consents"), ("查询记录", "access record"), ("答复", "answers")]),
    ],
)
def test_the_notice_says_what_stays(
    begins_zh: str, begins_en: str, words: list[tuple[str, str]]
) -> None:
    """个人信息保护法 17: what is told before joining is true, of what STAYS names too."""
    notice = service.CURRENT_NOTICE
    (said_zh,) = [each for each in notice.text_zh.splitlines() if each.startswith(begins_zh)]
    (said_en,) = [each for each in notice.text_en.splitlines() if each.startswith(begins_en)]
    for word_zh, word_en in words:
        assert word_zh in said_zh
        assert word_en in said_en


@pytest.mark.parametrize("deletes", [False, True])
async def test_leaving_and_deleting_erase_what_they_promise(
    tx: Tx, vault: Vault, deletes: bool
) -> None:
    """Each table that has to be empty of the citizen is; seats are given back."""
    subject_id = await settle(tx, vault)
    before = await rows_of(tx, subject_id)
    assert {table for table, rows in before.items() if not rows} == UNUSED_HERE
    hooks = app.Participation()
    if deletes:
        assert await service.delete_account(tx, subject_id=subject_id, now=LATER, hooks=hooks)
    else:
        assert await service.leave(tx, subject_id=subject_id, now=LATER, hooks=hooks)
    after = await rows_of(tx, subject_id)
    gone = GONE_ON_LEAVING | (GONE_ON_DELETING if deletes else set())
    assert {table for table, rows in after.items() if not rows} == gone | UNUSED_HERE
    taken = await tx.fetch_value(
        int, "SELECT seats_taken FROM seat_budget WHERE programme_code = 'library'"
    )
    assert taken == 0


async def test_what_stays_is_ended_and_holds_nothing_that_can_be_opened(
    tx: Tx, vault: Vault
) -> None:
    """No consent in force, no live grant, no sealed trace, no event with more than codes."""
    subject_id = await settle(tx, vault)
    hooks = app.Participation()
    await service.delete_account(tx, subject_id=subject_id, now=LATER, hooks=hooks)
    for still_there in (
        "SELECT count(*) FROM consent WHERE ended_at IS NULL",
        "SELECT count(*) FROM oauth_grant WHERE revoked_at IS NULL",
        "SELECT count(*) FROM decision WHERE trace_sealed IS NOT NULL",
        "SELECT count(*) FROM idempotency_key",
    ):
        assert await tx.fetch_value(int, still_there) == 0, still_there
