"""What the authorization server does: gather the facts, let the rules decide, write it down.

A refusal that must leave nothing behind is raised as OauthError (or, towards pages, as Refusal);
one that must leave a mark, a code used twice, is returned and so commits.
"""

from backend.oauth.service.authorize import (
    PushedRequest,
    approve,
    begin,
    deny,
    get_request,
    push_request,
)
from backend.oauth.service.client_token import (
    IssuedClientToken,
    find_client_token,
    issue_client_token,
)
from backend.oauth.service.key import (
    ensure_signing_key,
    has_active_signing_key,
    list_public_keys,
)
from backend.oauth.service.sweep import sweep
from backend.oauth.service.token import (
    Tokens,
    find_access_tokens,
    introspect,
    redeem,
    refresh,
    revoke,
    revoke_consent,
    revoke_subject,
)

__all__ = [
    "IssuedClientToken",
    "PushedRequest",
    "Tokens",
    "approve",
    "begin",
    "deny",
    "ensure_signing_key",
    "find_access_tokens",
    "find_client_token",
    "get_request",
    "has_active_signing_key",
    "introspect",
    "issue_client_token",
    "list_public_keys",
    "push_request",
    "redeem",
    "refresh",
    "revoke",
    "revoke_consent",
    "revoke_subject",
    "sweep",
]
