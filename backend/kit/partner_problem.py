"""The codes that partners meet with their orders, webhooks and own tokens; part of `problem`."""

from backend.kit.office_problem import Problem

PARTNER_PROBLEMS: dict[str, Problem] = {
    "benefit_unavailable": Problem(
        409,
        "The benefit is not open for this order",
        "本次服务不适用该权益",
        "Nothing else is told, whatever the cause. The baseline is open to everybody.",
    ),
}
