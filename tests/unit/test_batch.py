"""Goal: requests share flushes, and no request pays for a neighbour's poison, departure or crash.

Method: a flush written here that records its batches and waits at a gate, so that every
interleaving is chosen by the test and nothing depends on time.
"""

import asyncio
from collections.abc import Sequence

import pytest

from backend.kit.batch import Batcher
from backend.kit.problem import Unavailable


class Flush:
    """Doubles numbers; stops at a gate; fails for the numbers it was told to fail for."""

    def __init__(self, *, open_gate: bool = True, poison: set[int] | None = None) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.poison = poison or set()
        if open_gate:
            self.gate.set()

    async def __call__(self, questions: Sequence[int]) -> list[int]:
        self.batches.append(list(questions))
        await self.gate.wait()
        if self.poison & set(questions):
            raise ValueError(sorted(self.poison & set(questions)))
        return [question * 2 for question in questions]


async def started(count: int) -> None:
    """Let tasks that are ready run until they wait."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_lone_question_is_flushed_at_once() -> None:
    flush = Flush()
    assert await Batcher(flush, name="test").ask(21) == 42
    assert flush.batches == [[21]]


async def test_what_arrives_during_a_flush_shares_the_next_one() -> None:
    flush = Flush(open_gate=False)
    batcher = Batcher(flush, name="test")
    first = asyncio.create_task(batcher.ask(0))
    await started(3)
    rest = [asyncio.create_task(batcher.ask(number)) for number in range(1, 50)]
    await started(3)
    assert flush.batches == [[0]], "one flush at a time"
    flush.gate.set()
    assert await asyncio.gather(first, *rest) == [number * 2 for number in range(50)]
    assert flush.batches == [[0], list(range(1, 50))]


async def test_a_batch_is_bounded() -> None:
    flush = Flush()
    batcher = Batcher(flush, name="test", batch_max=4)
    await asyncio.gather(*(batcher.ask(number) for number in range(10)))
    assert [len(batch) for batch in flush.batches] == [4, 4, 2]


async def test_a_full_queue_refuses_instead_of_growing() -> None:
    flush = Flush(open_gate=False)
    batcher = Batcher(flush, name="test", queue_max=2)
    tasks = [asyncio.create_task(batcher.ask(0))]
    await started(3)
    tasks += [asyncio.create_task(batcher.ask(number)) for number in (1, 2)]
    await started(3)
    with pytest.raises(Unavailable):
        await batcher.ask(3)
    flush.gate.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4], "those who got in are answered"


async def test_a_poisoned_question_fails_alone() -> None:
    flush = Flush(poison={5, 77})
    batcher = Batcher(flush, name="test")
    answers = await asyncio.gather(
        *(batcher.ask(number) for number in range(100)), return_exceptions=True
    )
    for number, answer in enumerate(answers):
        if number in {5, 77}:
            assert isinstance(answer, ValueError)
            assert answer.args == ([number],), "each gets its own fault, not a neighbour's"
        else:
            assert answer == number * 2
    assert len(flush.batches) <= 2 * 2 * 7 + 1, "two poisoned of a hundred: a search, not a scan"


async def test_a_service_that_is_away_fails_the_batch_once_and_the_next_one_works() -> None:
    calls = 0

    async def flush(questions: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Unavailable("database")
        return list(questions)

    batcher = Batcher(flush, name="test")
    answers = await asyncio.gather(
        *(batcher.ask(number) for number in range(64)), return_exceptions=True
    )
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert len({id(answer) for answer in answers}) == 64, "no exception is shared by two callers"
    assert calls == 1, "a server that is down is not asked 64 times"
    assert await batcher.ask(7) == 7


async def test_a_caller_who_leaves_the_queue_is_not_flushed() -> None:
    flush = Flush(open_gate=False)
    batcher = Batcher(flush, name="test")
    first = asyncio.create_task(batcher.ask(0))
    await started(3)
    leaver, stayer = (asyncio.create_task(batcher.ask(number)) for number in (1, 2))
    await started(3)
    leaver.cancel()
    await started(3)
    flush.gate.set()
    assert await asyncio.gather(first, stayer) == [0, 4]
    assert flush.batches == [[0], [2]]


async def test_a_caller_who_leaves_during_the_flush_disturbs_nobody() -> None:
    flush = Flush(open_gate=False)
    batcher = Batcher(flush, name="test")
    leaver, stayer = (asyncio.create_task(batcher.ask(number)) for number in (1, 2))
    await started(3)
    assert flush.batches == [[1, 2]]
    leaver.cancel()
    await started(3)
    flush.gate.set()
    assert await stayer == 4
    assert leaver.cancelled()


async def test_closing_answers_what_was_taken_and_takes_no_more() -> None:
    flush = Flush(open_gate=False)
    batcher = Batcher(flush, name="test", batch_max=2)
    tasks = [asyncio.create_task(batcher.ask(number)) for number in range(5)]
    await started(3)
    closing = asyncio.create_task(batcher.close())
    await started(3)
    with pytest.raises(Unavailable):
        await batcher.ask(9)
    flush.gate.set()
    await closing
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]


async def test_when_the_flush_is_cancelled_those_who_wait_are_told() -> None:
    flush = Flush(open_gate=False)
    batcher = Batcher(flush, name="test", batch_max=2)
    tasks = [asyncio.create_task(batcher.ask(number)) for number in range(5)]
    await started(3)
    (run,) = (task for task in asyncio.all_tasks() if task.get_name() == "batch test")
    run.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)


async def test_a_wrong_number_of_answers_reaches_nobody() -> None:
    async def flush(questions: Sequence[int]) -> list[int]:
        return [*questions, 0]

    batcher = Batcher(flush, name="test")
    with pytest.raises(AssertionError, match="one answer a question"):
        await batcher.ask(1)
