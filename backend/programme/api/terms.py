"""Benefits and baselines as they leave the house: an object with `type` and its own amounts."""

from functools import lru_cache
from typing import Annotated

import msgspec

from backend.programme.rules.benefit import Baseline, Benefit

# As callers may send it: what can't be a code (JSON can spell U+0000) never reaches the database.
ProgrammeCode = Annotated[
    str,
    msgspec.Meta(
        pattern="^[a-z][a-z0-9]*([_-][a-z0-9]+)*$",
        max_length=64,
        description="code of a programme",
        examples=["library"],
    ),
]


class _TermView(msgspec.Struct, frozen=True, tag_field="type"):
    pass


class DepositWaiverView(_TermView, frozen=True, tag="deposit_waiver"):
    """No deposit, up to a cap."""

    cap_fen: int


class DiscountView(_TermView, frozen=True, tag="discount"):
    """A discount on the price, in tenths of a percent."""

    discount_percent_tenths: int


class DeferredPaymentView(_TermView, frozen=True, tag="deferred_payment"):
    """First use, then pay: within so many days, up to a cap."""

    pay_within_days: int
    cap_fen: int


class RateReductionView(_TermView, frozen=True, tag="rate_reduction"):
    """A lower rate, by basis points a year."""

    reduction_basis_points: int


class PriorityView(_TermView, frozen=True, tag="priority"):
    """Served within so many working days."""

    working_days: int


class FeeWaiverView(_TermView, frozen=True, tag="fee_waiver"):
    """No fee, up to a cap."""

    cap_fen: int


class SimplifiedView(_TermView, frozen=True, tag="simplified"):
    """Approved on so many papers; the rest is waived."""

    papers: int


BenefitView = (
    DepositWaiverView
    | DiscountView
    | DeferredPaymentView
    | RateReductionView
    | PriorityView
    | FeeWaiverView
    | SimplifiedView
)


class DepositView(_TermView, frozen=True, tag="deposit"):
    """Everybody leaves a deposit."""

    deposit_fen: int


class PriceView(_TermView, frozen=True, tag="price"):
    """Everybody pays the price, less this discount in tenths of a percent."""

    discount_percent_tenths: int


class PaymentView(_TermView, frozen=True, tag="payment"):
    """Everybody pays within so many days; 0 is at once."""

    pay_within_days: int


class RateView(_TermView, frozen=True, tag="rate"):
    """Everybody pays the lender's rate, less this reduction in basis points."""

    reduction_basis_points: int


class HandlingView(_TermView, frozen=True, tag="handling"):
    """Everybody is served within so many working days."""

    working_days: int


class FeeView(_TermView, frozen=True, tag="fee"):
    """Everybody pays a fee."""

    fee_fen: int


class MaterialsView(_TermView, frozen=True, tag="materials"):
    """Everybody hands in so many papers."""

    papers: int


BaselineView = (
    DepositView | PriceView | PaymentView | RateView | HandlingView | FeeView | MaterialsView
)


@lru_cache(maxsize=1_000)  # as many as there are programmes in their versions, and few more
def benefit_view(benefit: Benefit) -> BenefitView:
    """Return a benefit as it leaves the house."""
    view: BenefitView = msgspec.convert(msgspec.to_builtins(benefit), BenefitView)
    return view


def baseline_view(baseline: Baseline) -> BaselineView:
    """Return a baseline as it leaves the house."""
    view: BaselineView = msgspec.convert(msgspec.to_builtins(baseline), BaselineView)
    return view
