"""What a client library reads before it starts: metadata and public keys."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from backend.access.guard import public
from backend.kit.http import problems
from backend.kit.postgres import Database
from backend.oauth import service
from backend.oauth.rules.metadata import (
    JWKS_PATH,
    RESOURCE_METADATA_PATH,
    SERVER_METADATA_PATH,
    resource_metadata,
    server_metadata,
)

_FOR_FIVE_MINUTES = {"cache-control": "public, max-age=300"}


@get(
    SERVER_METADATA_PATH,
    operation_id="oauth_server_metadata",
    tags=["anyone"],
    guards=[public("documentation for machines")],
)
async def get_server_metadata(issuer: NamedDependency[str]) -> Response[dict[str, Any]]:
    """Describe the authorization server (RFC 8414)."""
    return Response(server_metadata(issuer), headers=_FOR_FIVE_MINUTES)


@get(
    RESOURCE_METADATA_PATH,
    operation_id="oauth_resource_metadata",
    tags=["anyone"],
    guards=[public("documentation for machines")],
)
async def get_resource_metadata(issuer: NamedDependency[str]) -> Response[dict[str, Any]]:
    """Describe the API as a protected resource (RFC 9728)."""
    return Response(resource_metadata(issuer), headers=_FOR_FIVE_MINUTES)


@get(
    JWKS_PATH,
    operation_id="oauth_jwks",
    tags=["anyone"],
    guards=[public("public keys")],
    responses=problems("unavailable"),
)
async def get_jwks(db: NamedDependency[Database]) -> Response[dict[str, Any]]:
    """List the server's public keys (RFC 7517 §5)."""
    async with db.read() as tx:
        keys = await service.list_public_keys(tx)
    return Response({"keys": keys}, headers=_FOR_FIVE_MINUTES)
