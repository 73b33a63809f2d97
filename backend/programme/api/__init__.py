"""Programmes over HTTP: what citizens get and do, and what partners verify."""

from backend.programme.api import (
    budget,
    citizen,
    decision,
    listed,
    operator,
    operator_life,
    partner,
)

ROUTES = [
    *budget.ROUTES,
    *citizen.ROUTES,
    *decision.ROUTES,
    *listed.ROUTES,
    *operator.ROUTES,
    *operator_life.ROUTES,
    *partner.ROUTES,
]
