"""`creditplus openapi`: what the HTTP interface is, without a server or a database.

Made from the routes themselves; `openapi/` holds the committed text, which a test compares.
"""

import dataclasses
from typing import Any, Final

import click
import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from backend.access.guard import Public, Requires
from backend.app import House, build_app
from backend.kit.crypto import Vault
from backend.kit.valkey import Valkey
from backend.settings import load_settings
from backend.web.operator_page import OperatorPage
from backend.web.session import SignedInPage

_NO_KEY: Final = bytes(32)  # nothing is sealed: no request is ever served


def described_app() -> Litestar:
    """Build the application on a house with nobody in it: good for looking at its routes only."""
    rooms: dict[str, Any] = {field.name: None for field in dataclasses.fields(House)}
    rooms["settings"] = load_settings({})
    rooms["vault"] = Vault(kek=_NO_KEY, digest_key=_NO_KEY)
    rooms["valkey"] = Valkey.open("redis://127.0.0.1")  # connects when first used: never
    house = House(**rooms)
    return build_app(house)


def openapi_text() -> str:
    """Give the OpenAPI document as it is committed: JSON, keys in order, two spaces."""
    schema = msgspec.to_builtins(described_app().openapi_schema.to_schema())
    text = msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2)
    return text.decode() + "\n"


def routes_text() -> str:
    """Give every route with who may call it: `requires SCOPE`, or `public: why`."""
    lines = []
    for route in described_app().routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            guards = [_words(guard) for guard in handler.resolve_guards()]
            said = " and ".join(word for word in guards if word) or "NOBODY SAID"
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                lines.append(f"{route.path} {method}: {said}")
    return "\n".join(sorted(lines)) + "\n"


def _words(guard: object) -> str | None:
    if isinstance(guard, Requires):
        return f"requires {guard.scope}"
    if isinstance(guard, Public):
        return f"public: {guard.why}"
    if isinstance(guard, OperatorPage):
        return f"requires an operator's session with {guard.scope}"
    return "requires a browser's session" if isinstance(guard, SignedInPage) else None


@click.command()
@click.option("--routes", is_flag=True, help="List every route with its guard instead.")
def openapi(*, routes: bool) -> None:
    """Print the OpenAPI document of this release."""
    click.echo(routes_text() if routes else openapi_text(), nl=False)
