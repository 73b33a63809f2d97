"""How much credit may stand for one citizen in all orders that run, by the tier of the score."""

import tomllib
from collections.abc import Sequence
from datetime import date

import msgspec

from backend.score.rules.scorecard import Tier

OPEN_FEN_MAX = 100_000_000


class ExposureLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that may be open in a tier."""

    tier: str
    open_max_fen: int


class ExposureTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A limit for each tier, from the lowest to the highest."""

    in_force_from: date
    limit: list[ExposureLimit]


class ExposureFaults(ValueError):
    """The table can't be used; `faults` says why, one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def load_exposure(text: str, *, tiers: Sequence[Tier]) -> ExposureTable:
    """Read and prove a table (TOML) by the tiers of a scorecard, lowest first.

    Each tier has its limit and a higher tier never has less (产品原则 9). Raises ExposureFaults
    with every fault at once.
    """
    try:
        table = msgspec.convert(tomllib.loads(text), ExposureTable)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as fault:
        raise ExposureFaults([f"not a table of limits: {fault}"]) from None
    faults = []
    named, known = [each.tier for each in table.limit], [tier.code for tier in tiers]
    if named != known:
        faults.append(f"the tiers are {', '.join(known)}, in this order and each once")
    for each in table.limit:
        if not 0 <= each.open_max_fen <= OPEN_FEN_MAX:
            faults.append(f"{each.tier}: a limit is 0 to {OPEN_FEN_MAX} fen")
    faults += [
        f"{upper.tier}: less than {lower.tier}, which is lower"
        for lower, upper in zip(table.limit, table.limit[1:], strict=False)
        if upper.open_max_fen < lower.open_max_fen
    ]
    if faults:
        raise ExposureFaults(faults)
    return table


def limit_fen(table: ExposureTable, *, tiers: Sequence[Tier], points: int) -> int:
    """Return the most that may be open for a citizen with so many points.

    A scorecard may name a tier the table doesn't know: then the limit is that of the next lower
    one it knows, and that of its lowest when there is none. So more points never mean less.
    """
    limits = {each.tier: each.open_max_fen for each in table.limit}
    reached = [tier.code for tier in tiers if points >= tier.from_points]
    known = [limits[code] for code in reached if code in limits]
    return max(known, default=table.limit[0].open_max_fen)


def free_fen(open_fen: int, limit: int) -> int:
    """Return how much more may be opened; a limit that fell takes nothing back."""
    assert open_fen >= 0, "nothing is open is the least that can be open"
    return max(0, limit - open_fen)
