"""Goal: a request to stop is never lost and never tears anything: it is remembered when it comes
and obeyed at the next safe moment, soon.

Method: real signals to this process, while it waits in each of the ways a supervisor waits.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from backend.cli.environment import Fault
from backend.cli.stopping import SIGNALS, Stop, Stopped
from backend.kit.migrate import MigrationError


@pytest.fixture
def stop() -> Iterator[Stop]:
    """A listening Stop; the handlers that were there before come back afterwards."""
    before = {sign: signal.getsignal(sign) for sign in SIGNALS}
    stop = Stop()
    stop.listen()
    yield stop
    for sign, handler in before.items():
        signal.signal(sign, handler)


def _ask_soon(sign: signal.Signals = signal.SIGTERM, seconds: float = 0.1) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), sign)).start()


@pytest.mark.parametrize("sign", SIGNALS)
def test_a_signal_interrupts_nothing_and_is_remembered(stop: Stop, sign: signal.Signals) -> None:
    stop.look()
    os.kill(os.getpid(), sign)
    assert stop.asked
    with pytest.raises(Stopped):
        stop.look()


def test_a_pause_ends_soon_after_somebody_asked(stop: Stop) -> None:
    _ask_soon()
    before = time.monotonic()
    with pytest.raises(Stopped):
        stop.pause(60)
    assert time.monotonic() - before < 5


def test_asynchronous_work_is_cancelled_and_may_clean_up(stop: Stop) -> None:
    done = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            done.append("cleaned up")

    _ask_soon()
    with pytest.raises(Stopped):
        stop.run(work())
    assert done == ["cleaned up"]


def test_work_that_ends_by_itself_gives_its_result_or_its_fault(stop: Stop) -> None:
    async def work(*, fails: bool) -> int:
        await asyncio.sleep(0)
        if fails:
            raise MigrationError("0001_bad: no")
        return 7

    assert stop.run(work(fails=False)) == 7
    with pytest.raises(Fault, match="0001_bad: no"):
        stop.run(work(fails=True))


def test_a_command_is_ended_even_if_it_does_not_want_to(
    stop: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.cli.stopping.CHILD_SECONDS", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    _ask_soon(seconds=0.3)
    before = time.monotonic()
    with pytest.raises(Stopped):
        stop.call([sys.executable, "-c", deaf], os.environ)
    assert time.monotonic() - before < 5


def test_a_command_that_ends_gives_its_exit_code(stop: Stop) -> None:
    assert stop.call([sys.executable, "-c", "raise SystemExit(3)"], os.environ) == 3
