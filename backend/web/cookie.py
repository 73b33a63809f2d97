"""The cookies of the pages: who is signed in, which browser this is and whose, what is half done.

With https the names carry `__Host-`: the browser itself then refuses the cookie unless it is
Secure, has Path=/ and no Domain (RFC 6265bis section 4.1.3.2), so a neighbouring host can't plant
one. The demo's loopback address has no https, and there the plain names are used.
"""

import base64
import binascii
import secrets
from datetime import datetime
from typing import Any, Literal

import msgspec
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from backend.kit.crypto import SealBroken, Vault

DEVICE_SECONDS = 365 * 24 * 3600
PENDING_SECONDS = 600
_VALUE_CHARACTERS_MAX = 2048

Connection = ASGIConnection[Any, Any, Any, Any]


class Site(msgspec.Struct, frozen=True):
    """How the world reaches the pages; `origin` is scheme, host and port."""

    origin: str

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the pages over https."""
        return self.origin.startswith("https://")


class Pending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sign-in that is half done: it travels sealed in a cookie, never in an address.

    `code` is empty until a right code has met a phone without an account; `to` names a page of
    ours and `request_uri` a pushed request to come back to, each may be empty.
    """

    phone: str
    code: str
    to: str
    request_uri: str
    expires_at: datetime


def session_cookie(site: Site, token: str, *, seconds: int) -> Cookie:
    """Return the cookie that keeps a citizen signed in for `seconds`."""
    return _cookie(site, "", token, seconds)


def operator_cookie(site: Site, token: str, *, seconds: int) -> Cookie:
    """Return the cookie that keeps an operator signed in; no other site's link carries it."""
    return _cookie(site, "operator", token, seconds, samesite="strict")


def device_cookie(site: Site, device: str) -> Cookie:
    """Return the cookie that tells one browser from another before anybody is signed in."""
    return _cookie(site, "device", device, DEVICE_SECONDS)


def pending_cookie(site: Site, vault: Vault, pending: Pending, *, device: str) -> Cookie:
    """Return the cookie with a half-done sign-in, sealed for this browser alone."""
    value = _sealed(vault, "pending", msgspec.json.encode(pending), device=device)
    return _cookie(site, "pending", value, PENDING_SECONDS)


def known_cookie(site: Site, vault: Vault, phone: str, *, device: str) -> Cookie:
    """Return the cookie that says that this browser has signed a phone in, sealed for it alone."""
    value = _sealed(vault, "known", phone.encode(), device=device)
    return _cookie(site, "known", value, DEVICE_SECONDS)


def known_login_cookie(site: Site, vault: Vault, login: str, *, device: str) -> Cookie:
    """Return the cookie that says that this browser has signed an operator in before."""
    value = _sealed(vault, "desk", login.encode(), device=device)
    return _cookie(site, "desk", value, DEVICE_SECONDS, samesite="strict")


def ended_cookie(site: Site, part: str) -> Cookie:
    """Return the cookie that makes the browser forget the cookie `part`."""
    return _cookie(site, part, "", 0)


def read_session(connection: Connection, site: Site) -> str | None:
    """Return the session token a browser sent, or None."""
    return _read(connection, site, "")


def read_operator(connection: Connection, site: Site) -> str | None:
    """Return the token of an operator's session that a browser sent, or None."""
    return _read(connection, site, "operator")


def read_device(connection: Connection, site: Site) -> str | None:
    """Return the device secret a browser sent, or None."""
    return _read(connection, site, "device")


def read_pending(
    connection: Connection, site: Site, vault: Vault, *, now: datetime
) -> Pending | None:
    """Return the half-done sign-in of this browser, or None when there is none or it is over."""
    opened = _opened(connection, site, vault, "pending")
    try:
        pending = None if opened is None else msgspec.json.decode(opened, type=Pending)
    except msgspec.DecodeError:  # another release sealed it
        return None
    return pending if pending is not None and now < pending.expires_at else None


def knows_phone(connection: Connection, site: Site, vault: Vault, phone: str) -> bool:
    """Tell whether this browser has signed `phone` in before."""
    return _opened(connection, site, vault, "known") == phone.encode()


def knows_login(connection: Connection, site: Site, vault: Vault, login: str) -> bool:
    """Tell whether this browser has signed the operator `login` in before."""
    return _opened(connection, site, vault, "desk") == login.encode()


def new_device() -> str:
    """Return a fresh device secret of 192 random bits."""
    return secrets.token_urlsafe(24)


def _name(site: Site, part: str) -> str:
    if site.is_secure:
        return f"__Host-credit-{part}" if part else "__Host-credit"
    return f"credit_{part}" if part else "credit_session"


def _cookie(
    site: Site,
    part: str,
    value: str,
    seconds: int,
    *,
    # Lax, not Strict: a merchant's link to the consent page must find the citizen signed in.
    samesite: Literal["lax", "strict"] = "lax",
) -> Cookie:
    return Cookie(
        key=_name(site, part),
        value=value,
        path="/",
        max_age=seconds,
        secure=site.is_secure or None,
        httponly=True,
        samesite=samesite,
    )


def _read(connection: Connection, site: Site, part: str) -> str | None:
    value = connection.cookies.get(_name(site, part))
    return value if value and len(value) <= _VALUE_CHARACTERS_MAX else None


def _sealed(vault: Vault, part: str, plaintext: bytes, *, device: str) -> str:
    sealed = vault.seal_carried(plaintext, aad=f"web|{part}|{device}")
    # Without padding: a cookie's value with an equals sign would need quotes.
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _opened(connection: Connection, site: Site, vault: Vault, part: str) -> bytes | None:
    value, device = _read(connection, site, part), read_device(connection, site)
    if value is None or device is None:
        return None
    try:
        padded = value.encode("ascii") + b"=" * (-len(value) % 4)
        sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
        return vault.unseal_carried(sealed, aad=f"web|{part}|{device}")
    except (UnicodeEncodeError, binascii.Error, ValueError, SealBroken):
        return None
