"""Partners and their clients: what may be registered (pure)."""

import re
import unicodedata
from collections.abc import Collection
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from backend.access.rules import CLIENT_SCOPES, PARTNER_SCOPES, SOURCE_SCOPES, Scope
from backend.kit.jose import ALGORITHMS, PRIVATE_MEMBERS, JoseError, PublicJwk, import_public_key

PARTNER_KINDS = ("merchant", "lender", "source")
SOURCE_KIND = "source"

NAME_LENGTH_MAX = 60
KEYS_MAX = 10
# How the key ids of a demo's clients begin: production does not start beside them.
DEMO_KID_PREFIX = "demo-"
KID_LENGTH_MAX = 128
REDIRECT_URIS_MAX = 10
REDIRECT_URI_LENGTH_MAX = 2000

_CODE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_CODE_LENGTH_MAX = 64
# RFC 3986 characters, percent-encoding included; a browser never rewrites these on the way.
_URI_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
# RFC 8252 §8.3: the loopback addresses, not the name "localhost", which can resolve elsewhere.
_LOOPBACK_HOSTS = ("127.0.0.1", "::1")
# Cc, Cf, Co, Cs, Cn, Zl, Zp: nothing invisible and nothing that turns the direction of writing
# may stand in a name, because the consent screen shows it (Unicode TR 36 §2).
_NAME_CATEGORIES_REFUSED = ("C", "Zl", "Zp")


class PartnerName(msgspec.Struct, frozen=True):
    """What a partner is called."""

    partner_id: UUID
    name_zh: str
    name_en: str


class Partner(msgspec.Struct, frozen=True):
    """A legal person that offers benefits (merchant), lends (lender) or reports (source).

    `source_code` names a source department as the catalogue does; it is null for the others.
    """

    partner_id: UUID
    code: str
    name_zh: str
    name_en: str
    kind: str
    source_code: str | None
    created_at: datetime
    suspended_at: datetime | None


class Client(msgspec.Struct, frozen=True):
    """One piece of a partner's software, with the partner it acts for.

    `jwks` is an RFC 7517 key set of public keys; `scopes` are what it may ask for at most.
    """

    client_id: str
    partner_id: UUID
    partner_code: str
    partner_name_zh: str
    partner_name_en: str
    partner_kind: str
    name_zh: str
    name_en: str
    jwks: dict[str, Any]
    redirect_uris: list[str]
    scopes: list[str]
    created_at: datetime
    suspended_at: datetime | None
    partner_suspended_at: datetime | None

    @property
    def is_suspended(self) -> bool:
        """Whether the client, or the partner it belongs to, is suspended."""
        return self.suspended_at is not None or self.partner_suspended_at is not None


def is_code(text: str) -> bool:
    """Whether a text can be the code of a partner or the id of a client."""
    return len(text) <= _CODE_LENGTH_MAX and _CODE.fullmatch(text) is not None


def scopes_of(kind: str) -> frozenset[Scope]:
    """Return what the clients of a kind of partner may be registered for at most."""
    return SOURCE_SCOPES if kind == SOURCE_KIND else PARTNER_SCOPES | CLIENT_SCOPES


def partner_faults(
    *,
    code: str,
    name_zh: str,
    name_en: str,
    kind: str,
    source_code: str | None = None,
    known_sources: Collection[str] = (),
) -> list[str]:
    """Return what is wrong with a partner to be added, one sentence each; empty when nothing is.

    `known_sources` are the codes of the catalogue in force.
    """
    faults = _code_faults("code", code)
    faults += _name_faults("name_zh", name_zh) + _name_faults("name_en", name_en)
    if kind not in PARTNER_KINDS:
        faults.append(f"kind is one of {', '.join(PARTNER_KINDS)}")
    if (kind == SOURCE_KIND) != (source_code is not None):
        faults.append("a source, and nobody else, has a source code")
    if source_code is not None and source_code not in known_sources:
        faults.append("the catalogue in force has no source with this code")
    return faults


