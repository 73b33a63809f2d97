"""Versions on their way, and the life of a programme: each step by somebody, for a reason.

Two people bring a version live; the second looks at a dry run of exactly this text, made beside
the version that is live today. Every step is written down in its own transaction.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from backend.kit.page import Page, cut_page, decode_cursor
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.notice.rules import TOPICS as NOTICE_TOPICS
from backend.programme.rules import life as rules
from backend.programme.rules.document import Programme
from backend.programme.rules.life import ListedVersion, Version
from backend.programme.service.limit import set_limits
from backend.programme.service.publication import load, programmes_by_digest
from backend.programme.service.seats import offer_free
from backend.programme.service.telling import announce
from backend.programme.store import dry_run as dry_run_store
from backend.programme.store import life as store
from backend.programme.store import programme as programme_store
from backend.programme.store import waiting as waiting_store
from backend.record.rules.catalogue import DataFault
from backend.score import service as score
from backend.webhook import service as webhook

_TOPICS = rules.told_states()


async def draft(tx: Tx, *, text: str, by: Actor, reason: str, now: datetime) -> Version:
    """Keep a programme file that proves right as a draft; one's own draft is replaced.

    Raises Refusal programme_document_invalid (faults), programme_version_taken (the number was
    published, or a higher one is live), programme_draft_taken, catalogue_missing,
    scorecard_missing.
    """
    programme = await _proved(tx, text)
    document = programme.document
    live = await programme_store.find_programme(tx, document.code)
    if live is not None and live.version >= document.version:
        raise Refusal("programme_version_taken", programme=document.code, version=document.version)
    if not await store.insert_draft(tx, programme, text=text, by=by.login, drafted_at=now):
        before = await store.lock_version(tx, document.code, document.version)
        assert before is not None, "what could not be inserted is there"
        rules.check_redraft(before, by=by.login)
        replaced = await store.replace_draft(tx, programme, text=text)
        assert replaced, "the row is held, and is a draft"
    await _note(tx, programme, "drafted", by=by, reason=reason, now=now)
    return await get_version(tx, code=document.code, version=document.version)


async def submit(
    tx: Tx, *, code: str, version: int, by: Actor, reason: str, now: datetime
) -> Version:
    """Hand a draft to whoever decides; from here on its text does not change.

    Raises Refusal programme_unknown, programme_step_impossible.
    """
    found = await _locked(tx, code, version)
    rules.check_submission(found)
    submitted = await store.submit_version(tx, code, version, by=by.login, submitted_at=now)
    assert submitted, "the row is held, and is a draft"
    await _note_version(tx, found, "submitted", by=by, reason=reason, now=now)
    return await get_version(tx, code=code, version=version)


async def reject(
    tx: Tx, *, code: str, version: int, by: Actor, reason: str, now: datetime
) -> Version:
    """Decide against a submitted version; who drafted it may change it and submit it again.

    Raises Refusal programme_unknown, programme_step_impossible, programme_self_decision.
    """
    found = await _locked(tx, code, version)
    rules.check_decision(found, by=by.login, step="reject")
    rejected = await store.reject_version(tx, code, version, by=by.login, decided_at=now)
    assert rejected, "the row is held, and is submitted"
    await _note_version(tx, found, "rejected", by=by, reason=reason, now=now)
    return await get_version(tx, code=code, version=version)


async def approve(
    tx: Tx, *, code: str, version: int, dry_run_id: UUID, by: Actor, reason: str, now: datetime
) -> Version:
    """Bring a submitted version live, by somebody else than wrote or submitted it.

    It is proved again, by the catalogue and the scorecard of this moment. Who is enrolled keeps
    the version they were promised. A programme that had ended runs again, and its partners are told
    so. Raises Refusal programme_unknown, programme_step_impossible, programme_self_decision,
    programme_dry_run_unfit (why), programme_document_invalid (faults), programme_version_taken,
    programme_seats_taken, budget_below_reserved.
    """
    found = await _locked(tx, code, version)
    rules.check_decision(found, by=by.login, step="approve")
    # Whoever comes second sees what is live now, and that their dry run was made beside another.
    await store.lock_programme(tx, code)
    programme = await _proved(tx, found.text)
    live = await programme_store.find_programme(tx, code)
    rules.check_dry_run(
        await dry_run_store.find_facts(tx, dry_run_id),
        version=found,
        live_digest=None if live is None else live.digest,
        scorecard_version=(await score.scorecard_in_force(tx)).version,
        now=now,
    )
    if not await programme_store.save_programme(tx, programme, now):
        raise Refusal("programme_version_taken", programme=code, version=version)
    await store.retire_live(tx, code)
    approved = await store.approve_version(
        tx, code, version, by=by.login, dry_run_id=dry_run_id, now=now
    )
    assert approved, "the row is held, and is submitted"
    if not await programme_store.save_seats_total(tx, code, programme.document.seats):
        raise Refusal("programme_seats_taken", programme=code)
    await offer_free(tx, programme_code=code, now=now)
    await set_limits(tx, programme=programme, by_whom=by.login, reason=reason, now=now)
    facts = {"dry_run_id": str(dry_run_id), "digest": found.digest.hex()}
    await _note_version(tx, found, "approved", by=by, reason=reason, now=now, facts=facts)
    if live is not None and live.is_ended:
        stepped = await store.get_step(tx, code)
        await _tell_partners(tx, programme, "resume", revision=stepped.revision, now=now)
    return await get_version(tx, code=code, version=version)


async def pause(tx: Tx, *, programme_code: str, by: Actor, reason: str, now: datetime) -> None:
    """Pause a programme: nobody enrols, partners get no yes, orders that run go on.

    Pausing twice is nothing. Raises Refusal programme_unknown, programme_step_impossible (ended).
    """
    stepped = await store.pause_programme(tx, programme_code, now)
    await _stepped(tx, programme_code, "pause", stepped, by=by, reason=reason, now=now)


async def resume(tx: Tx, *, programme_code: str, by: Actor, reason: str, now: datetime) -> None:
    """Let a paused programme run again; one that runs stays as it is.

    Raises Refusal programme_unknown, programme_step_impossible (ended).
    """
    stepped = await store.resume_programme(tx, programme_code)
    if stepped is not None:
        await offer_free(tx, programme_code=programme_code, now=now)
    await _stepped(tx, programme_code, "resume", stepped, by=by, reason=reason, now=now)


async def end(tx: Tx, *, programme_code: str, by: Actor, reason: str, now: datetime) -> None:
    """End a programme: nobody enrols or waits any more and partners get no yes.

    Ending twice is nothing. A higher version, approved, lets it run again. Raises Refusal
    programme_unknown.
    """
    # Whoever approves a version at this moment sees that it has ended, or ends it afterwards.
    await store.lock_programme(tx, programme_code)
    stepped = await store.end_programme(tx, programme_code, now)
    if stepped is not None:
        await waiting_store.delete_of_programme(tx, programme_code)
    await _stepped(tx, programme_code, "end", stepped, by=by, reason=reason, now=now)


async def get_version(tx: ReadTx, *, code: str, version: int) -> Version:
    """Return a version; raises Refusal programme_unknown."""
    found = await store.find_version(tx, code, version)
    if found is None:
        raise Refusal("programme_unknown")
    return found


async def list_versions(tx: ReadTx, *, cursor: str | None, page_size: int) -> Page[ListedVersion]:
    """Return one page of versions, by code and number; raises Refusal cursor_invalid."""
    after_code, after_version = "", 0
    if cursor is not None:
        after_code, number = decode_cursor(cursor, parts=2)
        after_version = _number_in(number)
    rows = await store.list_versions(
        tx, after_code=after_code, after_version=after_version, limit=page_size + 1
    )
    return cut_page(rows, page_size, key=lambda row: (row.programme_code, str(row.version)))


def _number_in(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refusal("cursor_invalid")
    return int(text)


async def _proved(tx: Tx, text: str) -> Programme:
    try:
        return await load(tx, text=text)
    except DataFault as fault:
        raise Refusal("programme_document_invalid", faults=list(fault.faults)) from None


async def _locked(tx: Tx, code: str, version: int) -> Version:
    found = await store.lock_version(tx, code, version)
    if found is None:
        raise Refusal("programme_unknown")
    return found


async def _stepped(
    tx: Tx,
    code: str,
    step: str,
    stepped: store.Stepped | None,
    *,
    by: Actor,
    reason: str,
    now: datetime,
) -> None:
    """Tell partners and citizens of a step and write it down; one taken before is nothing."""
    if stepped is None:
        before = await programme_store.find_programme(tx, code)
        if before is None:
            raise Refusal("programme_unknown")
        if before.is_ended and step != "end":
            raise Refusal("programme_step_impossible", state="ended", step=step)
        return
    programme = (await programmes_by_digest(tx, {stepped.digest}))[stepped.digest]
    await _tell_partners(tx, programme, step, revision=stepped.revision, now=now)
    if _TOPICS[step] in NOTICE_TOPICS:
        await announce(tx, programme_code=code, topic=_TOPICS[step], now=now)
    await ledger.note_action(
        tx, by=by, action=_TOPICS[step], thing=f"programme:{code}", reason=reason, now=now
    )


async def _tell_partners(
    tx: Tx, programme: Programme, step: str, *, revision: int, now: datetime
) -> None:
    document = programme.document
    for partner in await store.list_partners(tx, document.partners):
        await webhook.emit_message(
            tx,
            partner_id=partner.partner_id,
            topic=_TOPICS[step],
            object_id=rules.programme_id(document.code),
            sequence=revision,
            facts={"programme": document.code},
            now=now,
        )


async def _note(
    tx: Tx, programme: Programme, done: str, *, by: Actor, reason: str, now: datetime
) -> None:
    document = programme.document
    await ledger.note_action(
        tx,
        by=by,
        action=f"programme.{done}",
        thing=f"programme:{document.code}",
        reason=reason,
        now=now,
        facts={"version": document.version, "digest": programme.digest.hex()},
    )


async def _note_version(
    tx: Tx,
    version: Version,
    done: str,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    facts: dict[str, Any] | None = None,
) -> None:
    await ledger.note_action(
        tx,
        by=by,
        action=f"programme.{done}",
        thing=f"programme:{version.programme_code}",
        reason=reason,
        now=now,
        facts={"version": version.version, **(facts or {})},
    )
