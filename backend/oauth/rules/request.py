"""The pushed authorization request: what it may ask for (RFC 9126, RFC 6749 §4.1.1, RFC 9396)."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from backend.access.rules import PARTNER_SCOPES, Scope
from backend.oauth.rules.client_token import check_acts_for
from backend.oauth.rules.fault import OauthError, invalid_request
from backend.oauth.rules.form import Form, required
from backend.partner.rules import Client

REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
# The request_uri must reach the authorization endpoint within this time (FAPI 2.0: < 600 s) …
REQUEST_URI_LIFE_SECONDS = 90
# … and then the citizen has time to wait for a code, sign in and read.
DECISION_LIFE_SECONDS = 900
# A state of more than 1,000 characters is accepted; 64 KB of them are not carried about.
STATE_LENGTH_MAX = 8192

DETAILS_LENGTH_MAX = 4096
ORDER_FEN_MAX = 100_000_000

# RFC 7636 §4.2: the base64url of a SHA-256 has 43 characters.
_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
# RFC 7638 §3 with SHA-256.
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
# RFC 6749 appendix A.5: VSCHAR.
_STATE = re.compile(r"[\x20-\x7e]+")
_CODE = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class _Detail(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """What every authorization detail (RFC 9396 §2) names: one programme, one purpose."""

    programme: str
    purpose: str


class EligibilityDetail(_Detail, frozen=True, tag="eligibility"):
    """To check whether the citizen is eligible."""


class ServiceOrderDetail(_Detail, frozen=True, tag="service_order"):
    """To open service orders; the citizen is checked for each, so it covers checks as well.

    `confirm` says by what an order becomes active: by the citizen, each time, or by this consent.
    `amount_max_fen` bounds what credit stands for in one order, below what the programme allows.
    """

    confirm: Literal["citizen", "consent"]
    amount_max_fen: Annotated[int, Meta(ge=1, le=ORDER_FEN_MAX)] | UnsetType = UNSET


Detail = EligibilityDetail | ServiceOrderDetail


class DetailScopes(msgspec.Struct, frozen=True):
    """The scope a detail can't be used without, and all that it can be used with."""

    needed: Scope
    possible: frozenset[Scope]


DETAIL_SCOPES: dict[type[Detail], DetailScopes] = {
    EligibilityDetail: DetailScopes(
        Scope.ELIGIBILITY_VERIFY, frozenset({Scope.ELIGIBILITY_VERIFY})
    ),
    ServiceOrderDetail: DetailScopes(
        Scope.ORDERS_WRITE, frozenset({Scope.ORDERS_WRITE, Scope.ELIGIBILITY_VERIFY})
    ),
}
DETAIL_TYPES = tuple(str(kind.__struct_config__.tag) for kind in DETAIL_SCOPES)


class Parameters(msgspec.Struct, frozen=True):
    """What a pushed request asks for, checked: this is stored and shown to the citizen.

    `issuer` is who received the request, and who the response says it comes from (RFC 9207).
    """

    issuer: str
    redirect_uri: str
    state: str | None
    scopes: list[str]
    code_challenge: str
    details: list[Detail]


class AuthorizationRequest(msgspec.Struct, frozen=True):
    """A pushed request that a citizen is looking at, with the names to show."""

    client_id: str
    client_name_zh: str
    client_name_en: str
    partner_id: UUID
    partner_name_zh: str
    partner_name_en: str
    parameters: Parameters
    decide_by: datetime

    @property
    def detail(self) -> Detail:
        """The one authorization detail of the request."""
        return self.parameters.details[0]


class StoredRequest(msgspec.Struct, frozen=True):
    """A row of `oauth_request`; `parameters` is a Parameters as builtins."""

    client_id: str
    parameters: dict[str, Any]
    dpop_jkt: str | None
    created_at: datetime
    expires_at: datetime
    decide_by: datetime
    begun_at: datetime | None
    consumed_at: datetime | None


