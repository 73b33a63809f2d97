"""Turns a view into a page, in one Jinja environment.

Templates escape everything, know no undefined names and hold no script and no inline style, so
the content security policy can be as short as it is.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response
from litestar.datastructures import Cookie

from backend.web import words
from backend.web.headers import page_headers
from backend.web.session import Visit

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"

TABS = (
    ("home", "/", "首页", "Home"),
    ("programmes", "/programmes", "项目", "Benefits"),
    ("accesses", "/accesses", "查询记录", "Access log"),
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
    "app.css": _load("app.css", "text/css"),
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


def render_text(
    visit: Visit,
    template: str,
    view: msgspec.Struct,
    *,
    tab: str = "",
    frame: msgspec.Struct | None = None,
) -> str:
    """Return the HTML of a page; its forms are bound to the browser of `visit`.

    `frame` is what stands around it on the operators' desk.
    """
    return _ENVIRONMENT.get_template(template).render(
        view=view,
        csrf=visit.form_token,
        signed_in=visit.visitor is not None,
        tab=tab,
        frame=frame,
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
    frame: msgspec.Struct | None = None,
) -> Response[bytes]:
    """Return a page as a response with all its headers.

    `form_target` is an address a form of this page may lead to after our own 303.
    """
    return Response(
        render_text(visit, template, view, tab=tab, frame=frame).encode(),
        status_code=status,
        media_type=MediaType.HTML,
        headers=page_headers(is_secure=visit.site.is_secure, form_target=form_target),
        cookies=list(cookies),
    )


def see_other(visit: Visit, href: str, *cookies: Cookie) -> Response[bytes]:
    """Return a 303: what follows a form is a GET, never the form again (RFC 9700 section 4.12)."""
    headers = page_headers(is_secure=visit.site.is_secure, form_target=None)
    return Response(
        b"",
        status_code=303,
        media_type=MediaType.HTML,
        headers={**headers, "Location": href},
        cookies=list(cookies),
    )
