"""What the local stack needs once: keys, and a demo city with people, programmes and clients."""

import base64
import csv
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from joserfc.jwk import ECKey

from backend.app import Participation, open_vault
from backend.calendar import service as calendar
from backend.cli.city import sandbox
from backend.cli.city.handin import find_city
from backend.cli.environment import Fault
from backend.cli.partner import add_source_client
from backend.cli.stopping import Stop
from backend.kit.clock import SystemClock
from backend.kit.postgres import Database, Tx
from backend.oauth import service as oauth
from backend.partner import service as partner
from backend.partner.rules import DEMO_KID_PREFIX, scopes_of
from backend.programme import service as programme
from backend.record import service as record
from backend.score import service as score
from backend.settings import DEMO_KEY_MARK, Settings

CLIENT: Final = "library-demo"
RENTAL_CLIENT: Final = "rental-demo"
TRANSIT_CLIENT: Final = "transit-demo"
# The library is a source of records too, with other software.
SOURCE: Final = "city_library"
SOURCE_CLIENT: Final = "library-records-demo"
# Nobody listens there: whoever plays the library reads the address it is sent back to.
REDIRECT_URI: Final = "http://127.0.0.1:8765/callback"


class Shop(msgspec.Struct, frozen=True):
    """A partner of the demo, and its one client."""

    partner: str
    name_zh: str
    name_en: str
    client: str
    client_zh: str
    client_en: str


# The library is added last, so where it is known everything before it is done.
SHOPS: Final = (
    Shop("city-rental", "城市单车租赁", "City Bike Rental", RENTAL_CLIENT, "租车柜台", "Bike desk"),
    Shop("city-transit", "市公交集团", "City Transit", TRANSIT_CLIENT, "乘车码系统", "Ride codes"),
    Shop(
        "city-library",
        "市图书馆",
        "City Library",
        CLIENT,
        "图书馆借阅系统",
        "Library lending desk",
    ),
)
# So many of the city's people have joined by themselves: enough for a report about a scorecard.
JOINED_OF, JOINED_MAX = 5, 1_000
SHOWN_PEOPLE: Final = {
    "林晓": "may borrow without a deposit once she has joined",
    "周平": "has few records: not yet",
    "陈晨": "is a minor: no account",
}


def ensure_keys(settings: Settings, directory: Path) -> dict[str, str]:
    """Make the demo keys on the first start; gives the variables that name what is under .local.

    Raises Fault when there is data whose keys are gone: nothing could be read any more, and new
    keys would hide that.
    """
    keys = directory / "keys"
    variables = {}
    for name, given in (("kek", settings.kek), ("digest_key", settings.digest_key)):
        path = keys / name
        if given is not None:
            continue
        if not path.exists():
            if settings.database_url is None and (directory / "postgres" / "data").exists():
                raise Fault(
                    f"the keys in {keys} are missing, and the data in {directory} is sealed with"
                    f" them: put them back, or delete {directory} to start anew"
                )
            _write_key(path)
        variables[f"CREDIT_{name.upper()}_FILE"] = str(path)
    demo = directory / "demo"
    demo.mkdir(exist_ok=True)
    if settings.identity_register_file is None:
        variables["CREDIT_IDENTITY_REGISTER_FILE"] = str(demo / "identity-register")
    if settings.code_file is None and settings.sms_gateway_url is None:
        variables["CREDIT_CODE_FILE"] = str(demo / "codes.log")
    return variables


def _write_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = path.with_suffix(".new")
    key = DEMO_KEY_MARK + os.urandom(32 - len(DEMO_KEY_MARK))
    fresh.write_text(base64.urlsafe_b64encode(key).decode())
    fresh.chmod(0o600)
    fresh.rename(path)  # a kill leaves a whole key or none


def ensure_city(
    settings: Settings, environment: Mapping[str, str], stop: Stop, *, citizens: int
) -> None:
    """Make the demo city on the first start, and publish what a newer release brings with it.

    The clients come last, so where the partner's is known everything before it is done; whatever
    a kill left half done is done again, and each step bears that.
    """
    known = stop.run(_prepare(settings))
    for client_id in sorted(known):
        client_file = _demo(settings) / f"{client_id}.json"
        if not client_file.exists():
            raise Fault(
                f"the database knows the client {client_id}, but its key {client_file} is missing:"
                f" put it back, or delete {settings.local_dir} to start anew"
            )
    if CLIENT not in known:
        _seed(environment, citizens, stop)
    stop.run(_bring_in_subjects(settings))
    if SOURCE_CLIENT not in known:
        stop.run(_add_source(settings))
    for shop in SHOPS:
        if shop.client not in known:
            stop.run(_add_shop(settings, shop))


async def _prepare(settings: Settings) -> set[str]:
    """Ensure signing key and programmes; says which of the demo's clients are known already."""
    now = SystemClock().now()
    async with _transaction(settings) as tx:
        await oauth.ensure_signing_key(tx, vault=open_vault(settings), now=now)
        await calendar.import_packaged(tx, now=now)
        await record.publish_packaged_catalogue(tx, now=now)
        if version := await score.publish_packaged(tx, now):
            click.echo(f"published scorecard: {version}")
        published = await programme.publish_packaged(tx, now=now)
        if published:
            click.echo(f"published programmes: {', '.join(published)}")
        of_the_demo = [SOURCE_CLIENT, *(shop.client for shop in SHOPS)]
        clients = [await partner.find_client(tx, client_id=each) for each in of_the_demo]
        return {each.client_id for each in clients if each is not None}


