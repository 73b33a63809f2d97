"""What a lower room sets off in the rooms above it: the ports of the lower rooms, filled."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET

from backend.case import service as case
from backend.consent import service as consent
from backend.kit.postgres import ReadTx, Tx
from backend.kit.problem import Refusal
from backend.notice import service as notice
from backend.oauth.rules.request import Detail, EligibilityDetail
from backend.order import service as order
from backend.programme import service as programme
from backend.programme.rules.offer import OfferState
from backend.score import service as score


class Participation:
    """What the rooms above citizen do when a citizen joins or leaves (its ParticipationHooks)."""

    async def joined(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """Make the score."""
        await score.compute(tx, subject_id=subject_id, now=now)

    async def left(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """Erase the score and all that hangs on it, cases and notices; end consents and tokens."""
        await consent.end_all(tx, subject_id=subject_id, now=now)
        await order.erase(tx, subject_id=subject_id, now=now)
        await programme.erase(tx, subject_id=subject_id, now=now)
        await score.erase(tx, subject_id=subject_id)
        await case.erase(tx, subject_id=subject_id)
        await notice.erase(tx, subject_id=subject_id)


class ProgrammeDetails:
    """Whether, and how far, a partner may ask for a programme (oauth's DetailPolicy)."""

    async def complete(self, tx: ReadTx, *, partner_id: UUID, detail: Detail) -> Detail | None:
        """Ask the programme; the bound of an order is written out, so that it never widens."""
        if not await programme.may_verify(
            tx, partner_id=partner_id, programme_code=detail.programme, purpose=detail.purpose
        ):
            return None
        if isinstance(detail, EligibilityDetail):
            return detail
        most = await programme.order_amount_max(
            tx, programme_code=detail.programme, confirm=detail.confirm
        )
        asked = most if detail.amount_max_fen is UNSET else detail.amount_max_fen
        if most is None or asked is None or asked > most:
            return None
        return msgspec.structs.replace(detail, amount_max_fen=asked)


class Grounds:
    """Whether there is something for a person to look at (case's CaseGrounds)."""

    async def check_not_yet(
        self, tx: ReadTx, *, subject_id: UUID, programme_code: str, now: datetime
    ) -> None:
        """Ask the programme: a condition must be lacking, whether or not there is a seat."""
        offer = await programme.get_offer(
            tx, subject_id=subject_id, programme_code=programme_code, now=now
        )
        if offer.state is OfferState.JOIN_FIRST:
            raise Refusal("participation_required")
        if offer.state is OfferState.CLOSED:
            raise Refusal("programme_closed")
        if not offer.missing:
            raise Refusal("case_not_needed")
