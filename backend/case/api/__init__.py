"""Cases over HTTP: citizens ask for a person to look, operators work through the queue."""

from backend.case.api import citizen, operator

ROUTES = [*citizen.ROUTES, *operator.ROUTES]
