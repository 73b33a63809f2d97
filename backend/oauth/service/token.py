"""Tokens: made from codes and refresh tokens, looked up, revoked (RFC 6749, 7009, 7662)."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.ids import new_token, token_hash
from backend.kit.postgres import ReadTx, Tx
from backend.oauth import store
from backend.oauth.rules.client_token import CLIENT_TOKEN_PREFIX
from backend.oauth.rules.fault import invalid_grant
from backend.oauth.rules.grant import (
    ACCESS_TOKEN_PREFIX,
    REFRESH_TOKEN_PREFIX,
    CodeAttempt,
    CodeReused,
    Grant,
    Redemption,
    RefreshAttempt,
    Refreshing,
    RefreshToken,
    TokensDue,
    decide_redemption,
    decide_refresh,
)
from backend.oauth.rules.introspection import (
    Introspection,
    introspect_access,
    introspect_client_token,
    introspect_refresh,
)
from backend.oauth.rules.token import AccessToken
from backend.partner.rules import Client


class Tokens(msgspec.Struct, frozen=True):
    """Fresh tokens; this is the only moment they exist in the clear. `expires_in` in seconds."""

    access_token: str
    refresh_token: str | None
    expires_in: int
    grant: Grant
    scopes: list[str]


async def redeem(
    tx: Tx, *, redemption: Redemption, resource: str, now: datetime
) -> Tokens | CodeReused:
    """Turn a code into tokens, once (RFC 6749 §4.1.3); raises OauthError("invalid_grant").

    A second use returns CodeReused, and the grant with all its tokens is revoked: commit it.
    """
    code = await store.lock_code(tx, code_hash=token_hash(redemption.code))
    if code is None:
        raise invalid_grant("the code is unknown")
    grant = await store.lock_grant(tx, grant_id=code.grant_id)
    decision = decide_redemption(
        CodeAttempt(code=code, grant=grant, redemption=redemption, now=now)
    )
    if isinstance(decision, CodeReused):
        await store.revoke_grant(tx, grant_id=decision.grant_id, now=now)
        return decision
    consumed = await store.consume_code(tx, code_hash=code.code_hash, now=now)
    assert consumed, "the row is locked and was not consumed"
    return await _issue(
        tx, grant=grant, due=decision, audience=resource, jkt=redemption.jkt, now=now
    )


async def refresh(tx: Tx, *, refreshing: Refreshing, now: datetime) -> Tokens:
    """Make a new access token (RFC 6749 §6); raises OauthError.

    The refresh token isn't rotated: it is bound to the client and to its DPoP key.
    """
    token = await store.find_refresh_token(tx, token_hash=token_hash(refreshing.refresh_token))
    if token is None:
        raise invalid_grant("the refresh token is unknown")
    grant = await store.lock_grant(tx, grant_id=token.grant_id)
    due = decide_refresh(RefreshAttempt(token=token, grant=grant, refreshing=refreshing, now=now))
    return await _issue(
        tx, grant=grant, due=due, audience=token.audience, jkt=token.dpop_jkt, now=now
    )


async def revoke(tx: Tx, *, client: Client, token: str, now: datetime) -> None:
    """Revoke a token of this client (RFC 7009 §2.1).

    A refresh token takes its whole grant with it. Unknown tokens are no error (§2.2); another
    client's is OauthError("invalid_grant").
    """
    digest = token_hash(token)
    access = await store.find_access_token(tx, token_hash=digest)
    if access is not None:
        _require_own(access.client_id, client)
        await store.revoke_access_token(tx, token_hash=digest, now=now)
        return
    refresh_token = await store.find_refresh_token(tx, token_hash=digest)
    if refresh_token is not None:
        _require_own(refresh_token.client_id, client)
        await store.revoke_grant(tx, grant_id=refresh_token.grant_id, now=now)
        return
    client_token = await store.find_client_token(tx, token_hash=digest)
    if client_token is not None:
        _require_own(client_token.client_id, client)
        await store.revoke_client_token(tx, token_hash=digest, now=now)


async def introspect(
    tx: ReadTx, *, client: Client, token: str, issuer: str, now: datetime
) -> Introspection | None:
    """Describe a token to the client it was issued to (RFC 7662 §2.2); None: not active."""
    digest = token_hash(token)
    if token.startswith(CLIENT_TOKEN_PREFIX):
        client_token = await store.find_client_token(tx, token_hash=digest)
        return introspect_client_token(
            client_token, client_id=client.client_id, issuer=issuer, now=now
        )
    refresh_token = await store.find_refresh_token(tx, token_hash=digest)
    if refresh_token is None:
        access = await store.find_access_token(tx, token_hash=digest)
        return introspect_access(
            access, client_id=client.client_id, issuer=issuer, audience=issuer, now=now
        )
    grant = await store.get_grant(tx, grant_id=refresh_token.grant_id)
    return introspect_refresh(
        refresh_token, grant, client_id=client.client_id, issuer=issuer, now=now
    )


async def find_access_tokens(
    tx: ReadTx, *, token_hashes: Collection[bytes]
) -> dict[bytes, AccessToken]:
    """Return the access tokens that exist, by their SHA-256.

    Whether one is good for anything is decided by rules.token.principal_of.
    """
    found = await store.list_access_tokens(tx, token_hashes=token_hashes)
    return {token.token_hash: token for token in found}


async def revoke_consent(tx: Tx, *, subject_id: UUID, consent_id: UUID, now: datetime) -> int:
    """End every grant that stands on a withdrawn consent; returns how many.

    In the transaction that ends the consent: once that commits, no token of it is good.
    """
    return await store.revoke_grants_of_consent(
        tx, subject_id=subject_id, consent_id=consent_id, now=now
    )


async def revoke_subject(tx: Tx, *, subject_id: UUID, now: datetime) -> int:
    """End every grant of a citizen who leaves or whose account is erased; returns how many."""
    return await store.revoke_grants_of_subject(tx, subject_id=subject_id, now=now)


async def _issue(
    tx: Tx, *, grant: Grant, due: TokensDue, audience: str, jkt: str, now: datetime
) -> Tokens:
    """Make the tokens that are due and store their hashes."""
    access_token = new_token(ACCESS_TOKEN_PREFIX)
    await store.insert_access_token(
        tx,
        grant,
        store.NewAccessToken(
            token_hash=token_hash(access_token),
            audience=audience,
            scopes=due.scopes,
            dpop_jkt=jkt,
            created_at=now,
            expires_at=due.access_expires_at,
        ),
    )
    refresh_token = None
    if due.refresh_expires_at is not None:
        refresh_token = new_token(REFRESH_TOKEN_PREFIX)
        await store.insert_refresh_token(
            tx,
            RefreshToken(
                token_hash=token_hash(refresh_token),
                grant_id=grant.grant_id,
                subject_id=grant.subject_id,
                client_id=grant.client_id,
                audience=audience,
                dpop_jkt=jkt,
                created_at=now,
                expires_at=due.refresh_expires_at,
                revoked_at=None,
            ),
        )
    return Tokens(
        access_token=access_token,
        refresh_token=refresh_token,
        expires_in=int((due.access_expires_at - now).total_seconds()),
        grant=grant,
        scopes=due.scopes,
    )


def _require_own(client_id: str, client: Client) -> None:
    """RFC 7009 §2.1: a token is revoked by the client it was issued to, and nobody else."""
    if client_id != client.client_id:
        raise invalid_grant("the token was issued to another client")
