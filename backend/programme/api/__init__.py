"""Programmes over HTTP: what citizens get and do, and what partners verify."""

from backend.programme.api import citizen, decision, partner

ROUTES = [*citizen.ROUTES, *decision.ROUTES, *partner.ROUTES]
