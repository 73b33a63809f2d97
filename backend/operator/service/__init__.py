"""The operator room's verbs: who runs the service, how they come in, what they hold."""

from backend.operator.service.account import (
    Added,
    add,
    find,
    list_all,
    reset,
    set_roles,
    set_suspended,
)
from backend.operator.service.limit import Knock
from backend.operator.service.session import end_session, find_session, note_use, sweep
from backend.operator.service.set_up import SetUp, SetUpFailed, finish_set_up, set_up_at_once
from backend.operator.service.sign_in import SESSION_PREFIX, Knocked, enter, knock, prove

__all__ = [
    "SESSION_PREFIX",
    "Added",
    "Knock",
    "Knocked",
    "SetUp",
    "SetUpFailed",
    "add",
    "end_session",
    "enter",
    "find",
    "find_session",
    "finish_set_up",
    "knock",
    "list_all",
    "note_use",
    "prove",
    "reset",
    "set_roles",
    "set_suspended",
    "set_up_at_once",
    "sweep",
]
