"""The citizen room's verbs: sign-in by one-time code, the account, taking part and leaving."""

from backend.citizen.service.account import (
    CURRENT_NOTICE,
    count_participants,
    delete_account,
    find_account_key,
    find_participation_key,
    find_phone,
    get_participation,
    get_profile,
    hold_account_key,
    hold_participation,
    join,
    leave,
    lock_participation_keys,
    sweep,
)
from backend.citizen.service.demography import Demographics, list_demographics
from backend.citizen.service.sign_in import (
    SESSION_PREFIX,
    end_session,
    extend_session,
    find_session,
    register,
    request_code,
    sign_in,
)

__all__ = [
    "CURRENT_NOTICE",
    "SESSION_PREFIX",
    "Demographics",
    "count_participants",
    "delete_account",
    "end_session",
    "extend_session",
    "find_account_key",
    "find_participation_key",
    "find_phone",
    "find_session",
    "get_participation",
    "get_profile",
    "hold_account_key",
    "hold_participation",
    "join",
    "leave",
    "list_demographics",
    "lock_participation_keys",
    "register",
    "request_code",
    "sign_in",
    "sweep",
]
