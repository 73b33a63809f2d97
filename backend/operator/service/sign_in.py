"""Signing in: a try is counted, then looked at outside of any transaction, then a session opens.

    knock (transaction) -> prove (a thread, a tenth of a second) -> enter (transaction)

What is wrong, and whether there is such a login, can be told neither by the answer nor by the time
it takes: every try is compared with a password and a secret, if need be with nobody's.
"""

import unicodedata
from datetime import datetime

import msgspec

from backend.kit.crypto import Vault
from backend.kit.ids import new_token, token_hash
from backend.kit.postgres import Tx
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.operator import rules, store
from backend.operator.rules import (
    Secrets,
    SessionKind,
    SignedIn,
    SignInFailed,
    SignInThrottled,
)
from backend.operator.service import limit
from backend.operator.service.limit import Counters, Knock
from backend.operator.service.password import is_password

SESSION_PREFIX = "cp_op_"
_NOBODYS_SECRET = bytes(rules.TOTP_SECRET_BYTES)


class Knocked(msgspec.Struct, frozen=True):
    """A try that was counted, and what it is compared with; `secrets` is None for nobody's."""

    login: str
    counters: Counters
    tried_at: datetime
    secrets: Secrets | None


async def knock(tx: Tx, *, who: Knock, vault: Vault, now: datetime) -> Knocked | SignInThrottled:
    """Count a try and gather what it is compared with. Must be committed, whatever it returns."""
    counters = await limit.counters_of(tx, who, vault=vault)
    wait = await limit.take_turn(tx, counters, now)
    if wait:
        return SignInThrottled(wait)
    secrets = await store.find_secrets(tx, who.login) if rules.is_login(who.login) else None
    return Knocked(who.login, counters, now, secrets)


def prove(knocked: Knocked, *, password: str, code: str, vault: Vault, now: datetime) -> int | None:
    """Return the time step of the code when password and code are right, else None.

    Takes a tenth of a second of a processor, the same for whatever is wrong: for a thread.
    """
    secrets, secret = knocked.secrets, _NOBODYS_SECRET
    stored = None if secrets is None else secrets.password_hash
    if secrets is not None and secrets.totp_sealed is not None:
        place = totp_place(secrets)
        secret = vault.unseal_service(secrets.totp_sealed, aad=place)
    step = rules.matching_step(secret, code, now=now)
    is_right = is_password(stored, unicodedata.normalize("NFC", password))
    return step if is_right else None


async def enter(
    tx: Tx,
    *,
    knocked: Knocked,
    step: int | None,
    kind: SessionKind,
    jkt: str | None,
    now: datetime,
) -> SignedIn | SignInFailed:
    """Open a session for who has proved themselves, and use the code up: of two at once one."""
    assert (jkt is not None) == (kind is SessionKind.API), "an API session is bound to a key"
    secrets = knocked.secrets
    if step is None or secrets is None or secrets.password_hash is None:
        return SignInFailed()
    if not await store.use_totp_step(
        tx, secrets.operator_id, password_hash=secrets.password_hash, step=step
    ):
        return SignInFailed()
    await limit.forgive(tx, knocked.counters, tried_at=knocked.tried_at)
    operator = await store.find_operator(tx, knocked.login)
    assert operator is not None, "an operator is never deleted"
    token, expires_at = new_token(SESSION_PREFIX), now + rules.SESSION_LIFE
    await store.insert_session(
        tx,
        operator.operator_id,
        token_hash=token_hash(token),
        kind=kind,
        jkt=jkt,
        now=now,
        expires_at=expires_at,
    )
    await ledger.note_action(
        tx,
        by=Actor(operator.operator_id, operator.login),
        action="operator.signed_in",
        thing=f"operator:{operator.login}",
        reason="登录 · signed in",
        facts={"kind": str(kind)},
        now=now,
    )
    return SignedIn(token, operator, expires_at)


def totp_place(secrets: Secrets) -> str:
    """Return the place a second factor's secret is sealed for."""
    return f"operator|totp_sealed|{secrets.operator_id}"
