"""What is decided about single records: disputed, confirmed, repaired; and the looks it takes.

A disputed record is out of the score from the moment it is disputed, not from when somebody has
looked at it; a confirmed one comes back. Each step writes itself down and tells the scores in its
own transaction, so that whatever depends on the record is worked out anew.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from backend.event import service as event
from backend.kit.clock import city_date
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.kit.problem import Refusal
from backend.ledger import service as ledger
from backend.record.rules.life import RecordVersion, stands
from backend.record.rules.status import Step, check_words, next_status, status_of
from backend.record.service.catalogue import get_catalogue
from backend.record.service.looking import Looking, look_entry
from backend.record.service.submission import RECORDS_CHANGED
from backend.record.store import life as store
from backend.record.store import past
from backend.record.store.life import RecordStep
from backend.record.store.version import lock_source


class RecordsLookedAt(msgspec.Struct, frozen=True):
    """Every version on file about a subject, and the steps taken with them."""

    versions: list[RecordVersion]
    steps: list[RecordStep]


async def look_at_records(
    tx: Tx, *, subject_id: UUID, actor: str, reason: str, now: datetime
) -> RecordsLookedAt:
    """Write an operator's look into the subject's access ledger and return what is on file.

    The caller tells nobody before this transaction has committed. Raises Refusal
    record_words_invalid.
    """
    check_words(actor=actor, reason=reason)
    found = RecordsLookedAt(
        versions=await past.list_versions(tx, subject_id),
        steps=await store.list_steps(tx, subject_id),
    )
    entry = look_entry(
        subject_id,
        Looking.REVIEW,
        actor=actor,
        reason=reason,
        disclosed=f"versions:{len(found.versions)}",
        now=now,
    )
    await ledger.record_access(tx, entries=[entry])
    return found


async def dispute(
    tx: Tx, *, subject_id: UUID, record_id: UUID, actor: str, reason: str, now: datetime
) -> RecordVersion:
    """Take a record out of everything that depends on it until the dispute was looked at.

    Raises Refusal not_found, record_step_impossible, record_words_invalid.
    """
    step = _step(Step.DISPUTE, subject_id, record_id, actor=actor, reason=reason, now=now)
    return await _take(tx, step)


async def confirm(
    tx: Tx, *, subject_id: UUID, record_id: UUID, actor: str, reason: str, now: datetime
) -> RecordVersion:
    """Let a disputed record count again: the dispute was looked at, and the record stays.

    Raises Refusal as `dispute` does.
    """
    step = _step(Step.CONFIRM, subject_id, record_id, actor=actor, reason=reason, now=now)
    return await _take(tx, step)


async def repair(
    tx: Tx, *, subject_id: UUID, record_id: UUID, actor: str, reason: str, now: datetime
) -> RecordVersion:
    """Take an adverse record out for good: its authority has decided that it is repaired.

    Raises Refusal as `dispute` does, and record_repair_not_adverse (NDRC Order 36 repairs what is
    held against people, and nothing else).
    """
    step = _step(Step.REPAIR, subject_id, record_id, actor=actor, reason=reason, now=now)
    return await _take(tx, step)


def _step(
    step: Step, subject_id: UUID, record_id: UUID, *, actor: str, reason: str, now: datetime
) -> RecordStep:
    check_words(actor=actor, reason=reason)
    return RecordStep(
        subject_id=subject_id,
        step_id=new_id(now),
        record_id=record_id,
        step=step.value,
        actor=actor,
        reason=reason,
        at=now,
    )


async def _take(tx: Tx, taken: RecordStep) -> RecordVersion:
    """Take a step with a current version, write it down and tell the scores."""
    source_code = await store.find_source(tx, taken.subject_id, taken.record_id)
    if source_code is None:
        raise Refusal("not_found")
    # A version that takes this one's place inherits its marks: it comes before or after this step.
    await lock_source(tx, source_code)
    before = await store.lock_version(tx, taken.subject_id, taken.record_id)
    if before is None:
        raise Refusal("not_found")
    step, today = Step(taken.step), city_date(taken.at)
    status = next_status(status_of(before, today), step)
    if step is Step.REPAIR:
        catalogue = await get_catalogue(tx)
        if not catalogue.classes[before.class_code].is_adverse:
            raise Refusal("record_repair_not_adverse", class_code=before.class_code)
    after = _with_mark(before, step, taken.at)
    assert status_of(after, today) is status, "the marks say what the table says"
    assert stands(after) == (step is Step.CONFIRM), "only a confirmed record counts again"
    assert await store.save_marks(tx, after) == 1, "it is current: this transaction holds it"
    await store.insert_step(tx, taken)
    payload = {"subject_ids": [str(taken.subject_id)]}
    await event.emit(tx, topic=RECORDS_CHANGED, subject_id=None, payload=payload, now=taken.at)
    return after


def _with_mark(before: RecordVersion, step: Step, at: datetime) -> RecordVersion:
    """Return a version as a step leaves it; a repaired one keeps the day of its dispute."""
    if step is Step.DISPUTE:
        return msgspec.structs.replace(before, disputed_at=at)
    if step is Step.CONFIRM:
        return msgspec.structs.replace(before, disputed_at=None)
    return msgspec.structs.replace(before, repaired_at=at)
