"""Records over HTTP: what is on record about a citizen, and what departments hand in."""

from backend.record.api import catalogue, quality, records, submissions

ROUTES = [*catalogue.ROUTES, *quality.ROUTES, *records.ROUTES, *submissions.ROUTES]
