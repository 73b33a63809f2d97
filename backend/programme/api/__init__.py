"""Programmes over HTTP: what citizens get and do, and what partners verify."""

from backend.programme.api import citizen, partner

ROUTES = [*citizen.ROUTES, *partner.ROUTES]
