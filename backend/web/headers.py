"""The headers of every page, and who may receive its forms (Content Security Policy level 3)."""

import re
from urllib.parse import urlsplit

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
# A private-use scheme of an app is a reversed domain name (RFC 8252 section 7.1).
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+")


def page_headers(*, is_secure: bool, form_target: str | None) -> dict[str, str]:
    """Return the headers of every page: nothing is framed, kept, or loaded from abroad."""
    targets = " ".join(["'self'", *_form_sources(form_target)])
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action {targets}"
        ),
        "X-Frame-Options": "DENY",
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
    return [f"{parts.scheme}:"] if _PRIVATE_SCHEME.fullmatch(parts.scheme) else []
