"""The partner's one question over HTTP: is the benefit open to the citizen of this token?"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from backend.access.rules import PartnerPrincipal
from backend.kit.http import problems
from backend.kit.problem import Refusal
from backend.programme.api.terms import BenefitView, ProgrammeCode, benefit_view
from backend.programme.desk import GUARD, EligibilityDesk, check_of
from backend.programme.rules.eligibility import EligibilityAnswer


class EligibilityCheckCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask about the citizen the token stands for; the programme sets the threshold, not you."""

    programme: ProgrammeCode


class EligibleView(msgspec.Struct, frozen=True):
    """Yes: the benefit is open until `valid_until`. Keep `decision_id` as your proof."""

    eligible: Literal[True]
    programme: str
    benefit: BenefitView
    decision_id: UUID
    valid_until: datetime


class NotEligibleView(msgspec.Struct, frozen=True):
    """No, and nothing else: the same bytes whatever the cause. The baseline is open."""

    eligible: Literal[False]


_NOT_ELIGIBLE = NotEligibleView(False)


PATH = "/v1/eligibility-checks"


async def answer_check(
    data: EligibilityCheckCreate, *, partner: PartnerPrincipal, eligibility: EligibilityDesk
) -> EligibleView | NotEligibleView:
    """Answer a check; raises Refusal insufficient_authorization_details and what the desk does."""
    check = check_of(partner, data.programme)
    if check is None:
        raise Refusal("insufficient_authorization_details")
    return view_of(await eligibility.check(check))


def view_of(answer: EligibilityAnswer) -> EligibleView | NotEligibleView:
    """Return what leaves of an answer."""
    if not answer.eligible:
        return _NOT_ELIGIBLE
    assert answer.programme_code is not None, "a yes names its programme"
    assert answer.benefit is not None, "a yes names its benefit"
    assert answer.decision_id is not None, "a yes can be proved"
    assert answer.valid_until is not None, "a yes has an end"
    return EligibleView(
        eligible=True,
        programme=answer.programme_code,
        benefit=benefit_view(answer.benefit),
        decision_id=answer.decision_id,
        valid_until=answer.valid_until,
    )


@post(
    PATH,
    operation_id="eligibility_check_create",
    tags=["partner"],
    guards=[GUARD],
    status_code=HTTP_200_OK,
    cache_control=CacheControlHeader(no_store=True),
    responses=problems(
        "body_invalid",
        "insufficient_authorization_details",
        "scope_insufficient",
        "token_invalid",
        "too_many_requests",
        "unavailable",
    ),
)
async def create_eligibility_check(
    data: JSONBody[EligibilityCheckCreate],
    partner: NamedDependency[PartnerPrincipal],
    eligibility: NamedDependency[EligibilityDesk],
) -> EligibleView | NotEligibleView:
    """Verify a citizen's benefit. The look is in the citizen's ledger before the answer leaves.

    It takes no Idempotency-Key: each check is a look of its own, and asking again is one more.
    """
    return await answer_check(data, partner=partner, eligibility=eligibility)


ROUTES = [create_eligibility_check]
