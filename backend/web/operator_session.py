"""Who of the operators is at a browser: a cookie of their own, apart from any citizen's."""

import re

import msgspec

from backend.access.rules import OperatorPrincipal
from backend.kit.clock import Clock
from backend.kit.ids import token_hash
from backend.kit.postgres import Database
from backend.ledger.rules import Actor
from backend.operator import rules
from backend.operator import service as operator
from backend.operator.rules import SessionKind
from backend.web.cookie import Connection, Site, read_operator

_TOKEN = re.compile(r"cp_op_[A-Za-z0-9_-]{43}")


class PageOperator(msgspec.Struct, frozen=True):
    """An operator signed in at a browser; `token` is the secret its forms are bound to."""

    principal: OperatorPrincipal
    token: str

    @property
    def actor(self) -> Actor:
        """Who acts, as it is written down."""
        return Actor.of(self.principal)


async def find_operator(
    connection: Connection, *, site: Site, db: Database, clock: Clock
) -> PageOperator | None:
    """Return the operator signed in at the browser, or None; notes that the session is in use."""
    token = read_operator(connection, site)
    if token is None or not _TOKEN.fullmatch(token):
        return None
    now = clock.now()
    async with db.read() as tx:
        session = await operator.find_session(
            tx, token_hash=token_hash(token), kind=SessionKind.WEB, now=now
        )
    if session is None:
        return None
    if now - session.seen_at >= rules.SESSION_NOTED_EVERY:
        async with db.write() as tx:
            if not await operator.note_use(tx, session=session, now=now):
                return None
    return PageOperator(rules.principal_of(session), token)
