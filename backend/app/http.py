"""The HTTP application on an open house."""

from typing import Any

from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

import backend.access.api
import backend.case.api
import backend.citizen.api
import backend.consent.api
import backend.ledger.api
import backend.notice.api
import backend.oauth.api
import backend.operator.api
import backend.order.api
import backend.partner.api
import backend.programme.api
import backend.record.api
import backend.score.api
import backend.web.api
import backend.webhook.api
from backend import readiness
from backend.access.authenticate import Authenticator, TokenRefused
from backend.access.guard import (
    provide_citizen,
    provide_client,
    provide_operator,
    provide_order_keeper,
    provide_partner,
    provide_source,
    public,
)
from backend.access.openapi import SECURITY_SCHEME, Description
from backend.access.reason import provide_reason
from backend.app.house import House
from backend.app.wiring import Grounds, Participation, ProgrammeDetails
from backend.citizen import service as citizen
from backend.citizen.credential import CitizenSessions
from backend.citizen.ports import (
    ParticipationHooks,
)
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
from backend.kit.problem import Refusal
from backend.oauth.credential import ClientTokens, PartnerTokens
from backend.oauth.rules.client_token import CLIENT_TOKEN_PREFIX
from backend.oauth.rules.grant import ACCESS_TOKEN_PREFIX
from backend.operator import service as operator
from backend.operator.credential import OperatorSessions
from backend.operator.desk import OperatorDesk
from backend.programme.api.express import ExpressChecks
from backend.web import error as web_error
from backend.web.session import PageDoor
from backend.webhook.rules.address import TargetPolicy

# More than anybody types; what it bounds is the time others wait for this process.
SIMULATIONS_A_MINUTE = 60


def health_checks(house: House) -> list[Check]:
    """Return what readiness stands on."""
    return readiness.health_checks(database=house.database, valkey=house.valkey, clock=house.clock)


def build_app(house: House) -> Litestar:
    """Build the HTTP application on an open house."""
    origin = house.settings.public_origin
    app = Litestar(
        route_handlers=[
            *backend.access.api.ROUTES,
            *backend.case.api.ROUTES,
            *backend.citizen.api.ROUTES,
            *backend.consent.api.ROUTES,
            *backend.ledger.api.ROUTES,
            *backend.notice.api.ROUTES,
            *backend.oauth.api.ROUTES,
            *backend.operator.api.ROUTES,
            *backend.order.api.ROUTES,
            *backend.partner.api.ROUTES,
            *backend.programme.api.ROUTES,
            *backend.record.api.ROUTES,
            *backend.score.api.ROUTES,
            *backend.web.api.ROUTES,
            *backend.webhook.api.ROUTES,
        ],
        dependencies={
            "citizen": Provide(provide_citizen),
            "client": Provide(provide_client),
            "operator": Provide(provide_operator),
            "order_keeper": Provide(provide_order_keeper),
            "partner": Provide(provide_partner),
            "reason": Provide(provide_reason),
            "source": Provide(provide_source),
            **{name: _always(value) for name, value in _given(house).items()},
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
    app.asgi_handler = RequestLog()(ExpressChecks(app.asgi_handler, eligibility=house.desk))
    return app


def _given(house: House) -> dict[str, object]:
    """Return what a handler may ask for by name and is the same for every request."""
    origin = house.settings.public_origin
    hooks: ParticipationHooks = Participation()
    return {
        "case_grounds": Grounds(),
        "clock": house.clock,
        "db": house.database,
        "detail_policy": ProgrammeDetails(),
        "eligibility": house.desk,
        "enrolment_desk": house.enrolment_desk,
        "health_checks": health_checks(house),
        "identity_register": house.identity_register,
        "issuer": origin,
        "operator_desk": OperatorDesk(
            database=house.database, vault=house.vault, clock=house.clock
        ),
        "origin": origin,
        "participation_hooks": hooks,
        "replay": house.replay,
        "sender": house.sender,
        "simulation_pace": Pace(limit=SIMULATIONS_A_MINUTE, seconds=60),
        "vault": house.vault,
        "webhook_targets": TargetPolicy(allow_loopback=house.settings.webhook_allow_loopback),
    }


def _authenticator(house: House) -> Authenticator:
    origin = house.settings.public_origin
    return Authenticator(
        origin=origin,
        clock=house.clock,
        replay=house.replay,
        stores={
            citizen.SESSION_PREFIX: CitizenSessions(house.database),
            ACCESS_TOKEN_PREFIX: PartnerTokens(house.database, audience=origin),
            CLIENT_TOKEN_PREFIX: ClientTokens(house.database, audience=origin),
            operator.SESSION_PREFIX: OperatorSessions(house.database),
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
