"""How the demo tells a story: numbered steps, each with the request made and its real answer."""

import json
import time
from collections.abc import Callable
from typing import Any

import click

from backend.cli.citizen_app import CitizenApp

WIDTH = 100
_WAIT_SECONDS = 120
_POLL_SECONDS = 0.2


class DemoFailed(click.ClickException):
    """A step did not go as the story says; the line names the step and the answer."""


class Story:
    """Prints steps as they happen; `as_json` prints one JSON object a step instead."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._number = 0
        self._title = ""

    def chapter(self, title: str) -> None:
        """Print a heading."""
        if not self._as_json:
            click.echo(f"\n{title}\n{'=' * len(title.encode('gb18030'))}")

    def step(self, title: str) -> None:
        """Begin a step."""
        self._number += 1
        self._title = title
        if not self._as_json:
            click.echo(f"\n{self._number:2}  {title}")

    def answer(self, request: str, status: int, body: Any, *, expected: int) -> None:
        """Print a request with its answer; raises DemoFailed unless the status is expected."""
        self.show(request, status, body)
        if status != expected:
            raise DemoFailed(
                f"step {self._number} ({self._title}): expected {expected}, got {status}"
            )

    def show(self, request: str, status: int, body: Any) -> None:
        """Print one request and what came of it."""
        if self._as_json:
            step = {"step": self._number, "title": self._title, "request": request}
            click.echo(json.dumps({**step, "status": status, "body": body}, ensure_ascii=False))
            return
        click.echo(f"    {request} → {status}")
        for line in _lines(body):
            click.echo(f"      {line}")

    def note(self, text: str) -> None:
        """Print one line of what an answer holds."""
        if not self._as_json:
            click.echo(f"      {text}")

    def check(self, fact: bool, message: str, *, is_told: bool = True) -> None:
        """Print what was seen to be so, if it is told; raises DemoFailed when it is not so."""
        if not fact:
            raise DemoFailed(f"step {self._number} ({self._title}): not so: {message}")
        if is_told and not self._as_json:
            click.echo(f"    ✓ {message}")

    def wait(self, fact: Callable[[], bool], message: str) -> None:
        """Wait for something the worker does, untold; raises DemoFailed when it doesn't come."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while not fact():
            self.check(time.monotonic() < deadline, message, is_told=False)
            time.sleep(_POLL_SECONDS)


def ask(
    story: Story,
    app: CitizenApp,
    method: str,
    path: str,
    *,
    body: dict[str, Any] | None = None,
    expected: int,
    only: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Make one call of the app's and print its answer, or only some members of it."""
    response = app.call(method, path, body)
    answer = response.json() if response.content else None
    shown = answer if not only or answer is None else {name: answer[name] for name in only}
    story.answer(f"{method} {path}", response.status_code, shown, expected=expected)
    return answer or {}


def _lines(body: Any) -> list[str]:
    """Lay out JSON: a line for what fits into one, else a line a member."""
    if body is None:
        return []
    text = _compact(body)
    if len(text) <= WIDTH - 6 or not isinstance(body, dict):
        return [text[: 3 * WIDTH]]
    return [f"{key}: {_compact(value)}" for key, value in body.items()]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