def client_faults(
    *,
    kind: str,
    client_id: str,
    name_zh: str,
    name_en: str,
    jwks: object,
    redirect_uris: list[str],
    scopes: list[str],
) -> list[str]:
    """Return what is wrong with a client to be added, one sentence each; empty when nothing is.

    `kind` is that of its partner: a source's client acts for no citizen, so no browser comes back
    to it, and it can ask for nothing but what concerns its own files.
    """
    faults = _code_faults("client_id", client_id)
    faults += _name_faults("name_zh", name_zh) + _name_faults("name_en", name_en)
    faults += jwks_faults(jwks)
    if kind == SOURCE_KIND:
        if redirect_uris:
            faults.append("the client of a source has no redirect URI")
    elif not 1 <= len(redirect_uris) <= REDIRECT_URIS_MAX:
        faults.append(f"there are 1 to {REDIRECT_URIS_MAX} redirect URIs")
    if len(set(redirect_uris)) != len(redirect_uris):
        faults.append("a redirect URI is given twice")
    faults += [fault for uri in redirect_uris for fault in redirect_uri_faults(uri)]
    if not scopes or len(set(scopes)) != len(scopes):
        faults.append("there is at least one scope, each given once")
    possible = scopes_of(kind)
    faults += [
        f"scope {scope!r} is none of {', '.join(sorted(possible))}"
        for scope in scopes
        if scope not in possible
    ]
    return faults


def redirect_uri_faults(uri: str) -> list[str]:
    """Return what is wrong with a redirect URI (RFC 6749 §3.1.2, RFC 9700 §2.1, RFC 8252 §7.3).

    https, or http on a loopback address; absolute, exact, without fragment, user or wildcard.
    """
    if len(uri) > REDIRECT_URI_LENGTH_MAX or _URI_CHARACTERS.fullmatch(uri) is None:
        return ["a redirect URI has at most 2000 characters, all of them RFC 3986 characters"]
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return [f"{uri} is not a URI"]
    faults = []
    if not host:
        faults.append(f"{uri} is not absolute")
    elif parts.scheme == "http" and host not in _LOOPBACK_HOSTS:
        faults.append(f"{uri} is http, which only a loopback address (127.0.0.1, [::1]) may be")
    elif parts.scheme not in ("https", "http"):
        faults.append(f"{uri} is neither https nor on a loopback address")
    if "#" in uri:
        faults.append(f"{uri} has a fragment")
    if "@" in parts.netloc:
        faults.append(f"{uri} carries user information")
    if "*" in parts.netloc:
        faults.append(f"{uri} has a wildcard")
    return faults


def jwks_faults(jwks: object) -> list[str]:
    """Return what is wrong with a client's key set (RFC 7517 §5).

    1 to 10 public keys of the allowed kinds, each with a `kid` of its own; `use` and `alg`, where
    given, fit signatures with that key.
    """
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= KEYS_MAX:
        return [f"the JWKS is an object whose keys is a list of 1 to {KEYS_MAX} keys"]
    faults = [fault for index, key in enumerate(keys) for fault in _key_faults(index, key)]
    kids = [key.get("kid") for key in keys if isinstance(key, dict)]
    if not faults and len(set(kids)) != len(kids):
        faults.append("two keys of the JWKS have the same kid")
    return faults


def _key_faults(index: int, key: object) -> list[str]:
    if not isinstance(key, dict):
        return [f"key {index} is not an object"]
    faults = []
    kid = key.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= KID_LENGTH_MAX:
        faults.append(f"key {index} has no kid of 1 to {KID_LENGTH_MAX} characters")
    if any(member in key for member in PRIVATE_MEMBERS):
        return [*faults, f"key {index} is not a public key: keep the private part to yourself"]
    if key.get("use", "sig") != "sig":
        faults.append(f"key {index} is not for signatures")
    try:
        algorithm = import_public_key(msgspec.convert(key, PublicJwk)).algorithm
    except (JoseError, msgspec.ValidationError) as error:
        return [*faults, f"key {index} can't be used: {error}"]
    assert algorithm in ALGORITHMS
    if key.get("alg", algorithm) != algorithm:
        faults.append(f"key {index} serves {algorithm}, not what its alg says")
    return faults


def _code_faults(field: str, code: str) -> list[str]:
    if is_code(code):
        return []
    return [f"{field} is at most 64 of a-z, 0-9 and single hyphens, and begins with a letter"]


def _name_faults(field: str, name: str) -> list[str]:
    refused = any(unicodedata.category(char).startswith(_NAME_CATEGORIES_REFUSED) for char in name)
    if refused or not 1 <= len(name) <= NAME_LENGTH_MAX or name != name.strip():
        return [f"{field} has 1 to {NAME_LENGTH_MAX} visible characters, none around them"]
    return []
