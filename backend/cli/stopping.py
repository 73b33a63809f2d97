"""A request to stop that arrives at any moment and is obeyed at the next safe one.

A signal handler that raises would do so between any two instructions: inside a destructor, where
Python drops the exception, or inside a library's callback, which takes it for a fault of its own.
Either way the request is lost. So the handler only remembers, and whoever waits looks.
"""

import asyncio
import signal
import subprocess
import time
from collections.abc import Coroutine, Mapping, Sequence
from types import FrameType
from typing import Any, Final, TypeVar

from backend.cli.environment import run
from backend.kit.child import bound_to_us, end

T = TypeVar("T")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS: Final = 0.05
CHILD_SECONDS: Final = 3.0


class Stopped(Exception):
    """Somebody asked to stop; raised where it is safe to begin with that."""


class Stop:
    """Remembers that somebody asked; `asked` is set by a signal from `listen` on."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP as requests to stop."""
        for sign in SIGNALS:
            signal.signal(sign, self._remember)

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def look(self) -> None:
        """Raise Stopped if somebody asked."""
        if self.asked:
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Sleep, but look often."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.look()
            time.sleep(min(LOOK_SECONDS, left))
        self.look()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run asynchronous work; a request to stop cancels it. Faults as environment.run's."""
        return run(self._watched(work))

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_SECONDS)
            if self.asked and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise Stopped
        return task.result()

    def call(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command to its end and give its exit code; a request to stop ends it first."""
        process = subprocess.Popen(  # noqa: S603 - our own program
            bound_to_us(command), env=environment, start_new_session=True
        )
        try:
            while (code := process.poll()) is None:
                self.pause(LOOK_SECONDS)
            return code
        except Stopped:
            end(process, CHILD_SECONDS)
            raise
