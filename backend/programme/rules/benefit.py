"""What a programme grants, and what everybody gets without it.

A benefit has no field that could take something away: each says by how much the baseline of its
own kind gets better. What is left to prove of a pair is that the better end is the benefit's.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

AMOUNT_FEN_MAX = 100_000_000
PERCENT_TENTHS_MAX = 1_000
DAYS_MAX = 366
BASIS_POINTS_MAX = 2_000
PAPERS_MAX = 100

AmountFen = Annotated[int, Meta(ge=0, le=AMOUNT_FEN_MAX)]
GrantedFen = Annotated[int, Meta(ge=1, le=AMOUNT_FEN_MAX)]
PercentTenths = Annotated[int, Meta(ge=0, le=PERCENT_TENTHS_MAX)]
Days = Annotated[int, Meta(ge=0, le=DAYS_MAX)]
BasisPoints = Annotated[int, Meta(ge=0, le=BASIS_POINTS_MAX)]


class _Term(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    pass


class Deposit(_Term, frozen=True, tag="deposit"):
    """Everybody leaves a deposit."""

    deposit_fen: AmountFen


class Price(_Term, frozen=True, tag="price"):
    """Everybody pays the price, less a discount that may be 0."""

    discount_percent_tenths: PercentTenths


class Payment(_Term, frozen=True, tag="payment"):
    """Everybody pays within so many days; 0 is at once."""

    pay_within_days: Days


class Rate(_Term, frozen=True, tag="rate"):
    """Everybody pays the lender's rate, less a reduction in basis points that may be 0."""

    reduction_basis_points: BasisPoints


class Handling(_Term, frozen=True, tag="handling"):
    """Everybody is served within so many working days."""

    working_days: Annotated[int, Meta(ge=1, le=DAYS_MAX)]


class Fee(_Term, frozen=True, tag="fee"):
    """Everybody pays a fee."""

    fee_fen: AmountFen


class Materials(_Term, frozen=True, tag="materials"):
    """Everybody hands in so many papers."""

    papers: Annotated[int, Meta(ge=1, le=PAPERS_MAX)]


Baseline = Deposit | Price | Payment | Rate | Handling | Fee | Materials


class DepositWaiver(_Term, frozen=True, tag="deposit_waiver"):
    """No deposit, up to a cap."""

    cap_fen: GrantedFen


class Discount(_Term, frozen=True, tag="discount"):
    """A discount on the price, in tenths of a percent."""

    discount_percent_tenths: PercentTenths


class DeferredPayment(_Term, frozen=True, tag="deferred_payment"):
    """First use, then pay: within so many days, up to a cap."""

    pay_within_days: Days
    cap_fen: GrantedFen


class RateReduction(_Term, frozen=True, tag="rate_reduction"):
    """A lower rate, by basis points a year."""

    reduction_basis_points: BasisPoints


class Priority(_Term, frozen=True, tag="priority"):
    """Served within fewer working days."""

    working_days: Annotated[int, Meta(ge=1, le=DAYS_MAX)]


class FeeWaiver(_Term, frozen=True, tag="fee_waiver"):
    """No fee, up to a cap."""

    cap_fen: GrantedFen


class Simplified(_Term, frozen=True, tag="simplified"):
    """Approved on fewer papers; the rest is waived."""

    papers: Annotated[int, Meta(ge=0, le=PAPERS_MAX)]


Benefit = (
    DepositWaiver | Discount | DeferredPayment | RateReduction | Priority | FeeWaiver | Simplified
)
# Benefits in money, up to a cap: what a service order can be opened for.
CAPPED = (DepositWaiver, DeferredPayment, FeeWaiver)


def benefit_fault(baseline: Baseline, benefit: Benefit) -> str | None:
    """Return why a benefit is not better than what everybody gets, or None when it is."""
    match baseline, benefit:
        case Deposit(), DepositWaiver():
            is_better = baseline.deposit_fen > 0
        case Price(), Discount():
            is_better = benefit.discount_percent_tenths > baseline.discount_percent_tenths
        case Payment(), DeferredPayment():
            is_better = benefit.pay_within_days > baseline.pay_within_days
        case Rate(), RateReduction():
            is_better = benefit.reduction_basis_points > baseline.reduction_basis_points
        case Handling(), Priority():
            is_better = benefit.working_days < baseline.working_days
        case Fee(), FeeWaiver():
            is_better = baseline.fee_fen > 0
        case Materials(), Simplified():
            is_better = benefit.papers < baseline.papers
        case _:
            return f"{_tag(benefit)} can't be compared with a baseline of type {_tag(baseline)}"
    return None if is_better else f"{_tag(benefit)} is not better than what everybody gets"


def _tag(term: Baseline | Benefit) -> str:
    return str(term.__struct_config__.tag)
