"""Goal: production refuses what is for the demo: its people, its clients, its keys.

Method: a house opened with production's settings on a real database; the keys a local stack makes.
"""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest
from joserfc.jwk import ECKey

from backend.app import open_house
from backend.citizen.ports import identity_digest
from backend.cli.local_city import ensure_keys
from backend.kit.clock import FixedClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.partner import service as partner
from backend.settings import DEMO_KEY_MARK, Settings, SettingsFault, load_settings
from tests.conftest import DIGEST_KEY, KEK, encoded_key

DEMO_PERSON = {"national_id": "999000199604120002", "name": "林晓", "phone": "+8619900000000"}
REAL_PERSON = {"national_id": "11010519491231002X", "name": "王芳", "phone": "+8613800000000"}


LOGIN = "creditplus_api_test"


@pytest.fixture
async def api_url(database_url: str) -> AsyncIterator[str]:
    """The database for a login that is a member of creditplus_app and nothing else."""
    owner = await asyncpg.connect(database_url)
    await owner.execute(f"CREATE ROLE {LOGIN} LOGIN IN ROLE creditplus_app")
    yield database_url.replace("creditplus@", f"{LOGIN}@")
    await owner.execute(f"DROP ROLE {LOGIN}")
    await owner.close()


@pytest.fixture
def production(api_url: str, valkey_url: str, vault: Vault, tmp_path: Path) -> Settings:
    """Production's settings, with a register that holds a real person and, by mistake, a demo's."""
    register = tmp_path / "register"
    people = (DEMO_PERSON, REAL_PERSON)
    register.write_text("".join(f"{identity_digest(vault, **each).hex()}\n" for each in people))
    return load_settings(
        {
            "CREDIT_ENV": "production",
            "CREDIT_DATABASE_URL": api_url,
            "CREDIT_VALKEY_URL": valkey_url,
            "CREDIT_KEK": encoded_key(KEK),
            "CREDIT_DIGEST_KEY": encoded_key(DIGEST_KEY),
            "CREDIT_PUBLIC_ORIGIN": "https://credit.example.cn",
            "CREDIT_IDENTITY_REGISTER_FILE": str(register),
            "CREDIT_SMS_GATEWAY_URL": "https://sms.example.cn/send",
            "CREDIT_TRUSTED_PROXIES": "10.0.0.1",
        }
    )


async def _add_client(database: Database, clock: FixedClock, *, kid: str) -> None:
    key = ECKey.generate_key("P-256", private=False).as_dict(private=False)
    async with database.write() as tx:
        await partner.add_partner(
            tx, code="lib", name_zh="馆", name_en="Library", kind="merchant", now=clock.now()
        )
        await partner.add_client(
            tx,
            partner_code="lib",
            client_id="lib-1",
            name_zh="馆",
            name_en="Desk",
            jwks={"keys": [key | {"kid": kid, "alg": "ES256", "use": "sig"}]},
            redirect_uris=["https://lib.example.cn/back"],
            scopes=["eligibility:verify"],
            now=clock.now(),
        )


async def test_production_starts_with_clients_of_its_own(
    production: Settings, database: Database, clock: FixedClock
) -> None:
    await _add_client(database, clock, kid="2026-a")
    house = await open_house(production, clock=clock)
    await house.close()


async def test_production_refuses_a_database_with_a_demos_client(
    production: Settings, database: Database, clock: FixedClock
) -> None:
    await _add_client(database, clock, kid="demo-a")
    with pytest.raises(SettingsFault, match="demo clients: lib-1"):
        await open_house(production, clock=clock)


async def test_production_confirms_no_demo_identity_even_if_the_register_holds_it(
    production: Settings, clock: FixedClock
) -> None:
    house = await open_house(production, clock=clock)
    assert house.identity_register.confirms(**REAL_PERSON)
    assert not house.identity_register.confirms(**DEMO_PERSON)
    await house.close()


async def test_production_refuses_a_login_that_could_rewrite_the_ledger(
    production: Settings, database_url: str, clock: FixedClock
) -> None:
    as_owner = msgspec.structs.replace(production, database_url=database_url)
    with pytest.raises(SettingsFault, match="login creditplus could rewrite the access ledger"):
        await open_house(as_owner, clock=clock)


async def test_productions_login_cannot_set_the_ledgers_guards_aside(
    production: Settings, clock: FixedClock
) -> None:
    house = await open_house(production, clock=clock)
    for statement in (
        "SET LOCAL ROLE NONE; ALTER TABLE access_entry DISABLE TRIGGER ALL",
        "SET LOCAL ROLE creditplus",
        "DELETE FROM access_entry",
        "SET LOCAL session_replication_role = replica",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with house.database.write() as tx:
                await tx.execute(statement)
    await house.close()


def test_the_keys_a_local_stack_makes_are_a_demos(tmp_path: Path) -> None:
    variables = ensure_keys(load_settings({}), tmp_path)
    for name in ("CREDIT_KEK_FILE", "CREDIT_DIGEST_KEY_FILE"):
        key = base64.urlsafe_b64decode(Path(variables[name]).read_text())
        assert key.startswith(DEMO_KEY_MARK)
        assert len(key) == 32
