"""Who follows which topic of the outbox."""

from uuid import UUID

from backend.app.house import House
from backend.case import service as case
from backend.case.rules import Kind as CaseKind
from backend.case.rules import Outcome
from backend.event.jobs import Handler, Outbound
from backend.event.rules import Event
from backend.kit.postgres import Tx
from backend.notice import service as notice
from backend.notice.jobs import send_notice
from backend.order import service as order
from backend.programme import service as programme
from backend.record import jobs as record_jobs
from backend.score import jobs as score_jobs
from backend.webhook import service as webhook


def event_handlers(house: House) -> dict[str, Handler | Outbound]:
    """Return who follows which topic of the outbox."""

    async def recompute(tx: Tx, *, event: Event) -> None:
        await score_jobs.recompute_changed(tx, event=event, now=house.clock.now())

    async def take_upload(tx: Tx, *, event: Event) -> None:
        await record_jobs.take_upload(tx, event=event, vault=house.vault, now=house.clock.now())

    async def follow_scorecard(tx: Tx, *, event: Event) -> None:
        await score_jobs.follow_scorecard(tx, event=event, now=house.clock.now())

    async def fan_out(tx: Tx, *, event: Event) -> None:
        origin = house.settings.public_origin
        await webhook.fan_out(tx, event=event, origin=origin, now=house.clock.now())

    async def seat_waiting(tx: Tx, *, event: Event) -> None:
        await programme.seat_waiting(tx, event=event, vault=house.vault, now=house.clock.now())

    async def tell_enrolled(tx: Tx, *, event: Event) -> None:
        await programme.tell_enrolled(tx, event=event, now=house.clock.now())

    async def send(event: Event) -> None:
        await send_notice(
            house.database,
            event=event,
            sender=house.sender,
            vault=house.vault,
            clock=house.clock,
        )

    return {
        **_case_handlers(house),
        notice.NOTICE_TOPIC: Outbound(send),
        programme.FREED_TOPIC: seat_waiting,
        programme.STOPPED_TOPIC: tell_enrolled,
        "records.changed": recompute,
        "scorecard.in_force": follow_scorecard,
        "submission.uploaded": take_upload,
        webhook.MESSAGE_TOPIC: fan_out,
    }


def _case_handlers(house: House) -> dict[str, Handler | Outbound]:
    """Return who carries out what a person decided, and what a citizen took back."""

    async def tell_decision(tx: Tx, *, event: Event) -> None:
        assert event.subject_id is not None, "a case is somebody's"
        is_changed = event.payload["outcome"] == Outcome.CHANGED
        # First, as enrolling does: it holds the participation after the citizen's other enrolments.
        if event.payload["kind"] == CaseKind.NOT_YET and is_changed:
            await programme.apply_case(
                tx,
                subject_id=event.subject_id,
                programme_code=event.payload["object"],
                case_id=UUID(event.payload["case_id"]),
                vault=house.vault,
                now=house.clock.now(),
            )
        # What is owed is changed after the notice, which holds the participation.
        await notice.notify(
            tx,
            subject_id=event.subject_id,
            topic="case.decided",
            facts=event.payload,
            now=house.clock.now(),
        )
        if event.payload["kind"] == CaseKind.OBLIGATION:
            await order.apply_case(
                tx,
                subject_id=event.subject_id,
                obligation_id=UUID(event.payload["object"]),
                changed=is_changed,
                now=house.clock.now(),
            )

    async def follow_withdrawal(tx: Tx, *, event: Event) -> None:
        assert event.subject_id is not None, "a case is somebody's"
        if event.payload["kind"] == CaseKind.OBLIGATION:
            await order.give_up_case(
                tx,
                subject_id=event.subject_id,
                obligation_id=UUID(event.payload["object"]),
                now=house.clock.now(),
            )

    return {case.DECIDED_TOPIC: tell_decision, case.WITHDRAWN_TOPIC: follow_withdrawal}
