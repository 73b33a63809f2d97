"""One queue a process: requests that arrive while a flush is in flight share the next one.

There is no timer. The first request flushes alone and at once; whatever comes in meanwhile is
the next batch, so batches grow with the load and an idle service answers without waiting. A
batch commits as one transaction, and every caller waits for the commit of its own batch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from backend.kit.metric import BATCH_SIZE
from backend.kit.problem import Unavailable

Q = TypeVar("Q")
A = TypeVar("A")

BATCH_MAX = 256
QUEUE_MAX = 4096

_Entry = tuple[Q, asyncio.Future[A]]


class Batcher(Generic[Q, A]):
    """Answers questions in batches through one `flush` at a time.

    `flush` gets 1 to `batch_max` questions and returns as many answers, in their order, after
    its commit. When it raises, its transaction must have been rolled back.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        name: str,
        batch_max: int = BATCH_MAX,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        assert 0 < batch_max <= BATCH_MAX, "a batch is bounded"
        assert queue_max > 0, "a queue without room refuses everybody"
        self._flush = flush
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._sizes = BATCH_SIZE.labels(name)
        self._name = name
        self._queue: deque[_Entry[Q, A]] = deque()
        self._run: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(self, question: Q) -> A:
        """Return the answer to `question` once the batch that carried it is committed.

        Raises Unavailable when the queue is full or closed, and whatever `flush` raises for
        this question alone.
        """
        if self._closed or len(self._queue) >= self._queue_max:
            raise Unavailable(self._name)
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._queue.append((question, answer))
        if self._run is None:
            self._run = asyncio.create_task(self._work(), name=f"batch {self._name}")
        return await answer

    async def close(self) -> None:
        """Take no more questions, and return when those already taken are answered."""
        self._closed = True
        if self._run is not None:
            await asyncio.gather(self._run, return_exceptions=True)
        assert not self._queue, "a closed queue is empty"

    async def _work(self) -> None:
        """Flush until nobody waits; the next question starts a new run."""
        batch: list[_Entry[Q, A]] = []
        try:
            while batch := self._next_batch():
                await self._answer(batch)
        finally:
            # No await stands between the last look at the queue and this line, so no question
            # can slip in unseen. After a cancellation those who wait are told instead of left.
            self._run = None
            _fail_all([*batch, *self._queue], self._name)
            self._queue.clear()

    def _next_batch(self) -> list[_Entry[Q, A]]:
        """Take up to `batch_max` questions whose callers still wait."""
        batch: list[_Entry[Q, A]] = []
        while self._queue and len(batch) < self._batch_max:
            entry = self._queue.popleft()
            if not entry[1].done():
                batch.append(entry)
        return batch

    async def _answer(self, batch: list[_Entry[Q, A]]) -> None:
        """Flush a batch; when it fails, find whom it fails for by halving it.

        One poisoned question among n costs about 2·log2(n) flushes and fails alone. A service
        that is away fails everybody at once: asking it again n times would only keep it down.
        """
        self._sizes.observe(len(batch))
        try:
            answers = await self._flush([question for question, _ in batch])
            assert len(answers) == len(batch), "one answer a question"
        except Unavailable as away:
            _fail_all(batch, str(away.facts["what"]))
        except Exception as fault:
            if len(batch) == 1:
                _fail(batch[0][1], fault)
                return
            middle = len(batch) // 2
            await self._answer(batch[:middle])
            await self._answer(batch[middle:])
        else:
            for (_, waiting), answer in zip(batch, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)


def _fail_all(batch: Iterable[_Entry[Q, A]], what: str) -> None:
    """Tell everybody who still waits that `what` is away, each with an exception of their own."""
    for _, answer in batch:
        _fail(answer, Unavailable(what))


def _fail(answer: asyncio.Future[A], fault: Exception) -> None:
    if not answer.done():
        answer.set_exception(fault)
