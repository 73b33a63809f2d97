"""Who the participants are, in the two ways in which a scorecard must be fair to all of them.

Age and district come from the identity number, which is opened for the count alone: neither is
kept anywhere, and nothing else leaves this module.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec

from backend.citizen import rules, store
from backend.kit.clock import city_date
from backend.kit.crypto import Vault
from backend.kit.postgres import ReadTx

DISTRICT_DIGITS = 6


class Demographics(msgspec.Struct, frozen=True):
    """A participant's age band (the age it begins at) and district.

    `district` is the area code the identity number begins with (GB/T 2260): where it was first
    registered, which need not be where the person lives.
    """

    subject_id: UUID
    age_band: int
    district: str


class Context(msgspec.Struct, frozen=True):
    """What a participant is asked about once, when enrolling: never kept, never told to others.

    `district` is that of `Demographics`; `joined_on` is the day in the city.
    """

    subject_id: UUID
    age: int
    district: str
    joined_on: date


async def list_demographics(
    tx: ReadTx,
    *,
    after: UUID | None,
    limit: int,
    age_bands: Sequence[int],
    vault: Vault,
    today: date,
) -> list[Demographics]:
    """Return participants in the order of their ids, from behind `after`; for work in batches.

    `age_bands` are the ages at which bands begin, rising; who is younger counts to the first.
    """
    return [
        _demographics(each, age_bands=age_bands, vault=vault, today=today)
        for each in await store.list_participants(tx, after=after, limit=limit)
    ]


async def list_contexts(
    tx: ReadTx, *, after: UUID | None, limit: int, vault: Vault, today: date
) -> list[Context]:
    """Return participants in the order of their ids, from behind `after`; for work in batches."""
    found = await store.list_participants(tx, after=after, limit=limit)
    return [_context(each, vault=vault, today=today) for each in found]


async def find_context(
    tx: ReadTx, *, subject_id: UUID, vault: Vault, today: date
) -> Context | None:
    """Return the context of one participant, or None for who does not take part."""
    found = await store.find_participant(tx, subject_id)
    return None if found is None else _context(found, vault=vault, today=today)


def age_band_of(age: int, age_bands: Sequence[int]) -> int:
    """Return the band an age is in; who is younger than the first counts to it."""
    return age_bands[max(0, bisect_right(age_bands, age) - 1)]


def _demographics(
    sealed: store.SealedIdentity, *, age_bands: Sequence[int], vault: Vault, today: date
) -> Demographics:
    context = _context(sealed, vault=vault, today=today)
    return Demographics(sealed.subject_id, age_band_of(context.age, age_bands), context.district)


def _context(sealed: store.SealedIdentity, *, vault: Vault, today: date) -> Context:
    aad = f"account|national_id_sealed|{sealed.subject_id}"
    number = vault.unseal(sealed.data_key, sealed.national_id_sealed, aad=aad).decode()
    born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    return Context(
        subject_id=sealed.subject_id,
        age=rules.age_on(born_on, today),
        district=number[:DISTRICT_DIGITS],
        joined_on=city_date(sealed.joined_at),
    )
