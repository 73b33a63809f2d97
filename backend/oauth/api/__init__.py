"""The authorization server over HTTP."""

from backend.oauth.api.authorize import authorize, push_authorization_request
from backend.oauth.api.metadata import get_jwks, get_resource_metadata, get_server_metadata
from backend.oauth.api.token import introspect_token, issue_token, revoke_token

ROUTES = [
    push_authorization_request,
    authorize,
    issue_token,
    revoke_token,
    introspect_token,
    get_jwks,
    get_server_metadata,
    get_resource_metadata,
]
