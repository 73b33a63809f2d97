"""Who calls an OAuth endpoint: a form, a client assertion, a DPoP proof; and errors in its words.

Authentication runs before the one transaction of the request: a used assertion or proof stays
used whatever becomes of the rest, and nothing waits for Valkey while it holds a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.types import ExceptionHandlersMap

from backend.kit.dpop import PROOF_REPLAY_TTL_SECONDS, DpopError, verify_proof
from backend.kit.http import BODY_BYTES_MAX, RETRY_AFTER_SECONDS, AnyRequest
from backend.kit.log import get_log
from backend.kit.postgres import Database
from backend.kit.problem import Unavailable
from backend.kit.replay import ReplayGuard
from backend.oauth.rules.assertion import (
    ASSERTION_TYPE,
    authenticate_client,
    claimed_client_id,
    read_assertion,
)
from backend.oauth.rules.fault import OauthError, invalid_client, invalid_request
from backend.oauth.rules.form import FORM_MEDIA_TYPE, Form, parse_form
from backend.partner import service as partner
from backend.partner.rules import Client

log = get_log(__name__)

NO_STORE = {"cache-control": "no-store"}


class OauthErrorView(msgspec.Struct):
    """An error response of RFC 6749 §5.2."""

    error: str
    error_description: str


class Caller(msgspec.Struct, frozen=True):
    """An authenticated client and what it sent; `jkt` is the key of its DPoP proof, if any."""

    client: Client
    form: Form
    jkt: str | None


async def authenticate(
    request: AnyRequest, *, db: Database, replay: ReplayGuard, issuer: str, now: datetime
) -> Caller:
    """Read the form and authenticate its sender (RFC 7523, RFC 9449); raises OauthError.

    The DPoP proof is checked against the issuer's own address, never against the Host header.
    """
    form = parse_form(await _body(request), media_type=request.headers.get("content-type", ""))
    assertion = read_assertion(form)
    client_id = claimed_client_id(form, assertion)
    async with db.read() as tx:
        client = await partner.find_client(tx, client_id=client_id)
    use = authenticate_client(assertion, client=client, issuer=issuer, now=now)
    assert client is not None, "authenticate_client refuses unknown clients"
    if not await replay.first_use(
        "client_assertion", use.replay_key, ttl_seconds=use.ttl_seconds, now=now
    ):
        raise invalid_client("the client assertion was used before")
    jkt = await _proved_key(request, replay=replay, issuer=issuer, now=now)
    return Caller(client=client, form=form, jkt=jkt)


async def _body(request: AnyRequest) -> bytes:
    try:
        return await request.body()
    except HTTPException as error:
        raise invalid_request("the body is larger than 64 KB") from error


async def _proved_key(
    request: AnyRequest, *, replay: ReplayGuard, issuer: str, now: datetime
) -> str | None:
    proofs = request.headers.getall("dpop", [])
    if not proofs:
        return None
    if len(proofs) > 1:  # RFC 9449 §4.3 check 1
        raise DpopError("invalid_dpop_proof", "more than one DPoP header")
    proof = verify_proof(
        proofs[0],
        method=request.method,
        url=issuer + request.url.path,
        access_token=None,
        now=now,
    )
    if not await replay.first_use(
        "dpop", proof.replay_key, ttl_seconds=PROOF_REPLAY_TTL_SECONDS, now=now
    ):
        raise DpopError("invalid_dpop_proof", "the proof was used before")
    return proof.jkt


def on_oauth_error(_request: AnyRequest, error: OauthError) -> Response[OauthErrorView]:
    """Answer an OAuth refusal (RFC 6749 §5.2)."""
    log.info("oauth_refused", code=error.code, status=error.status)
    return _error(error.code, error.description, status=error.status)


def on_dpop_error(_request: AnyRequest, error: DpopError) -> Response[OauthErrorView]:
    """Answer a DPoP proof that isn't accepted at the authorization server (RFC 9449 §5)."""
    log.info("oauth_refused", code=error.code, status=400)
    return _error(error.code, error.description, status=400)


def on_unavailable(_request: AnyRequest, _refusal: Unavailable) -> Response[OauthErrorView]:
    """Answer that something this stands on is away; the same request may be sent again."""
    response = _error("temporarily_unavailable", "try again after Retry-After", status=503)
    response.headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return response


def _error(code: str, description: str, *, status: int) -> Response[OauthErrorView]:
    view = OauthErrorView(error=code, error_description=description)
    return Response(view, status_code=status, headers=NO_STORE)


FAULT_HANDLERS: ExceptionHandlersMap = {
    OauthError: on_oauth_error,
    DpopError: on_dpop_error,
    Unavailable: on_unavailable,
}


def oauth_faults(*statuses: int) -> dict[int, ResponseSpec]:
    """Return the OpenAPI responses of an operation that answers errors as RFC 6749 §5.2 does."""
    return {
        status: ResponseSpec(
            data_container=OauthErrorView,
            generate_examples=False,
            description="An OAuth error (RFC 6749 section 5.2)",
        )
        for status in (*statuses, 503)
    }


CLIENT_FIELDS = ("client_id", "client_assertion_type", "client_assertion")


def form_operation(required: Sequence[str], optional: Sequence[str] = ()) -> type[Operation]:
    """Return an OpenAPI operation that takes a form with these fields and a client assertion."""
    needed = [*required, *CLIENT_FIELDS[1:]]
    fields: dict[str, Schema | Reference] = {
        name: Schema(type=OpenAPIType.STRING) for name in (*needed, *optional, "client_id")
    }
    fields["client_assertion_type"] = Schema(type=OpenAPIType.STRING, const=ASSERTION_TYPE)
    body = RequestBody(
        required=True,
        content={
            FORM_MEDIA_TYPE: OpenAPIMediaType(
                schema=Schema(type=OpenAPIType.OBJECT, properties=fields, required=needed)
            )
        },
    )

    @dataclass
    class FormOperation(Operation):
        def __post_init__(self) -> None:
            self.request_body = body

    return FormOperation


__all__ = [
    "BODY_BYTES_MAX",
    "FAULT_HANDLERS",
    "NO_STORE",
    "Caller",
    "OauthErrorView",
    "authenticate",
    "form_operation",
    "oauth_faults",
]
