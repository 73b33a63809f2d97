"""What the server says of itself: RFC 8414 (authorization server), RFC 9728 (resource)."""

from typing import Any

from backend.access.rules import CLIENT_SCOPES, PARTNER_SCOPES, SOURCE_SCOPES
from backend.kit.jose import ALGORITHMS
from backend.oauth.rules.client_token import GRANT_TYPES
from backend.oauth.rules.request import DETAIL_TYPES

PAR_PATH = "/oauth/par"
AUTHORIZE_PATH = "/oauth/authorize"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path, not a secret
REVOKE_PATH = "/oauth/revoke"
INTROSPECT_PATH = "/oauth/introspect"
JWKS_PATH = "/oauth/jwks"
SERVER_METADATA_PATH = "/.well-known/oauth-authorization-server"
RESOURCE_METADATA_PATH = "/.well-known/oauth-protected-resource"

Metadata = dict[str, Any]

_SCOPES = PARTNER_SCOPES | CLIENT_SCOPES | SOURCE_SCOPES


def server_metadata(issuer: str) -> Metadata:
    """Return the authorization server metadata (RFC 8414 §2) of an issuer without a path.

    Also RFC 9126 §5, RFC 9207 §3, RFC 9396 §10, RFC 9449 §5.1, RFC 9728 §4.
    """
    algorithms = list(ALGORITHMS)
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE_PATH,
        "pushed_authorization_request_endpoint": issuer + PAR_PATH,
        "require_pushed_authorization_requests": True,
        "token_endpoint": issuer + TOKEN_PATH,
        "revocation_endpoint": issuer + REVOKE_PATH,
        "introspection_endpoint": issuer + INTROSPECT_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "scopes_supported": sorted(_SCOPES),
        "authorization_details_types_supported": list(DETAIL_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": algorithms,
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["zh-CN", "en"],
        "protected_resources": [issuer],
    }


def resource_metadata(issuer: str) -> Metadata:
    """Return the protected resource metadata (RFC 9728 §2); the API has the issuer's origin."""
    return {
        "resource": issuer,
        "authorization_servers": [issuer],
        "scopes_supported": sorted(_SCOPES),
        "bearer_methods_supported": ["header"],
        "authorization_details_types_supported": list(DETAIL_TYPES),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_bound_access_tokens_required": True,
        "resource_name": "Credit+",
        "resource_name#zh-CN": "信用+",
    }
