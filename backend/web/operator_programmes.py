"""Programmes at the operators' desk: what there is, one version with its dry run, and its steps.

A version is drafted from a file, at the shell or over HTTP (docs/programmes.md); from there on two
people can do the rest here.
"""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from backend.access.reason import REASON_CHARACTERS_MAX, parse_reason
from backend.access.rules import Scope
from backend.kit.clock import Clock
from backend.kit.page import PAGE_SIZE_DEFAULT
from backend.kit.postgres import Database, ReadTx
from backend.kit.problem import Refusal
from backend.ledger.rules import Actor
from backend.programme import service as programme
from backend.programme.rules.dry_run import DryRun
from backend.programme.rules.life import ListedVersion
from backend.web.form import Fault
from backend.web.operator_page import operator_page, render_desk
from backend.web.operator_session import PageOperator
from backend.web.render import see_other
from backend.web.session import AnyRequest, Visit
from backend.web.words import Text

LIST_HREF = "/operator/programmes"
_PROGRAMMES = operator_page(Scope.PROGRAMMES_OPERATE)
_CODE_LENGTH_MAX, _VERSION_MAX = 64, 1_000_000
_STATES = {
    "draft": Text("草稿", "Draft"),
    "submitted": Text("已提交，待审批", "Submitted, to be decided"),
    "rejected": Text("未通过", "Rejected"),
    "live": Text("生效中", "Live"),
    "retired": Text("已被新版本取代", "Retired"),
    "paused": Text("已暂停", "Paused"),
    "ended": Text("已结束", "Ended"),
}
_STEPS = {
    "submit": Text("提交审批", "Submit"),
    "dry-run": Text("预演", "Dry run"),
    "approve": Text("批准并生效", "Approve: it is live"),
    "reject": Text("不予通过", "Reject"),
    "pause": Text("暂停", "Pause"),
    "resume": Text("恢复", "Resume"),
    "end": Text("结束", "End"),
}
_DONE = Text("已完成，并已记入操作记录", "Done, and written down")
_REASON_FAULT = Text(
    f"请写一行理由，最多 {REASON_CHARACTERS_MAX} 字",
    f"Say why on one line, in up to {REASON_CHARACTERS_MAX} characters",
)


class StepForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which step, why, and, with an approval, the dry run that was shown."""

    step: str = ""
    dry_run_id: str = ""
    reason: str = ""
    csrf: str = ""


class ListedView(msgspec.Struct, frozen=True):
    """A version in the list."""

    href: str
    name: Text
    version: int
    state: Text
    drafted_by: str


class ProgrammesView(msgspec.Struct, frozen=True):
    """One page of versions."""

    versions: list[ListedView]
    next_href: str


class VersionPageView(msgspec.Struct, frozen=True):
    """One version, its latest dry run, and the steps that its state allows.

    `text` is the file, which holds what is approved; nothing for what a release brought along.
    """

    done: Text | None
    faults: list[Fault]
    href: str
    about: str
    name: Text
    baseline: Text
    benefit: Text
    version: int
    seats: int
    state: Text
    drafted_by: str
    drafted_at: datetime
    submitted_by: str
    decided_by: str
    text: str
    dry_run: DryRun | None
    steps: dict[str, Text]
    form: StepForm


@get(
    LIST_HREF,
    operation_id="web_operator_programmes_show",
    guards=[_PROGRAMMES],
    include_in_schema=False,
)
async def show_programmes(
    request: AnyRequest, visit: NamedDependency[Visit], db: NamedDependency[Database]
) -> Response[bytes]:
    """Show every version there is, by programme."""
    async with db.read() as tx:
        page = await programme.list_versions(
            tx, cursor=request.query_params.get("cursor"), page_size=PAGE_SIZE_DEFAULT
        )
    view = ProgrammesView(
        versions=[_listed(each) for each in page.items],
        next_href=f"{LIST_HREF}?cursor={page.next_cursor}" if page.next_cursor else "",
    )
    return render_desk(visit, "operator_programmes.html", view)


@get(
    "/operator/programmes/{code:str}/{version:int}",
    operation_id="web_operator_programme_show",
    guards=[_PROGRAMMES],
    include_in_schema=False,
)
async def show_version(
    code: FromPath[str],
    version: FromPath[int],
    request: AnyRequest,
    visit: NamedDependency[Visit],
    db: NamedDependency[Database],
) -> Response[bytes]:
    """Show a version and what may be done with it."""
    done = _DONE if "done" in request.query_params else None
    async with db.read() as tx:
        view = await _view(tx, code, version, done=done, faults=[], form=StepForm())
    return render_desk(visit, "operator_programme.html", view)


@post(
    "/operator/programmes/{code:str}/{version:int}",
    operation_id="web_operator_programme_step",
    guards=[_PROGRAMMES],
    include_in_schema=False,
)
async def take_step(
    code: FromPath[str],
    version: FromPath[int],
    body: RawBody,
    visit: NamedDependency[Visit],
    desk: NamedDependency[PageOperator],
    db: NamedDependency[Database],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """Take one step of a version or its programme, for a reason."""
    form = visit.read_form(StepForm, body)
    about = f"{code}-{version}"
    visit.check_form(form.csrf, "programme-step", about)
    try:
        reason = parse_reason(form.reason)
    except Refusal:
        faults = [Fault("reason", _REASON_FAULT)]
        async with db.read() as tx:
            view = await _view(tx, code, version, done=None, faults=faults, form=form)
        return render_desk(visit, "operator_programme.html", view, status=422)
    await _carry_out(form, code, version, _Turn(db, visit, desk.actor, reason, clock.now()))
    return see_other(visit, f"{LIST_HREF}/{code}/{version}?done=1")


class _Turn(msgspec.Struct, frozen=True):
    db: Database
    visit: Visit
    by: Actor
    reason: str
    now: datetime


async def _carry_out(form: StepForm, code: str, version: int, turn: _Turn) -> None:
    by, reason, now = turn.by, turn.reason, turn.now
    if form.step == "dry-run":
        async with turn.db.read() as look:
            signed = await programme.work_out_dry_run(
                look,
                code=code,
                version=version,
                made_by=by.login,
                vault=turn.visit.vault,
                now=now,
            )
        async with turn.db.write() as tx:
            await programme.keep_dry_run(tx, signed=signed, by=by, reason=reason)
        return
    async with turn.db.write() as tx:
        if form.step == "approve":
            dry_run_id = _id_in(form.dry_run_id)
            await programme.approve(
                tx,
                code=code,
                version=version,
                dry_run_id=dry_run_id,
                by=by,
                reason=reason,
                now=now,
            )
        elif form.step in _OF_VERSIONS:
            step = _OF_VERSIONS[form.step]
            await step(tx, code=code, version=version, by=by, reason=reason, now=now)
        elif form.step in _OF_PROGRAMMES:
            whole = _OF_PROGRAMMES[form.step]
            await whole(tx, programme_code=code, by=by, reason=reason, now=now)
        else:
            raise Refusal("body_invalid")


_OF_VERSIONS = {"submit": programme.submit, "reject": programme.reject}
_OF_PROGRAMMES = {"pause": programme.pause, "resume": programme.resume, "end": programme.end}


async def _view(
    tx: ReadTx,
    code: str,
    version: int,
    *,
    done: Text | None,
    faults: list[Fault],
    form: StepForm,
) -> VersionPageView:
    if len(code) > _CODE_LENGTH_MAX or not code.isascii() or not code.isprintable():
        raise Refusal("programme_unknown")
    if not 1 <= version <= _VERSION_MAX:
        raise Refusal("programme_unknown")
    found = await programme.get_version(tx, code=code, version=version)
    live = await programme.find_programme(tx, programme_code=code)
    state = found.state.value
    if state == "live":
        assert live is not None, "what is live is a programme"
        state = "ended" if live.is_ended else "paused" if live.is_paused else "live"
    looks = await programme.list_dry_runs(tx, code=code, version=version)
    latest = looks[0].dry_run if looks and looks[0].dry_run.digest == found.digest.hex() else None
    document = found.document
    return VersionPageView(
        done=done,
        faults=faults,
        href=f"{LIST_HREF}/{code}/{version}",
        about=f"{code}-{version}",
        name=Text(document["name_zh"], document["name_en"]),
        baseline=Text(document["baseline_zh"], document["baseline_en"]),
        benefit=Text(document["benefit_zh"], document["benefit_en"]),
        version=version,
        seats=document["seats"],
        state=_STATES[state],
        drafted_by=found.drafted_by,
        drafted_at=found.drafted_at,
        submitted_by=found.submitted_by or "",
        decided_by=found.decided_by or "",
        text=found.text,
        dry_run=latest,
        steps={step: _STEPS[step] for step in _steps(state, latest)},
        form=form,
    )


def _steps(state: str, latest: DryRun | None) -> list[str]:
    """Return the steps that a state allows; who may take them is decided when they are taken."""
    if state == "draft":
        return ["dry-run", "submit"]
    if state == "submitted":
        is_fit = latest is not None and latest.is_sound
        return ["dry-run", *(["approve"] if is_fit else []), "reject"]
    return {"live": ["pause", "end"], "paused": ["resume", "end"]}.get(state, [])


def _listed(each: ListedVersion) -> ListedView:
    state = each.state
    if state == "live":
        state = "ended" if each.is_ended else "paused" if each.is_paused else "live"
    return ListedView(
        href=f"{LIST_HREF}/{each.programme_code}/{each.version}",
        name=Text(each.name_zh, each.name_en),
        version=each.version,
        state=_STATES[state],
        drafted_by=each.drafted_by,
    )


def _id_in(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refusal("body_invalid") from None


ROUTES = [show_programmes, show_version, take_step]
