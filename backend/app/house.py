"""What a process stands on, opened once and closed once."""

from dataclasses import dataclass

from backend.access.admission import Admission
from backend.citizen.ports import (
    FileIdentityRegister,
    FileSender,
    GatewaySender,
    IdentityRegister,
    RealPeopleOnly,
    Sender,
)
from backend.kit.clock import Clock, SystemClock
from backend.kit.crypto import Vault
from backend.kit.postgres import Database
from backend.kit.replay import ReplayGuard
from backend.kit.valkey import Valkey
from backend.ledger import service as ledger
from backend.oauth.credential import PartnerTokens
from backend.oauth.rules.grant import ACCESS_TOKEN_PREFIX
from backend.partner import service as partner
from backend.programme.desk import EligibilityDesk, EnrolmentDesk
from backend.settings import Settings, SettingsFault


@dataclass(frozen=True)
class House:
    """What a process stands on, opened once and closed once."""

    settings: Settings
    database: Database
    valkey: Valkey
    vault: Vault
    clock: Clock
    replay: ReplayGuard
    desk: EligibilityDesk
    enrolment_desk: EnrolmentDesk
    sender: Sender
    identity_register: IdentityRegister

    async def close(self) -> None:
        """Answer what was taken in, then let go of the servers."""
        await self.desk.close()
        await self.enrolment_desk.close()
        await self.replay.close()
        await self.database.close()
        await self.valkey.close()
        if isinstance(self.sender, GatewaySender):
            await self.sender.close()


async def open_house(settings: Settings, *, clock: Clock | None = None) -> House:
    """Open the database, Valkey and the vault of a process.

    Raises Unavailable when the database can't be reached, SettingsFault when a key is missing.
    """
    assert settings.database_url is not None
    assert settings.valkey_url is not None
    vault = open_vault(settings)
    database = await Database.open(settings.database_url, size=settings.database_pool_size)
    if settings.is_production:
        await _refuse_unfit_database(database)
    valkey = Valkey.open(settings.valkey_url)
    clock, replay = clock or SystemClock(), ReplayGuard(valkey, database)
    return House(
        settings=settings,
        database=database,
        valkey=valkey,
        vault=vault,
        clock=clock,
        replay=replay,
        desk=open_desk(
            origin=settings.public_origin,
            database=database,
            vault=vault,
            clock=clock,
            replay=replay,
        ),
        enrolment_desk=EnrolmentDesk(database=database, vault=vault, clock=clock),
        sender=_open_sender(settings),
        identity_register=_open_identity_register(settings, vault),
    )


def open_desk(
    *, origin: str, database: Database, vault: Vault, clock: Clock, replay: ReplayGuard
) -> EligibilityDesk:
    """Return the desk of eligibility checks, which lets in who holds a partner's token."""
    admission = Admission(
        origin=origin,
        clock=clock,
        replay=replay,
        prefix=ACCESS_TOKEN_PREFIX,
        store=PartnerTokens(database, audience=origin),
    )
    return EligibilityDesk(database=database, vault=vault, clock=clock, admission=admission)


async def _refuse_unfit_database(database: Database) -> None:
    """Raise SettingsFault when production must not run on the database, or not with this login.

    A demo's clients have keys that lie about in a checkout; a login that owns the ledger, or is a
    superuser, could change it.
    """
    async with database.read() as tx:
        clients = await partner.list_demo_clients(tx)
        rewriter = await ledger.find_rewriter(tx)
    faults = [f"the database holds demo clients: {', '.join(clients)}"] if clients else []
    if rewriter is not None:
        faults.append(
            f"the database login {rewriter} could rewrite the access ledger: use one that is only"
            " a member of creditplus_app (docs/running.md)"
        )
    if faults:
        await database.close()
        raise SettingsFault(faults)


def open_vault(settings: Settings) -> Vault:
    """Return the vault with the keys of the settings; raises SettingsFault without them."""
    if settings.kek is None or settings.digest_key is None:
        raise SettingsFault(["CREDIT_KEK and CREDIT_DIGEST_KEY must be set"])
    return Vault(
        kek=settings.kek.reveal(),
        digest_key=settings.digest_key.reveal(),
        profile=settings.crypto_profile,
    )


def _open_sender(settings: Settings) -> Sender:
    """Return the way to a phone: the city's gateway, or in the demo a file and the terminal."""
    if settings.sms_gateway_url is not None:
        token = settings.sms_gateway_token
        return GatewaySender(
            url=settings.sms_gateway_url, token=token.reveal().decode() if token else None
        )
    return FileSender(settings.code_file or settings.local_dir / "demo" / "codes.log")


def _open_identity_register(settings: Settings, vault: Vault) -> IdentityRegister:
    """Return the identity register; without a file nobody is confirmed, so nobody registers."""
    if settings.identity_register_file is None:
        return FileIdentityRegister(frozenset(), vault)
    register = FileIdentityRegister.load(settings.identity_register_file, vault)
    return RealPeopleOnly(register) if settings.is_production else register
