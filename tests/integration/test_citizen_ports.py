"""Goal: texts get to the gateway or the demo's file whole, and a broken register stops the start.

Method: a real HTTP receiver on the loopback address, real files, two processes' worth of writers.
"""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backend.citizen.ports import (
    FileIdentityRegister,
    FileSender,
    GatewaySender,
    RegisterFaults,
    SendFailed,
    identity_digest,
)
from backend.kit.crypto import Vault

PERSON = {"national_id": "11010519491231002X", "name": "林晓", "phone": "+8613800138000"}


@asynccontextmanager
async def receiver(status: str, seen: list[bytes]) -> AsyncIterator[str]:
    """A gateway that answers every request with `status` and keeps what it got."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        seen.append(head + await reader.readexactly(length))
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}/messages"


async def test_a_text_is_posted_to_the_gateway_with_its_token() -> None:
    """One POST {phone, text}; Chinese arrives as it was sent."""
    seen: list[bytes] = []
    async with receiver("202 Accepted", seen) as url:
        sender = GatewaySender(url=url, token="secret")
        await sender.send(phone="+8613800138000", text="验证码 000042")
        await sender.close()
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert json.loads(body) == {"phone": "+8613800138000", "text": "验证码 000042"}
    assert head.startswith(b"POST /messages ")
    assert b"authorization: bearer secret" in head.lower()


@pytest.mark.parametrize("status", ["500 Oops", "403 Forbidden", "302 Found"])
async def test_a_gateway_that_does_not_take_the_text_has_failed(status: str) -> None:
    """Any answer but 2xx, a redirect too; the failure repeats neither phone nor text."""
    async with receiver(status, []) as url:
        sender = GatewaySender(url=url, token=None)
        with pytest.raises(SendFailed) as failed:
            await sender.send(phone="+8613800138000", text="000042")
        await sender.close()
    assert str(failed.value) == ""
    assert failed.value.__cause__ is None


async def test_a_gateway_that_is_away_has_failed() -> None:
    """A refused connection is the same to the caller."""
    async with receiver("200 OK", []) as url:
        pass
    sender = GatewaySender(url=url, token=None)
    with pytest.raises(SendFailed):
        await sender.send(phone="+8613800138000", text="000042")
    await sender.close()


async def test_the_demos_file_gets_whole_lines_and_the_terminal_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many at once don't mix; only the owner may read the file."""
    path = tmp_path / "deep" / "codes.log"
    sender = FileSender(path)
    await asyncio.gather(
        *(sender.send(phone=f"+86138{n:08d}", text=f"验证码 {n:06d}") for n in range(50))
    )
    lines = [f"+86138{n:08d} 验证码 {n:06d}" for n in range(50)]
    assert sorted(path.read_text().splitlines()) == lines
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = capsys.readouterr().out
    assert all(line in shown for line in lines)


async def test_a_file_that_cant_be_written_has_failed(tmp_path: Path) -> None:
    """A directory in its place, say."""
    with pytest.raises(SendFailed):
        await FileSender(tmp_path).send(phone="+8613800138000", text="000042")


def test_the_register_confirms_the_three_together_only(tmp_path: Path, vault: Vault) -> None:
    """Id, name and phone of one person; any other one of them is no."""
    path = tmp_path / "identity-register"
    path.write_text(f"\n{identity_digest(vault, **PERSON).hex().upper()}  \n")
    register = FileIdentityRegister.load(path, vault)
    assert register.confirms(**PERSON)
    for part, value in PERSON.items():
        assert not register.confirms(**{**PERSON, part: value + "1"})


def test_the_register_is_of_no_use_with_another_key(tmp_path: Path, vault: Vault) -> None:
    """The digests are keyed: who has the file alone can't try names against it."""
    path = tmp_path / "identity-register"
    path.write_text(identity_digest(vault, **PERSON).hex())
    other = Vault(kek=bytes(32), digest_key=bytes(32))
    assert not FileIdentityRegister.load(path, other).confirms(**PERSON)


def test_a_broken_register_names_every_line_that_is_wrong(tmp_path: Path, vault: Vault) -> None:
    """All faults at once, but not a screen full; the lines themselves aren't repeated."""
    path = tmp_path / "identity-register"
    good = identity_digest(vault, **PERSON).hex()
    path.write_text(f"{good}\n林晓\n{good[:-2]}\n{good}\n" + "nonsense\n" * 40)
    with pytest.raises(RegisterFaults) as refused:
        FileIdentityRegister.load(path, vault)
    assert len(refused.value.faults) == 42
    assert "line 2 " in str(refused.value)
    assert "line 3 " in str(refused.value)
    assert "and 32 more" in str(refused.value)
    assert "nonsense" not in str(refused.value)
