"""Operators over HTTP: coming in, and who may come in."""

from backend.operator.api import account, sign_in

ROUTES = [*account.ROUTES, *sign_in.ROUTES]
