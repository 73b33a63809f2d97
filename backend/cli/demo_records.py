"""The part of the demo in which a department corrects a record, and its citizen sees what it did.

The record is corrected back before the part ends, so that it can be played again and again.
"""

import csv
import io
import secrets
from typing import Any

import httpx

from backend.cli.citizen_app import CitizenApp
from backend.cli.department_app import SUBMISSIONS, DepartmentApp
from backend.cli.story import Story, ask

CLASS = "library_return"
# Two of her returns were typed for twelve; two is what the demo city has.
RIGHT, CORRECTED = 2, 12
HOURS = 10
_COLUMNS = ("national_id", "external_id", "version", "occurred_on", "quantity")


def correct(story: Story, app: CitizenApp, library: DepartmentApp, national_id: str) -> None:
    """Let the library hand a correction in, and her see what it changed and what would help."""
    story.chapter("The library corrects what it reported")
    story.step("Its software gets a token for the department itself: no citizen, no password.")
    token = library.get_token()
    shown = {k: v for k, v in token.json().items() if k != "access_token"}
    story.answer("POST /oauth/token", token.status_code, shown, expected=200)
    _put_back(story, app, library, national_id)
    before = _revision(app)
    story.step("It hands a file in: twelve books were typed as two; and a line with a new slip.")
    record = _newest_return(app)
    lines = [
        _line(record, national_id, quantity=CORRECTED),
        _line(record, national_id, quantity=1)
        | {"external_id": f"slip-{secrets.token_hex(4)}", "version": 1, "occurred_on": "24.11.26"},
    ]
    answer = _hand_in(library, lines)
    submission = answer.json()
    _answer(story, "POST /v1/submissions", answer, ("class_code", "status"), expected=202)
    story.step("The good line goes in as a higher version; the bad one is kept aside, and why.")
    taken = library.wait_until_taken_in(submission["submission_id"])
    members = ("status", "accepted", "rejected", "corrections")
    _answer(story, "GET /v1/submissions/{id}", taken, members, expected=200)
    errors = library.look(f"{SUBMISSIONS}/{submission['submission_id']}/errors")
    [error] = errors.json()["items"]
    story.answer("GET /v1/submissions/{id}/errors", errors.status_code, error, expected=200)
    _see(story, app, before)
    story.step("The library looks again: two it was. A higher version; nothing is overwritten.")
    fresh = _line(_newest_return(app), national_id, quantity=RIGHT)
    answer = _hand_in(library, [fresh])
    _answer(story, "POST /v1/submissions", answer, ("class_code", "status"), expected=202)
    taken = library.wait_until_taken_in(answer.json()["submission_id"])
    story.check(taken.json()["corrections"] == 1, "every version is kept, the highest one counts")


def _see(story: Story, app: CitizenApp, before: int) -> None:
    story.chapter("She sees what it changed, and tries out what would help")
    story.step("Her record says what the library says now, and her score has followed.")
    _wait_for_a_revision_after(story, app, before)
    record = _newest_return(app)
    shown = {
        "what": record["record_class"]["name_zh"],
        "who": record["source"]["name_zh"],
        "quantity": record["quantity"],
        "status": record["status"],
        "counts": record["counts"],
    }
    story.show("GET /v1/me/records", 200, shown)
    story.step("What changed, item by item, with the version that came and the one that left.")
    changes = ask(
        story,
        app,
        "GET",
        f"/v1/me/score/changes?from={before}",
        expected=200,
        only=("delta_points",),
    )
    for item in changes["items"]:
        story.note(f"{item['delta_points']:+4}  {item['text_zh']}")
        for word in ("left", "came"):
            for each in item[word]:
                story.note(f"      {word}: {each['source']} {each['quantity']}")
    total = sum(item["delta_points"] for item in changes["items"])
    difference = changes["after"]["points"] - changes["before"]["points"]
    story.check(total == difference == changes["delta_points"], "it adds up to the last point")
    story.step(f"She tries out what {HOURS} more hours of volunteering would do.")
    day = changes["after"]["as_of"]
    change = {"kind": "add", "record_class": "volunteer_service", "occurred_on": day}
    body = {"changes": [change | {"quantity": HOURS}]}
    path = "/v1/me/score/simulations"
    what_if = ask(story, app, "POST", path, body=body, expected=200, only=("delta_points",))
    for item in what_if["items"]:
        story.note(f"{item['delta_points']:+4}  {item['text_zh']}")
    after = app.call("GET", "/v1/me/score").json()
    same = after["points"] == what_if["before"]["points"] == changes["after"]["points"]
    story.check(same and _revision(app) == changes["after"]["revision"], "nothing has changed")


def _put_back(story: Story, app: CitizenApp, library: DepartmentApp, national_id: str) -> None:
    """Undo the correction of a story that was cut short, and say nothing of it."""
    record = _newest_return(app)
    if record["quantity"] == RIGHT:
        return
    before = _revision(app)
    answer = _hand_in(library, [_line(record, national_id, quantity=RIGHT)])
    library.wait_until_taken_in(answer.json()["submission_id"])
    _wait_for_a_revision_after(story, app, before)


def _newest_return(app: CitizenApp) -> dict[str, Any]:
    records = app.call("GET", "/v1/me/records?page_size=100").json()["items"]
    returns = [each for each in records if each["record_class"]["code"] == CLASS]
    newest: dict[str, Any] = max(returns, key=lambda each: str(each["occurred_on"]))
    return newest


def _revision(app: CitizenApp) -> int:
    history = app.call("GET", "/v1/me/score/history?page_size=1").json()
    return int(history["items"][0]["revision"])


def _wait_for_a_revision_after(story: Story, app: CitizenApp, before: int) -> None:
    story.wait(lambda: _revision(app) != before, "the score follows its records")


def _line(record: dict[str, Any], national_id: str, *, quantity: int) -> dict[str, Any]:
    """Write a record again as a version of its own: one above the newest, all cells."""
    return {
        "national_id": national_id,
        "external_id": record["external_id"],
        "version": record["version"] + 1,
        "occurred_on": record["occurred_on"],
        "quantity": quantity,
    }


def _hand_in(library: DepartmentApp, lines: list[dict[str, Any]]) -> httpx.Response:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return library.hand_in(CLASS, f"demo-{secrets.token_hex(8)}", text.getvalue().encode())


def _answer(
    story: Story,
    request: str,
    answer: httpx.Response,
    members: tuple[str, ...],
    *,
    expected: int,
) -> None:
    body = answer.json()
    shown = {name: body[name] for name in members} if answer.is_success else body
    story.answer(request, answer.status_code, shown, expected=expected)
