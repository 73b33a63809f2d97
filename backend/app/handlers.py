"""Who follows which topic of the outbox."""

from backend.app.house import House
from backend.event.jobs import Handler
from backend.event.rules import Event
from backend.kit.postgres import Tx
from backend.record import jobs as record_jobs
from backend.score import jobs as score_jobs
from backend.webhook import service as webhook


def event_handlers(house: House) -> dict[str, Handler]:
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

    return {
        "records.changed": recompute,
        "scorecard.in_force": follow_scorecard,
        "submission.uploaded": take_upload,
        webhook.MESSAGE_TOPIC: fan_out,
    }
