"""Webhooks over HTTP: partners keep their endpoints and look at what was sent; so do operators."""

from backend.webhook.api import delivery, endpoint, operator, proving

ROUTES = [*endpoint.ROUTES, *proving.ROUTES, *delivery.ROUTES, *operator.ROUTES]
