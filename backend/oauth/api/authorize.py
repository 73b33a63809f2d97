"""Pushing an authorization request, and opening it in the citizen's browser."""

from typing import Annotated
from urllib.parse import urlencode

import msgspec
from litestar import MediaType, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.status_codes import HTTP_303_SEE_OTHER, HTTP_400_BAD_REQUEST

from backend.access.guard import public
from backend.kit.clock import Clock
from backend.kit.http import AnyRequest
from backend.kit.postgres import Database
from backend.kit.problem import Refusal
from backend.kit.replay import ReplayGuard
from backend.oauth import service
from backend.oauth.api.caller import (
    BODY_BYTES_MAX,
    FAULT_HANDLERS,
    NO_STORE,
    authenticate,
    form_operation,
    oauth_faults,
)
from backend.oauth.ports import DetailPolicy
from backend.oauth.rules.metadata import AUTHORIZE_PATH, PAR_PATH

CONSENT_PAGE = "/consent"

_PAGE_HEADERS = {**NO_STORE, "referrer-policy": "no-referrer"}
_NOT_OPENED = (
    "本次授权请求无法打开：链接不完整、已过期或已处理。请回到商户页面重新开始。\n\n"
    "This authorization request can't be opened: the link is incomplete, has expired or was "
    "answered already. Please go back to the partner's page and start again.\n"
)


class PushedRequestView(msgspec.Struct):
    """Where the pushed request is kept, and for how many seconds (RFC 9126 §2.2)."""

    request_uri: str
    expires_in: int


@post(
    PAR_PATH,
    operation_id="oauth_push",
    tags=["anyone"],
    guards=[public("the client authenticates in the form, by private_key_jwt")],
    exception_handlers=FAULT_HANDLERS,
    request_max_body_size=BODY_BYTES_MAX,
    operation_class=form_operation(
        required=[
            "response_type",
            "redirect_uri",
            "code_challenge",
            "code_challenge_method",
            "authorization_details",
        ],
        optional=["scope", "state", "dpop_jkt", "resource"],
    ),
    responses=oauth_faults(400, 401),
)
async def push_authorization_request(
    request: AnyRequest,
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    replay: NamedDependency[ReplayGuard],
    issuer: NamedDependency[str],
    detail_policy: NamedDependency[DetailPolicy],
) -> Response[PushedRequestView]:
    """Push an authorization request (RFC 9126): 201 with the request_uri to send a citizen with.

    The `authorization_details` hold one object: `{"type":"eligibility","programme":…,"purpose":…}`,
    or `{"type":"service_order","programme":…,"purpose":…,"confirm":"citizen"}`, which may bound an
    order by `amount_max_fen`; with `"confirm":"consent"` the citizen does not confirm each order.
    """
    now = clock.now()
    caller = await authenticate(request, db=db, replay=replay, issuer=issuer, now=now)
    async with db.write() as tx:
        pushed = await service.push_request(
            tx,
            client=caller.client,
            form=caller.form,
            proof_jkt=caller.jkt,
            policy=detail_policy,
            issuer=issuer,
            now=now,
        )
    view = PushedRequestView(request_uri=pushed.request_uri, expires_in=pushed.expires_in)
    return Response(view, headers=NO_STORE)


@get(
    AUTHORIZE_PATH,
    operation_id="oauth_authorize",
    tags=["anyone"],
    guards=[public("a browser arrives here; the citizen signs in on the page it is sent to")],
    exception_handlers=FAULT_HANDLERS,
    status_code=HTTP_303_SEE_OTHER,
    responses={
        **oauth_faults(),
        HTTP_400_BAD_REQUEST: ResponseSpec(
            data_container=str,
            generate_examples=False,
            media_type=MediaType.TEXT,
            description="A page that says where to go: there is nobody to redirect to",
        ),
    },
)
async def authorize(
    request: AnyRequest,
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
    client_id: Annotated[str, QueryParameter()] = "",
    request_uri: Annotated[str, QueryParameter()] = "",
) -> Response[str | None]:
    """Open a pushed request (RFC 9126 §4): 303 to the page where the citizen reads and answers.

    Nothing else is taken from the query: a request that was not pushed is refused, and with
    nothing known to be true about it there is nowhere to redirect to, so the answer is a page.
    """
    pairs = list(request.query_params.multi_items())
    if len({name for name, _ in pairs}) != len(pairs):  # RFC 6749 §3.1: once each
        return _page()
    try:
        async with db.write() as tx:
            await service.begin(tx, client_id=client_id, request_uri=request_uri, now=clock.now())
    except Refusal as refusal:
        if refusal.code != "authorization_request_gone":
            raise
        return _page()
    location = f"{CONSENT_PAGE}?{urlencode({'request_uri': request_uri})}"
    return Response(
        None, status_code=HTTP_303_SEE_OTHER, headers={**_PAGE_HEADERS, "location": location}
    )


def _page() -> Response[str | None]:
    return Response(
        _NOT_OPENED,
        status_code=HTTP_400_BAD_REQUEST,
        media_type=MediaType.TEXT,
        headers=_PAGE_HEADERS,
    )
