"""Setting up: a new operator chooses a password and gets a second factor, with a code of one use.

Whoever adds an operator hands them the code and never knows the password or the factor.
"""

import hmac
import os
from datetime import datetime
from uuid import UUID

import msgspec

from backend.kit.crypto import Vault
from backend.kit.ids import token_hash
from backend.kit.postgres import Tx
from backend.ledger import service as ledger
from backend.ledger.rules import Actor
from backend.operator import rules, store
from backend.operator.service import limit
from backend.operator.service.account import Added
from backend.operator.service.password import hash_password
from backend.operator.service.sign_in import Knocked, totp_place


class SetUp(msgspec.Struct, frozen=True):
    """The second factor, shown this once, for an authenticator app."""

    totp_uri: str


class SetUpFailed(msgspec.Struct, frozen=True):
    """There is no such code, or it was used, or its time is over."""


async def finish_set_up(
    tx: Tx,
    *,
    knocked: Knocked,
    set_up_code: str,
    password_hash: str,
    vault: Vault,
    now: datetime,
) -> SetUp | SetUpFailed:
    """Use a set-up code up, after `knock`: two at once set up once. Must be committed."""
    secrets, presented = knocked.secrets, token_hash(set_up_code)
    if secrets is None or not hmac.compare_digest(secrets.set_up_hash or bytes(32), presented):
        return SetUpFailed()
    totp = os.urandom(rules.TOTP_SECRET_BYTES)  # RFC 4226 section 4, R6: 160 bits
    sealed = vault.seal_service(totp, aad=totp_place(secrets))
    if not await store.set_up(
        tx,
        secrets.operator_id,
        set_up_hash=presented,
        password_hash=password_hash,
        totp_sealed=sealed,
        now=now,
    ):
        return SetUpFailed()
    await limit.forgive(tx, knocked.counters, tried_at=knocked.tried_at)
    await _note(tx, secrets.operator_id, knocked.login, now)
    return SetUp(rules.totp_uri(totp, login=knocked.login))


async def set_up_at_once(
    tx: Tx, *, added: Added, password: str, vault: Vault, now: datetime
) -> SetUp:
    """Set an operator up in the transaction that adds or resets them, for a command.

    Raises Refusal operator_password_weak.
    """
    login = added.operator.login
    password = rules.parse_password(password, login=login)
    done = await finish_set_up(
        tx,
        knocked=Knocked(login, {}, now, await store.find_secrets(tx, login)),
        set_up_code=added.set_up_code,
        password_hash=hash_password(password),
        vault=vault,
        now=now,
    )
    assert isinstance(done, SetUp), "the code was made in this transaction"
    return done


async def _note(tx: Tx, operator_id: UUID, login: str, now: datetime) -> None:
    await ledger.note_action(
        tx,
        by=Actor(operator_id, login),
        action="operator.set_up",
        thing=f"operator:{login}",
        reason="设置密码与第二因素 · set up password and second factor",
        now=now,
    )
