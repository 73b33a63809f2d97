"""Chance that comes again: the same seed, the same city."""

import random


def chance_of(seed: int, place: str) -> random.Random:
    """Return the generator of one place in a city: nobody's draws change another's."""
    return random.Random(f"{seed}:{place}")  # noqa: S311 - invents a city, never a secret
