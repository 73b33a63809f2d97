"""Turns a view into a page: one Jinja environment, one set of headers.

Templates escape everything, know no undefined names and hold no script and no inline style, so
the content security policy can be as short as it is.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import Cookie

from backend.web import words
from backend.web.session import Visit

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+")

TABS = (
    ("home", "/", "首页", "Home"),
    ("programmes", "/programmes", "项目", "Benefits"),
    ("accesses", "/accesses", "查询记录", "Looks"),
    ("consents", "/consents", "授权", "Consents"),
)


class StaticFile(msgspec.Struct, frozen=True):
    """A file that never changes under its address, because the address holds its hash."""

    media_type: str
    content: bytes
    href: str


def _load(name: str, media_type: str) -> StaticFile:
    content = (_STATIC / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return StaticFile(media_type, content, f"/static/{name}?v={digest}")


STATIC_FILES = {
    "app.css": _load("app.css", "text/css; charset=utf-8"),
    "mark.svg": _load("mark.svg", "image/svg+xml"),
}


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in ("city_day", "city_day_en", "city_day_iso", "city_time", "city_time_en"):
        environment.filters[name] = getattr(words, name)
    environment.globals["css_href"] = STATIC_FILES["app.css"].href
    environment.globals["icon_href"] = STATIC_FILES["mark.svg"].href
    environment.globals["tabs"] = TABS
    return environment


_ENVIRONMENT = _environment()


def render_text(visit: Visit, template: str, view: msgspec.Struct, *, tab: str = "") -> str:
    """Return the HTML of a page; its forms are bound to the browser of `visit`."""
    return _ENVIRONMENT.get_template(template).render(
        view=view, csrf=visit.form_token, signed_in=visit.visitor is not None, tab=tab
    )


def render_page(
    visit: Visit,
    template: str,
    view: msgspec.Struct,
    *,
    tab: str = "",
    status: int = 200,
    cookies: Sequence[Cookie] = (),
    form_target: str | None = None,
) -> Response[bytes]:
    """Return a page as a response with all its headers.

    `form_target` is an address a form of this page may lead to after our own 303.
    """
    return Response(
        render_text(visit, template, view, tab=tab).encode(),
        status_code=status,
        media_type="text/html; charset=utf-8",
        headers=page_headers(is_secure=visit.site.is_secure, form_target=form_target),
        cookies=list(cookies),
    )


def see_other(visit: Visit, href: str, *cookies: Cookie) -> Response[bytes]:
    """Return a 303: what follows a form is a GET, never the form again (RFC 9700 section 4.12)."""
    headers = page_headers(is_secure=visit.site.is_secure, form_target=None)
    return Response(
        b"",
        status_code=303,
        media_type="text/html; charset=utf-8",
        headers={**headers, "Location": href},
        cookies=list(cookies),
    )


def page_headers(*, is_secure: bool, form_target: str | None) -> dict[str, str]:
    """Return the headers of every page: nothing is framed, kept, sniffed, or loaded from abroad."""
    targets = " ".join(["'self'", *_form_sources(form_target)])
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action {targets}"
        ),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        # Our own addresses may hold the reference of a pushed request: no other site learns it.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Cache-Control": "no-store",
    }
    if is_secure:
        headers["Strict-Transport-Security"] = "max-age=63072000"
    return headers


def _form_sources(form_target: str | None) -> list[str]:
    """Return the CSP source that lets a form end at the client's redirect address.

    Chromium holds form-action against each redirect that answers a form, so the consent form
    needs the client's origin beside 'self'. A path says nothing there (CSP level 3 section 6.7.2.8
    leaves it out after a redirect), and a host source can't hold an IPv6 address or a foreign
    scheme: those are allowed by scheme.
    """
    if form_target is None:
        return []
    parts = urlsplit(form_target)
    host = parts.hostname or ""
    if parts.scheme in {"http", "https"} and _HOST.fullmatch(host):
        port = f":{parts.port}" if parts.port is not None else ""
        return [f"{parts.scheme}://{host}{port}"]
    if parts.scheme in {"http", "https"} and ":" in host:
        return [f"{parts.scheme}:"]
    # A private-use scheme of an app is a reversed domain name (RFC 8252 section 7.1).
    return [f"{parts.scheme}:"] if _PRIVATE_SCHEME.fullmatch(parts.scheme) else []
