"""Citizens for tests: valid identities nobody has, and the way in by the real verbs."""

import re
from datetime import date, datetime
from uuid import UUID

from backend.citizen import service
from backend.citizen.rules import CodeToSend, SessionKind, SignedIn
from backend.kit.crypto import Vault
from backend.kit.postgres import Tx

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
JKT = "k" * 43


def national_id(serial: int = 1, born_on: date = date(1990, 5, 17)) -> str:
    """Return a valid number with an area code that was never issued."""
    first_17 = f"999999{born_on:%Y%m%d}{serial % 1000:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(first_17, _WEIGHTS, strict=True))
    return first_17 + "10X98765432"[total % 11]


def phone(serial: int = 1) -> str:
    """Return a valid mobile number, another for each serial."""
    return f"+86138{serial:08d}"


def code_in(decision: object) -> str:
    """Return the code in the text that is to be sent."""
    assert isinstance(decision, CodeToSend), f"no code is sent: {decision}"
    found = re.search(r"\b[0-9]{6}\b", decision.text)
    assert found is not None
    return found.group()


class Everybody:
    """A register that confirms whoever is asked about."""

    def confirms(self, *, national_id: str, name: str, phone: str) -> bool:
        """Say yes."""
        return True


class RecordingHooks:
    """Hooks that remember what they were called with, and do nothing else."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, UUID]] = []

    async def joined(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """Remember that a citizen joined."""
        self.calls.append(("joined", subject_id))

    async def left(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """Remember that a citizen left."""
        self.calls.append(("left", subject_id))


async def sign_up(
    tx: Tx, *, vault: Vault, now: datetime, serial: int = 1, kind: SessionKind = SessionKind.APP
) -> SignedIn:
    """Open an account with phone and identity of this serial, from an address of its own."""
    address = f"10.{serial >> 16 & 255}.{serial >> 8 & 255}.{serial & 255}"
    asked = await service.request_code(
        tx, phone=phone(serial), device=None, address=address, vault=vault, now=now
    )
    decision = await service.register(
        tx,
        phone=phone(serial),
        code=code_in(asked),
        national_id=national_id(serial),
        name="林晓",
        device=None,
        address=address,
        identity=Everybody(),
        vault=vault,
        now=now,
        jkt=JKT if kind is SessionKind.APP else None,
        kind=kind,
    )
    assert isinstance(decision, SignedIn), f"not signed in: {decision}"
    return decision
