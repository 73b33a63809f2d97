"""Records over HTTP: what is on record about a citizen, and what departments hand in."""

from backend.record.api import records

ROUTES = [*records.ROUTES]
