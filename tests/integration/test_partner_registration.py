"""Goal: partners and clients are registered once, whole, and by the command line too.

Method: the service on a real database, two adding at once; then `creditplus partner add` and
`creditplus client add` as processes of their own on the same database.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.kit.postgres import Database, Tx
from backend.kit.problem import Refusal
from backend.partner import service
from backend.partner.rules import Client
from tests.conftest import DIGEST_KEY, KEK, NOW, encoded_key
from tests.support.oauth_client import REDIRECT_URI, jwks_of, new_key

KEY = new_key()


async def add_library(tx: Tx, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "code": "city-library",
        "name_zh": "市图书馆",
        "name_en": "City Library",
        "kind": "merchant",
    }
    await service.add_partner(tx, **{**fields, **changes}, now=NOW)


async def add_desk(tx: Tx, **changes: Any) -> Client:
    fields: dict[str, Any] = {
        "partner_code": "city-library",
        "client_id": "library-demo",
        "name_zh": "图书借还",
        "name_en": "Library desk",
        "jwks": jwks_of(KEY),
        "redirect_uris": [REDIRECT_URI],
        "scopes": ["eligibility:verify"],
    }
    return await service.add_client(tx, **{**fields, **changes}, now=NOW)


async def test_a_client_is_found_as_it_was_added_with_its_partner(tx: Tx) -> None:
    await add_library(tx)
    added = await add_desk(tx)
    found = await service.find_client(tx, client_id="library-demo")
    assert found == added
    assert found is not None
    assert (found.partner_code, found.partner_name_zh) == ("city-library", "市图书馆")
    assert not found.is_suspended


@pytest.mark.parametrize("client_id", ["", "nobody", "Library", "a\0b", "x" * 1000, "é"])
async def test_whatever_can_not_be_a_client_is_not_found(tx: Tx, client_id: str) -> None:
    assert await service.find_client(tx, client_id=client_id) is None


async def test_what_is_wrong_is_said_all_at_once(tx: Tx) -> None:
    with pytest.raises(Refusal, match="partner_invalid") as refusal:
        await add_library(tx, code="City", name_zh="", kind="police")
    errors = refusal.value.facts["errors"]
    assert isinstance(errors, list)
    assert len(errors) == 3
    await add_library(tx)
    with pytest.raises(Refusal, match="client_invalid"):
        await add_desk(tx, jwks=KEY.as_dict(private=True))
    with pytest.raises(Refusal, match="partner_unknown"):
        await add_desk(tx, partner_code="nobody")


async def test_of_two_at_once_one_gets_the_name(database: Database) -> None:
    async def add_both() -> None:
        async with database.write() as tx:
            await add_library(tx)

    answers = await asyncio.gather(*(add_both() for _ in range(8)), return_exceptions=True)
    assert sum(answer is None for answer in answers) == 1
    assert sum(getattr(answer, "code", "") == "partner_exists" for answer in answers) == 7

    async def add_client() -> None:
        async with database.write() as tx:
            await add_desk(tx)

    answers = await asyncio.gather(*(add_client() for _ in range(8)), return_exceptions=True)
    assert sum(answer is None for answer in answers) == 1
    assert sum(getattr(answer, "code", "") == "client_exists" for answer in answers) == 7


def creditplus(database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the database."""
    environment = {
        "PATH": os.environ["PATH"],
        "CREDIT_DATABASE_URL": database_url,
        "CREDIT_KEK": encoded_key(KEK),
        "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
    }
    return subprocess.run(
        [sys.executable, "-m", "backend", *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        cwd=Path(__file__).parents[2],
    )


async def test_the_command_line_registers_a_partner_its_client_and_the_key(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    jwks = tmp_path / "library.jwks.json"
    jwks.write_text(json.dumps(jwks_of(KEY)))
    names = ("--name-zh", "市图书馆", "--name-en", "City Library")
    partner = ("partner", "add", "city-library", *names)
    client = ("client", "add", "library-demo", "--partner", "city-library", *names)
    keys = ("--jwks", str(jwks), "--redirect-uri", REDIRECT_URI)

    def play() -> list[subprocess.CompletedProcess[str]]:
        return [
            creditplus(database_url, *client, *keys),
            creditplus(database_url, *partner),
            creditplus(database_url, *partner),
            creditplus(database_url, *client, *keys, "--json"),
            creditplus(database_url, *client, "--jwks", str(__file__), *keys[2:]),
            creditplus(database_url, "key", "ensure", "--json"),
            creditplus(database_url, "key", "ensure", "--json"),
        ]

    early, added, again, desk, broken, first, second = await asyncio.to_thread(play)
    assert (early.returncode, added.returncode) == (1, 0), added.stderr
    assert "partner_unknown" in early.stderr
    assert "partner_exists" in again.stderr
    assert again.returncode == 1
    assert json.loads(desk.stdout) == {"partner": "city-library", "client_id": "library-demo"}
    assert broken.returncode == 1
    assert "is not a JSON file" in broken.stderr
    assert json.loads(first.stdout) == json.loads(second.stdout)
    async with database.read() as tx:
        assert await service.find_client(tx, client_id="library-demo") is not None


async def test_the_command_line_lets_a_departments_software_in(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    """In one command, or in two; only for a source of the catalogue."""
    jwks = tmp_path / "library.jwks.json"
    jwks.write_text(json.dumps(jwks_of(KEY)))
    keys = ("--jwks", str(jwks))
    names = ("--name-zh", "市文旅局", "--name-en", "Culture Bureau")
    add = ("partner", "add", "culture", *names, "--kind", "source")

    def play() -> list[subprocess.CompletedProcess[str]]:
        return [
            creditplus(database_url, "client", "add-source", "city_library", *keys, "--json"),
            creditplus(
                database_url, "client", "add-source", "city_library", *keys, "--client-id", "two"
            ),
            creditplus(database_url, "client", "add-source", "moon", *keys),
            creditplus(database_url, *add, "--source", "moon"),
            creditplus(database_url, *add),
            creditplus(database_url, *add, "--source", "volunteer_federation"),
            creditplus(
                database_url, "client", "add", "hours", "--partner", "culture", *names, *keys
            ),
        ]

    first, second, moon, no_source, no_code, culture, hours = await asyncio.to_thread(play)
    assert json.loads(first.stdout) == {
        "partner": "source-city-library",
        "client_id": "source-city-library",
        "source": "city_library",
    }
    assert second.returncode == 0, second.stderr
    assert "submission_source_unknown" in moon.stderr
    assert "partner_invalid" in no_source.stderr
    assert "partner_invalid" in no_code.stderr
    assert (culture.returncode, hours.returncode) == (0, 0), culture.stderr + hours.stderr
    async with database.read() as tx:
        for client_id in ("source-city-library", "two", "hours"):
            found = await service.find_client(tx, client_id=client_id)
            assert found is not None
            assert found.partner_kind == "source"
            assert found.scopes == ["quality:read", "submissions:write"]
            assert found.redirect_uris == []
