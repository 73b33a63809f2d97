"""The state of the authorization server in SQL: requests, grants, codes, tokens and keys."""

from backend.oauth.store.grant import (
    consume_code,
    delete_codes_over,
    delete_grants_over,
    get_grant,
    insert_code,
    insert_grant,
    lock_code,
    lock_grant,
    revoke_grant,
    revoke_grants_of_consent,
    revoke_grants_of_subject,
)
from backend.oauth.store.key import (
    SigningKey,
    insert_signing_key,
    list_signing_keys,
)
from backend.oauth.store.request import (
    begin_request,
    consume_request,
    delete_requests_over,
    find_request,
    insert_request,
    lock_request,
)
from backend.oauth.store.token import (
    NewAccessToken,
    delete_access_tokens_over,
    delete_refresh_tokens_over,
    find_access_token,
    find_refresh_token,
    insert_access_token,
    insert_refresh_token,
    revoke_access_token,
)

__all__ = [
    "NewAccessToken",
    "SigningKey",
    "begin_request",
    "consume_code",
    "consume_request",
    "delete_access_tokens_over",
    "delete_codes_over",
    "delete_grants_over",
    "delete_refresh_tokens_over",
    "delete_requests_over",
    "find_access_token",
    "find_refresh_token",
    "find_request",
    "get_grant",
    "insert_access_token",
    "insert_code",
    "insert_grant",
    "insert_refresh_token",
    "insert_request",
    "insert_signing_key",
    "list_signing_keys",
    "lock_code",
    "lock_grant",
    "lock_request",
    "revoke_access_token",
    "revoke_grant",
    "revoke_grants_of_consent",
    "revoke_grants_of_subject",
]