@asynccontextmanager
async def _transaction(settings: Settings) -> AsyncIterator[Tx]:
    assert settings.database_url is not None
    database = await Database.open(settings.database_url, size=1)
    try:
        async with database.write() as tx:
            yield tx
    finally:
        await database.close()


def _demo(settings: Settings) -> Path:
    return settings.local_dir.resolve() / "demo"


def _seed(environment: Mapping[str, str], citizens: int, stop: Stop) -> None:
    # A process of its own: it shows its progress, and can be stopped in the middle.
    words = ["seed", "--citizens", str(citizens), "--seed", "1"]
    words += ["--joined", str(min(JOINED_MAX, citizens // JOINED_OF))]
    if stop.call([sys.executable, "-m", "backend", *words], environment) != 0:
        raise Fault("the demo city could not be made")


async def _bring_in_subjects(settings: Settings) -> None:
    """Bring in the sandbox's test subjects, on the day of the city that is there."""
    assert settings.database_url is not None
    found = find_city(_demo(settings))
    if found is None:
        return
    database = await Database.open(settings.database_url, size=1)
    try:
        await sandbox.bring_in(
            database,
            as_of=found.as_of,
            hooks=Participation(),
            vault=open_vault(settings),
            clock=SystemClock(),
        )
    finally:
        await database.close()


async def _add_source(settings: Settings) -> None:
    jwk = _ensure_client_key(_demo(settings), SOURCE_CLIENT, source=SOURCE)
    async with _transaction(settings) as tx:
        await add_source_client(
            tx,
            source_code=SOURCE,
            client_id=SOURCE_CLIENT,
            jwks={"keys": [jwk]},
            now=SystemClock().now(),
        )


async def _add_shop(settings: Settings, shop: Shop) -> None:
    now = SystemClock().now()
    jwk = _ensure_client_key(
        _demo(settings), shop.client, partner=shop.partner, redirect_uri=REDIRECT_URI
    )
    async with _transaction(settings) as tx:
        if await partner.find_partner(tx, code=shop.partner) is None:
            await partner.add_partner(
                tx,
                code=shop.partner,
                name_zh=shop.name_zh,
                name_en=shop.name_en,
                kind="merchant",
                now=now,
            )
        await partner.add_client(
            tx,
            partner_code=shop.partner,
            client_id=shop.client,
            name_zh=shop.client_zh,
            name_en=shop.client_en,
            jwks={"keys": [jwk]},
            redirect_uris=[REDIRECT_URI],
            scopes=sorted(scopes_of("merchant")),
            now=now,
        )


def _ensure_client_key(directory: Path, client_id: str, **facts: str) -> dict[str, Any]:
    """Make a demo client's key and what it has to know of itself; gives the public part."""
    path = directory / f"{client_id}.json"
    if not path.exists():
        key = ECKey.generate_key("P-256", private=True)
        known = {
            "client_id": client_id,
            **facts,
            "jwk": key.as_dict(private=True)
            | {"kid": DEMO_KID_PREFIX + key.thumbprint(), "alg": "ES256", "use": "sig"},
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(known, indent=2) + "\n")
        fresh.chmod(0o600)
        fresh.rename(path)
    jwk: dict[str, Any] = json.loads(path.read_text())["jwk"]
    del jwk["d"]
    return jwk


def ready_lines(settings: Settings) -> Iterator[str]:
    """Say where everything is, who one can be, and what to try next."""
    origin = settings.public_origin
    demo = _demo(settings)
    yield ""
    yield f"Credit+ 信用+ is ready at {origin}"
    yield f"  pages    {origin}/"
    yield f"  API      {origin}/openapi/openapi.json"
    yield f"  health   {origin}/health/ready"
    yield f"  metrics  http://{settings.metrics_host}:{settings.metrics_port}/metrics"
    yield "Demo identities:"
    for name, national_id, phone in _people(demo):
        yield f"  citizen     {name} {national_id} {phone}  {SHOWN_PEOPLE[name]}"
    yield "  subjects    one for each answer a partner can get: see docs/sandbox.md"
    for shop in SHOPS:
        key = demo / f"{shop.client}.json"
        yield f"  partner     {shop.partner}, client {shop.client}, key in {key}"
    yield f"  department  {SOURCE}, client {SOURCE_CLIENT}, key in {demo / SOURCE_CLIENT}.json,"
    yield f"              hands in files like those in {demo}/submissions/"
    yield "  operator    whoever runs `creditplus` in this directory (`creditplus --help`)"
    yield f"One-time codes appear here and in {demo / 'codes.log'}."
    yield "Next: .venv/bin/creditplus demo"
    yield "Ctrl-C stops everything."


def _people(demo: Path) -> Iterator[tuple[str, str, str]]:
    with (demo / "people.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["name"] in SHOWN_PEOPLE:
                yield row["name"], row["national_id"], row["phone"]
