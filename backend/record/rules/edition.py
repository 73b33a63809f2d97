"""Editions of the catalogue: what is kept of each, and what the next one may not leave behind."""

from datetime import datetime

import msgspec

from backend.record.rules.catalogue import Catalogue


class Edition(msgspec.Struct, frozen=True):
    """An edition as it was published: its two texts, their digest, by whom and when."""

    edition: str
    document: str
    sources: str
    digest: bytes
    published_by: str
    published_at: datetime


class ListedEdition(msgspec.Struct, frozen=True):
    """An edition in the list of editions, without its texts."""

    edition: str
    digest: bytes
    published_by: str
    published_at: datetime


def classes_given_up(before: Catalogue, after: Catalogue) -> list[str]:
    """Return the classes of `before` whose records could not stay on record under `after`.

    A class is gone, or turns for or against the people in it (when a record ends was worked out
    by what it was), or wants a written consent that its records came without.
    """
    given_up = []
    for code, old in before.classes.items():
        new = after.classes.get(code)
        if (
            new is None
            or new.is_adverse != old.is_adverse
            or (old.sensitivity == "plain" and new.sensitivity != "plain")
        ):
            given_up.append(code)
    return given_up
