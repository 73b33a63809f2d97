"""The score over HTTP: what it is and why, what it was, what changed, what it would be."""

from backend.score.api import history, score, simulation

ROUTES = [*score.ROUTES, *history.ROUTES, *simulation.ROUTES]
