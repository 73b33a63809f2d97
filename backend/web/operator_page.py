"""The frame of the operators' pages: guard, dependency, reasons, and the way a page is rendered.

A page of a room is a module of its own beside this one:

    @get("/operator/cases", guards=[operator_page(Scope.CASES_OPERATE)], include_in_schema=False, …)
    async def show_cases(visit: NamedDependency[Visit], desk: NamedDependency[PageOperator], …):
        return render_desk(visit, "operator_cases.html", view)

Its template extends operator_base.html. A form carries `csrf('name', about)` and, where it does
something or shows a citizen, a `reason` (macro `reason_field`): `parse_reason` of access reads it,
and `desk.actor` is who is written down. What a role may open stands in LINKS.
"""

from typing import Any

import msgspec
from litestar import Response
from litestar.handlers.base import BaseRouteHandler

from backend.access.rules import Scope
from backend.kit.problem import Refusal
from backend.web.cookie import Connection
from backend.web.operator_session import PageOperator
from backend.web.render import render_page
from backend.web.session import OPERATOR_KEY, AnyRequest, SignInNeeded, Visit, door_of
from backend.web.words import Text

SIGN_IN_HREF = "/operator/sign-in"
HOME_HREF = "/operator"


class Link(msgspec.Struct, frozen=True):
    """A page that an operator with a scope may open."""

    scope: Scope
    href: str
    text: Text


# In the order in which the home page and the menu show them; a room adds its line.
LINKS: tuple[Link, ...] = (
    Link(Scope.PROGRAMMES_OPERATE, "/operator/programmes", Text("项目", "Programmes")),
    Link(Scope.CASES_OPERATE, "/operator/cases", Text("人工复核", "Cases")),
    Link(Scope.AUDIT_READ, "/operator/entries", Text("操作记录", "What operators did")),
)


class OperatorPage:
    """The guard of an operator's page: sends everybody else to sign in first."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Find the operator; raises SignInNeeded, or Refusal scope_insufficient."""
        operator = await door_of(connection).find_operator(connection)
        if operator is None:
            raise SignInNeeded(SIGN_IN_HREF)
        connection.state[OPERATOR_KEY] = operator
        if self.scope not in operator.principal.scopes:
            raise Refusal("scope_insufficient", scope=str(self.scope))


def operator_page(scope: Scope) -> OperatorPage:
    """Return the guard that asks for an operator's session with `scope`."""
    return OperatorPage(scope)


async def provide_desk(request: AnyRequest) -> PageOperator:
    """Return the operator the guard let in."""
    operator = request.state.get(OPERATOR_KEY)
    assert isinstance(operator, PageOperator), "the route's guard asks for an operator"
    return operator


class _Frame(msgspec.Struct, frozen=True):
    """What every page of the desk shows around its own."""

    name_zh: str
    name_en: str
    links: list[Link]


def render_desk(
    visit: Visit, template: str, view: msgspec.Struct, **settings: Any
) -> Response[bytes]:
    """Return a page of the desk; `settings` are those of `render_page`."""
    assert visit.operator is not None, "the route's guard asks for an operator"
    principal = visit.operator.principal
    links = [link for link in LINKS if link.scope in principal.scopes]
    frame = _Frame(principal.name_zh, principal.name_en, links)
    return render_page(visit, template, view, frame=frame, **settings)