def decide_push(form: Form, *, client: Client, resource: str, issuer: str) -> Parameters:
    """Check a pushed request and return what it asks for; raises OauthError.

    That the partner may use this programme and purpose is asked of DetailPolicy afterwards.
    """
    for check in PUSH_CHECKS:
        check(form, client, resource)
    details = _details(form)
    return Parameters(
        issuer=issuer,
        redirect_uri=form["redirect_uri"],
        state=form.get("state"),
        scopes=_scopes(form, details),
        code_challenge=form["code_challenge"],
        details=details,
    )


def check_client(_form: Form, client: Client, _resource: str) -> None:
    """RFC 6749 §4.1.2.1: a client that may ask citizens; a source's may not."""
    check_acts_for(client, citizens=True)


def check_no_nested_request(form: Form, _client: Client, _resource: str) -> None:
    """RFC 9126 §2.1: a pushed request must not refer to another; request objects aren't used."""
    if "request_uri" in form:
        raise invalid_request("request_uri must not be part of a pushed request")
    if "request" in form:
        raise OauthError("request_not_supported", "request objects are not supported")


def check_response_type(form: Form, _client: Client, _resource: str) -> None:
    """RFC 6749 §4.1.1, FAPI 2.0 §5.3.2.2: the authorization code flow and no other."""
    if required(form, "response_type") != "code":
        raise OauthError("unsupported_response_type", "response_type must be code")
    if form.get("response_mode", "query") != "query":
        raise invalid_request("response_mode must be query")


def check_redirect_uri(form: Form, client: Client, _resource: str) -> None:
    """RFC 9700 §2.1: equal, character for character, to a registered redirect URI."""
    if required(form, "redirect_uri") not in client.redirect_uris:
        raise invalid_request("redirect_uri is not registered for this client")


def check_code_challenge(form: Form, _client: Client, _resource: str) -> None:
    """RFC 7636 §4.3, FAPI 2.0 §5.3.2.2: PKCE with S256; plain, or nothing, is refused."""
    if required(form, "code_challenge_method") != "S256":
        raise invalid_request("code_challenge_method must be S256")
    if _S256_CHALLENGE.fullmatch(required(form, "code_challenge")) is None:
        raise invalid_request("code_challenge is not the base64url of a SHA-256")


def check_state(form: Form, _client: Client, _resource: str) -> None:
    """RFC 6749 appendix A.5: printable ASCII, of any reasonable length."""
    state = form.get("state")
    if state is None:
        return
    if len(state) > STATE_LENGTH_MAX or _STATE.fullmatch(state) is None:
        raise invalid_request("state must be at most 8192 printable ASCII characters")


def check_scope(form: Form, client: Client, _resource: str) -> None:
    """RFC 6749 §3.3: scopes that this client is registered for, and that a citizen can give."""
    scopes = form.get("scope", "").split(" ") if "scope" in form else []
    possible = PARTNER_SCOPES.intersection(client.scopes)
    if len(set(scopes)) != len(scopes) or not possible.issuperset(scopes):
        raise OauthError("invalid_scope", "a scope is unknown, repeated or not registered")


def check_resource(form: Form, _client: Client, resource: str) -> None:
    """RFC 8707 §2: the one resource there is, when one is named."""
    if form.get("resource", resource) != resource:
        raise OauthError("invalid_target", "resource is not the resource of this server")


def check_details(form: Form, _client: Client, _resource: str) -> None:
    """RFC 9396 §5: exactly one authorization detail, of a known type, with nothing unknown."""
    if len(_details(form)) != 1:
        raise _invalid_details("authorization_details must hold exactly one object")


def check_detail_scope(form: Form, client: Client, _resource: str) -> None:
    """What can't be used is a mistake: a detail without its scope, a scope without its detail."""
    details = _details(form)
    scopes = set(_scopes(form, details))
    bounds = [DETAIL_SCOPES[type(detail)] for detail in details]
    if not scopes.issuperset(bound.needed for bound in bounds):
        raise OauthError("invalid_scope", "scope does not cover authorization_details")
    if not scopes <= frozenset[Scope]().union(*(bound.possible for bound in bounds)):
        raise OauthError("invalid_scope", "authorization_details do not use all of scope")
    if not scopes <= set(client.scopes):
        raise OauthError("invalid_scope", "the scope that the details need is not registered")


