"""The composition root: the only module that knows every room, and wires them together.

`open_house` opens what a process stands on; `build_app` puts the HTTP application on top of it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

import backend.access.api
import backend.citizen.api
import backend.consent.api
import backend.ledger.api
import backend.oauth.api
import backend.programme.api
import backend.record.api
import backend.score.api
import backend.web.api
from backend import readiness
from backend.access.authenticate import Authenticator, TokenRefused
from backend.access.guard import provide_citizen, provide_partner, provide_source, public
from backend.access.openapi import SECURITY_SCHEME, Description
from backend.citizen import service as citizen
from backend.citizen.credential import CitizenSessions
from backend.citizen.ports import (
    FileIdentityRegister,
    FileSender,
    GatewaySender,
    IdentityRegister,
    ParticipationHooks,
    RealPeopleOnly,
    Sender,
)
from backend.consent import service as consent
from backend.event.jobs import Handler
from backend.event.rules import Event
from backend.kit.clock import Clock, SystemClock
from backend.kit.crypto import Vault
from backend.kit.health import Check
from backend.kit.http import (
    BODY_BYTES_MAX,
    AnyRequest,
    JsonRequest,
    RequestLog,
    on_fault,
    on_framework_error,
    on_refusal,
)
from backend.kit.jose import ALGORITHMS
from backend.kit.pace import Pace
from backend.kit.postgres import Database, ReadTx, Tx
from backend.kit.problem import Refusal
from backend.kit.replay import ReplayGuard
from backend.kit.valkey import Valkey
from backend.ledger import service as ledger
from backend.oauth.credential import PartnerTokens, SourceTokens
from backend.oauth.rules.client_token import CLIENT_TOKEN_PREFIX
from backend.oauth.rules.grant import ACCESS_TOKEN_PREFIX
from backend.oauth.rules.request import EligibilityDetail
from backend.partner import service as partner
from backend.programme import service as programme
from backend.programme.api.express import ExpressChecks
from backend.programme.desk import EligibilityDesk
from backend.record import jobs as record_jobs
from backend.score import jobs as score_jobs
from backend.score import service as score
from backend.settings import Settings, SettingsFault
from backend.web import error as web_error
from backend.web.session import PageDoor

# More than anybody types; what it bounds is the time others wait for this process.
SIMULATIONS_A_MINUTE = 60


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
    sender: Sender
    identity_register: IdentityRegister

    async def close(self) -> None:
        """Answer what was taken in, then let go of the servers."""
        await self.desk.close()
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
    clock = clock or SystemClock()
    return House(
        settings=settings,
        database=database,
        valkey=valkey,
        vault=vault,
        clock=clock,
        replay=ReplayGuard(valkey, database),
        desk=EligibilityDesk(database=database, vault=vault, clock=clock),
        sender=_open_sender(settings),
        identity_register=_open_identity_register(settings, vault),
    )


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


class Participation:
    """What the rooms above citizen do when a citizen joins or leaves (its ParticipationHooks)."""

    async def joined(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """Make the score."""
        await score.compute(tx, subject_id=subject_id, now=now)

    async def left(self, tx: Tx, *, subject_id: UUID, now: datetime) -> None:
        """Erase the score and all that hangs on it, end consents and their tokens."""
        await consent.end_all(tx, subject_id=subject_id, now=now)
        await programme.erase(tx, subject_id=subject_id, now=now)
        await score.erase(tx, subject_id=subject_id)


class ProgrammeDetails:
    """Whether a partner may ask for a programme (oauth's DetailPolicy)."""

    async def check(self, tx: ReadTx, *, partner_id: UUID, detail: EligibilityDetail) -> bool:
        """Ask the programme."""
        return await programme.may_verify(
            tx, partner_id=partner_id, programme_code=detail.programme, purpose=detail.purpose
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


def event_handlers(house: House) -> dict[str, Handler]:
    """Return who follows which topic of the outbox."""

    async def recompute(tx: Tx, *, event: Event) -> None:
        await score_jobs.recompute_changed(tx, event=event, now=house.clock.now())

    async def take_upload(tx: Tx, *, event: Event) -> None:
        await record_jobs.take_upload(tx, event=event, vault=house.vault, now=house.clock.now())

    async def follow_scorecard(tx: Tx, *, event: Event) -> None:
        await score_jobs.follow_scorecard(tx, event=event, now=house.clock.now())

    return {
        "records.changed": recompute,
        "scorecard.in_force": follow_scorecard,
        "submission.uploaded": take_upload,
    }


def health_checks(house: House) -> list[Check]:
    """Return what readiness stands on."""
    return readiness.health_checks(database=house.database, valkey=house.valkey, clock=house.clock)


def build_app(house: House) -> Litestar:
    """Build the HTTP application on an open house."""
    origin = house.settings.public_origin
    hooks: ParticipationHooks = Participation()
    given: dict[str, object] = {
        "clock": house.clock,
        "db": house.database,
        "detail_policy": ProgrammeDetails(),
        "eligibility": house.desk,
        "health_checks": health_checks(house),
        "identity_register": house.identity_register,
        "issuer": origin,
        "origin": origin,
        "participation_hooks": hooks,
        "replay": house.replay,
        "sender": house.sender,
        "simulation_pace": Pace(limit=SIMULATIONS_A_MINUTE, seconds=60),
        "vault": house.vault,
    }
    app = Litestar(
        route_handlers=[
            *backend.access.api.ROUTES,
            *backend.citizen.api.ROUTES,
            *backend.consent.api.ROUTES,
            *backend.ledger.api.ROUTES,
            *backend.oauth.api.ROUTES,
            *backend.programme.api.ROUTES,
            *backend.record.api.ROUTES,
            *backend.score.api.ROUTES,
            *backend.web.api.ROUTES,
        ],
        dependencies={
            "citizen": Provide(provide_citizen),
            "partner": Provide(provide_partner),
            "source": Provide(provide_source),
            **{name: _always(value) for name, value in given.items()},
        },
        exception_handlers={
            TokenRefused: _on_token_refused,
            Refusal: on_refusal,
            HTTPException: _on_framework_error,
            Exception: on_fault,
        },
        request_class=JsonRequest,
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=_openapi(),
        plugins=[Description()],
        logging_config=None,
        state=State(
            {
                "authenticator": _authenticator(house),
                "origin": origin,
                "page_door": PageDoor(
                    db=house.database, clock=house.clock, vault=house.vault, origin=origin
                ),
            }
        ),
    )
    _give_in_turn(app)
    # Around everything and not as a middleware of the routes: what has no route (404, 405) is
    # answered with a request id, logged and counted like the rest.
    app.asgi_handler = RequestLog()(
        ExpressChecks(
            app.asgi_handler, authenticator=app.state["authenticator"], eligibility=house.desk
        )
    )
    return app


def _authenticator(house: House) -> Authenticator:
    origin = house.settings.public_origin
    return Authenticator(
        origin=origin,
        clock=house.clock,
        replay=house.replay,
        stores={
            citizen.SESSION_PREFIX: CitizenSessions(house.database),
            ACCESS_TOKEN_PREFIX: PartnerTokens(house.database, audience=origin),
            CLIENT_TOKEN_PREFIX: SourceTokens(house.database, audience=origin),
        },
    )


def _always(value: object) -> Provide:
    async def provide() -> Any:
        return value

    return Provide(provide)


def _give_in_turn(app: Litestar) -> None:
    """Let the framework give a handler its dependencies one after another.

    It would make a task group of them and a task of each: 40 µs a request, for values that are
    there already.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                model.dependency_batches = [
                    {each} for batch in model.dependency_batches for each in batch
                ]


def _on_token_refused(request: AnyRequest, refused: TokenRefused) -> Response[bytes]:
    """Answer 401 with the challenge of RFC 9449 section 7.1 and RFC 9728 section 5.1."""
    origin = request.app.state["origin"]
    parts = [f'algs="{" ".join(ALGORITHMS)}"']
    if refused.error is not None:
        parts.append(f'error="{refused.error}"')
    if refused.description is not None:
        parts.append(f'error_description="{refused.description}"')
    parts.append(f'resource_metadata="{origin}/.well-known/oauth-protected-resource"')
    response = on_refusal(request, refused)
    response.headers["www-authenticate"] = "DPoP " + ", ".join(parts)
    return response


def _on_framework_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer an address without a route to a browser with a page, to everybody else in JSON."""
    if web_error.wants_page(request):
        return web_error.on_page_framework_error(request, error)
    return on_framework_error(request, error)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Credit+ 信用+",
        version="1.0.0",
        summary="A city's voluntary, explainable, incentive-only credit service.",
        path="/openapi",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        openapi_router=Router(
            "/openapi",
            route_handlers=[],
            guards=[public("the interface is no secret")],
            include_in_schema=False,
        ),
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                SECURITY_SCHEME: SecurityScheme(
                    type="http",
                    scheme="DPoP",
                    description="A token bound to a key, with a DPoP proof (RFC 9449).",
                )
            }
        ),
    )
