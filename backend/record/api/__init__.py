"""Records over HTTP: what is on record about a citizen, and what departments hand in."""

from backend.record.api import quality, records, submissions

ROUTES = [*quality.ROUTES, *records.ROUTES, *submissions.ROUTES]
