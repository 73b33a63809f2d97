"""What the citizen room needs of the world outside: a way to a phone, and the identity register.

Also what the rooms above have to do when a citizen joins or leaves; app plugs it in.
"""

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable
from uuid import UUID

import httpx

from backend.citizen.rules import DEMO_AREA
from backend.kit.crypto import Vault
from backend.kit.postgres import Tx

_SEND_TIMEOUT_SECONDS = 5
_FAULTS_SHOWN = 10


@runtime_checkable
class Sender(Protocol):
    """Carries a text to a phone. Called after the commit, never inside a transaction."""

    async def send(self, *, phone: str, text: str) -> None:
        """Send `text` to `phone` (E.164); raises SendFailed when it can't be handed over."""
        ...


class SendFailed(Exception):
    """A text was not handed over. Says nothing of phone or text: this ends up in a log."""


class FileSender:
    """Demo only: appends each text to a file, and shows it in the terminal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, *, phone: str, text: str) -> None:
        """Append one line "phone text" to the file, and print it."""
        try:
            await asyncio.to_thread(self._append, f"{phone} {text}\n")
        except OSError:
            raise SendFailed from None
        sys.stdout.write(f"[demo sms] {phone} {text}\n")
        sys.stdout.flush()

    def _append(self, line: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Readable by its owner only: whoever reads it can sign in as anyone in the demo. One
        # write of one line in append mode: lines of two processes don't mix.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._path, flags, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


class GatewaySender:
    """Hands texts to the city's message gateway: POST {phone, text}, any 2xx is a success."""

    def __init__(self, *, url: str, token: str | None) -> None:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._url = url
        self._client = httpx.AsyncClient(
            headers=headers, timeout=_SEND_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
        )

    async def send(self, *, phone: str, text: str) -> None:
        """Send once, without a retry: a citizen who gets no code asks for another."""
        try:
            answer = await self._client.post(self._url, json={"phone": phone, "text": text})
        except httpx.HTTPError:
            raise SendFailed from None
        if not answer.is_success:
            raise SendFailed

    async def close(self) -> None:
        """Close the connections to the gateway."""
        await self._client.aclose()


@runtime_checkable
class IdentityRegister(Protocol):
    """Knows which identity, name and phone belong together (实名核验)."""

    def confirms(self, *, national_id: str, name: str, phone: str) -> bool:
        """Tell whether the three belong to one person; each in its one form (see rules)."""
        ...


def identity_digest(vault: Vault, *, national_id: str, name: str, phone: str) -> bytes:
    """Return the keyed digest under which the register holds one person."""
    return vault.digest("identity", f"{national_id}|{name}|{phone}")


class RealPeopleOnly:
    """The register of a city in production: the people of a demo are confirmed by nothing."""

    def __init__(self, register: IdentityRegister) -> None:
        self._register = register

    def confirms(self, *, national_id: str, name: str, phone: str) -> bool:
        """Tell what the register says of a number that can be a person's."""
        return not national_id.startswith(DEMO_AREA) and self._register.confirms(
            national_id=national_id, name=name, phone=phone
        )


class RegisterFaults(ValueError):
    """The register's file can't be used; `faults` says why, one line each."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        shown = faults[:_FAULTS_SHOWN]
        if len(faults) > len(shown):
            shown = [*shown, f"and {len(faults) - len(shown)} more"]
        super().__init__(f"{path}: " + "; ".join(shown))
        self.faults = faults


class FileIdentityRegister:
    """The register as a file of keyed digests, one of 64 hex digits a line.

    Whoever holds the file learns nobody's name: without the service's digest key, a digest can
    neither be read nor guessed.
    """

    def __init__(self, digests: frozenset[bytes], vault: Vault) -> None:
        self._digests = digests
        self._vault = vault

    @classmethod
    def load(cls, path: Path, vault: Vault) -> "FileIdentityRegister":
        """Read the whole file; raises RegisterFaults with every line that is no digest."""
        digests, faults = set(), []
        for number, line in enumerate(path.read_text("ascii", "replace").splitlines(), start=1):
            try:
                digest = bytes.fromhex(line.strip())
            except ValueError:
                digest = b""
            if len(digest) == 32:
                digests.add(digest)
            elif line.strip():
                faults.append(f"line {number} is not 64 hex digits")
        if faults:
            raise RegisterFaults(path, faults)
        return cls(frozenset(digests), vault)

    def confirms(self, *, national_id: str, name: str, phone: str) -> bool:
        """Tell whether the three stand together in the file."""
        digest = identity_digest(self._vault, national_id=national_id, name=name, phone=phone)
        return digest in self._digests


@runtime_checkable
class ParticipationHooks(Protocol):
    """What other rooms do in the transaction in which a citizen joins or leaves."""

    async def joined(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """Make what a participant has: the score."""
        ...

    async def left(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """Erase all that hangs on taking part. Called again for a citizen who left: no effect."""
        ...
