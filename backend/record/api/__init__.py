"""Records over HTTP: what is on record about a citizen, and what departments hand in."""

from backend.record.api import quality, records

ROUTES = [*quality.ROUTES, *records.ROUTES]
