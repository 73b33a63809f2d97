"""Orders over HTTP: partners open and keep them, citizens confirm and answer."""

from backend.order.api import citizen, partner, partner_obligation

ROUTES = [*partner.ROUTES, *partner_obligation.ROUTES, *citizen.ROUTES]