PUSH_CHECKS: tuple[Callable[[Form, Client, str], None], ...] = (
    check_client,
    check_no_nested_request,
    check_response_type,
    check_redirect_uri,
    check_code_challenge,
    check_state,
    check_scope,
    check_resource,
    check_details,
    check_detail_scope,
)


def decide_key_binding(form: Form, *, proof_jkt: str | None) -> str | None:
    """Return the key the code will be bound to, if one is named yet (RFC 9449 §10, §10.1).

    Named by the `dpop_jkt` parameter, by the proof sent with the push, or by both alike.
    """
    parameter = form.get("dpop_jkt")
    if parameter is None:
        return proof_jkt
    if _THUMBPRINT.fullmatch(parameter) is None:
        raise invalid_request("dpop_jkt is not a SHA-256 JWK thumbprint")
    if proof_jkt is not None and proof_jkt != parameter:
        raise invalid_request("dpop_jkt is not the key of the DPoP proof")
    return parameter


def request_deadline(stored: StoredRequest) -> datetime:
    """Return until when a request may be used.

    A request_uri that nobody has opened ends early; one that a citizen is reading, later. Opening
    it does not use it up: browsers load pages twice (RFC 9126 §7.3).
    """
    assert stored.expires_at <= stored.decide_by
    return stored.expires_at if stored.begun_at is None else stored.decide_by


def is_open(stored: StoredRequest, *, now: datetime) -> bool:
    """Whether a request can still be answered."""
    return stored.consumed_at is None and now < request_deadline(stored)


def order_detail_of(
    details: Sequence[Mapping[str, Any]], programme_code: str
) -> ServiceOrderDetail | None:
    """Return the detail of a token by which orders of a programme may be opened, or None."""
    for granted in details:
        detail = msgspec.convert(granted, Detail)
        if isinstance(detail, ServiceOrderDetail) and detail.programme == programme_code:
            return detail
    return None


def parameters_of(stored: StoredRequest) -> Parameters:
    """Return what a stored request asks for."""
    return msgspec.convert(stored.parameters, Parameters)


def push_times(now: datetime) -> tuple[datetime, datetime]:
    """Return (expires_at, decide_by) of a request pushed now."""
    return (
        now + timedelta(seconds=REQUEST_URI_LIFE_SECONDS),
        now + timedelta(seconds=DECISION_LIFE_SECONDS),
    )


def success_redirect(parameters: Parameters, *, code: str) -> str:
    """Return where the citizen goes with a code (RFC 6749 §4.1.2, `iss`: RFC 9207 §2)."""
    return _redirect(parameters, {"code": code})


def denial_redirect(parameters: Parameters) -> str:
    """Return where the citizen goes after a no (RFC 6749 §4.1.2.1)."""
    return _redirect(parameters, {"error": "access_denied"})


def _redirect(parameters: Parameters, answer: dict[str, str]) -> str:
    if parameters.state is not None:
        answer["state"] = parameters.state
    answer["iss"] = parameters.issuer
    # RFC 6749 §3.1.2: a query that was registered stays.
    parts = urlsplit(parameters.redirect_uri)
    query = f"{parts.query}&{urlencode(answer)}" if parts.query else urlencode(answer)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _scopes(form: Form, details: list[Detail]) -> list[str]:
    """RFC 6749 §3.3: without a scope, the default is what the details need."""
    if "scope" in form:
        return sorted(form["scope"].split(" "))
    return sorted({str(DETAIL_SCOPES[type(detail)].needed) for detail in details})


def _invalid_details(description: str) -> OauthError:
    return OauthError("invalid_authorization_details", description)


def _details(form: Form) -> list[Detail]:
    text = form.get("authorization_details", "[]")
    if len(text) > DETAILS_LENGTH_MAX:
        raise _invalid_details("authorization_details is longer than 4096 characters")
    try:
        details = msgspec.json.decode(text, type=list[Detail])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _invalid_details(
            "a detail has type, programme and purpose; one of type service_order also confirm and, "
            "if it is to be bounded, amount_max_fen"
        ) from error
    for detail in details:
        if not (_CODE.fullmatch(detail.programme) and _CODE.fullmatch(detail.purpose)):
            raise _invalid_details("programme and purpose are codes")
    return details
