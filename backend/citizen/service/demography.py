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


def _demographics(
    sealed: store.SealedIdentity, *, age_bands: Sequence[int], vault: Vault, today: date
) -> Demographics:
    aad = f"account|national_id_sealed|{sealed.subject_id}"
    number = vault.unseal(sealed.data_key, sealed.national_id_sealed, aad=aad).decode()
    born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    place = bisect_right(age_bands, rules.age_on(born_on, today)) - 1
    return Demographics(sealed.subject_id, age_bands[max(0, place)], number[:DISTRICT_DIGITS])
