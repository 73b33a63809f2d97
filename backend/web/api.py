"""All pages, with what they have in common: who is at the browser, and errors as pages.

app takes `ROUTES`, puts a `PageDoor` at `app.state["page_door"]`, and answers addresses that have
no route by `error.wants_page` and `error.error_page`.
"""

from litestar import Router
from litestar.di import Provide
from litestar.exceptions import HTTPException

from backend.kit.problem import Refusal
from backend.web import (
    accesses,
    cases,
    catalogue,
    consent,
    consents,
    home,
    notices,
    operator_cases,
    operator_desk,
    operator_entries,
    operator_programmes,
    orders,
    participation,
    programmes,
    records,
    register,
    score,
    sign_in,
    simulation,
    static_file,
)
from backend.web.error import (
    on_page_fault,
    on_page_framework_error,
    on_page_refusal,
    on_sign_in_needed,
)
from backend.web.operator_page import provide_desk
from backend.web.session import SignInNeeded, provide_visit, provide_visitor

PAGES = Router(
    path="/",
    route_handlers=[
        *accesses.ROUTES,
        *cases.ROUTES,
        *catalogue.ROUTES,
        *consent.ROUTES,
        *consents.ROUTES,
        *home.ROUTES,
        *notices.ROUTES,
        *operator_cases.ROUTES,
        *operator_desk.ROUTES,
        *operator_entries.ROUTES,
        *operator_programmes.ROUTES,
        *orders.ROUTES,
        *participation.ROUTES,
        *programmes.ROUTES,
        *records.ROUTES,
        *register.ROUTES,
        *score.ROUTES,
        *sign_in.ROUTES,
        *simulation.ROUTES,
        *static_file.ROUTES,
    ],
    dependencies={
        "desk": Provide(provide_desk),
        "visit": Provide(provide_visit),
        "visitor": Provide(provide_visitor),
    },
    exception_handlers={
        Refusal: on_page_refusal,
        SignInNeeded: on_sign_in_needed,
        HTTPException: on_page_framework_error,
        Exception: on_page_fault,
    },
)

ROUTES = [PAGES]
