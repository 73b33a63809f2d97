"""A record the service itself hands in, when something happened here: one at a time, no file."""

import hashlib
from datetime import date, datetime
from uuid import UUID

import msgspec

from backend.event import service as event
from backend.kit.clock import city_date
from backend.kit.ids import new_id
from backend.kit.postgres import Tx
from backend.record import store
from backend.record.rules.cell import EXTERNAL_ID, quantity_of
from backend.record.rules.fault import FaultCode
from backend.record.rules.life import Days, RecordVersion, ends_on_of, fingerprint_of
from backend.record.service.catalogue import check_sender
from backend.record.service.quality import time_reports
from backend.record.service.submission import RECORDS_CHANGED, open_submission
from backend.record.store import version as version_store


async def report_one(
    tx: Tx,
    *,
    subject_id: UUID,
    source_code: str,
    class_code: str,
    external_id: str,
    quantity: int,
    occurred_on: date,
    now: datetime,
) -> bool:
    """Put one record on file as version 1 of its number; False when the number is on file.

    It is a submission of one line under the number, and is held to what a line of a file is held
    to. The caller sees to it that nobody reports the number at the same moment: it names
    something the caller holds. Raises Refusal as `check_sender`.
    """
    record_class = await check_sender(tx, source_code=source_code, class_code=class_code)
    assert EXTERNAL_ID.fullmatch(external_id), "a number of ours is one a source may use"
    assert not isinstance(quantity_of(str(quantity), record_class.value.max), FaultCode)
    today = city_date(now)
    assert occurred_on <= today, "it has happened"
    ends_on = ends_on_of(record_class, occurred_on=occurred_on, ended_on=None)
    days = Days(occurred_on, None, ends_on)
    held = await version_store.list_held(tx, source_code, [external_id])
    over = await version_store.list_ended_numbers(tx, source_code, [external_id])
    if held or over or (ends_on is not None and ends_on <= today):
        return False
    content = f"{subject_id}|{class_code}|{external_id}|{quantity}|{occurred_on}"
    submission = await open_submission(
        tx,
        source_code=source_code,
        class_code=class_code,
        batch_id=external_id,
        content_digest=hashlib.sha256(content.encode()).digest(),
        now=now,
    )
    assert submission.completed_at is None, "what isn't on file wasn't handed in"
    record = _record(
        subject_id,
        class_code,
        source_code=source_code,
        external_id=external_id,
        quantity=quantity,
        days=days,
        now=now,
    )
    await version_store.insert_records(tx, [record], submission.submission_id)
    timing = await time_reports(tx, record_class=record_class, days=[days], received_on=today)
    counted = msgspec.structs.replace(
        submission,
        accepted=1,
        timed=timing.timed,
        late=timing.late,
        lines_done=1,
        completed_at=now,
    )
    await store.save_progress(tx, counted)
    await event.emit(
        tx,
        topic=RECORDS_CHANGED,
        subject_id=None,
        payload={"subject_ids": [str(subject_id)]},
        now=now,
    )
    return True


def _record(
    subject_id: UUID,
    class_code: str,
    *,
    source_code: str,
    external_id: str,
    quantity: int,
    days: Days,
    now: datetime,
) -> RecordVersion:
    return RecordVersion(
        subject_id=subject_id,
        record_id=new_id(now),
        class_code=class_code,
        source_code=source_code,
        external_id=external_id,
        version=1,
        quantity=quantity,
        occurred_on=days.occurred_on,
        ended_on=days.ended_on,
        ends_on=days.ends_on,
        reported_at=now,
        disputed_at=None,
        repaired_at=None,
        fingerprint=fingerprint_of(
            class_code=class_code,
            source_code=source_code,
            external_id=external_id,
            version=1,
            quantity=quantity,
            occurred_on=days.occurred_on,
            ended_on=days.ended_on,
            ends_on=days.ends_on,
        ),
        action="report",
        superseded_at=None,
    )
