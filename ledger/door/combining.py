"""Callers of one process work together: the first becomes the leader, works for all who came meanwhile, hands on."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

# The most requests one transaction takes on.
LARGEST_BATCH = 1000
# How long a leader waits for company, at most: a fraction of what a batch takes.
_LONGEST_WAIT_SECONDS = 0.0012


class _Ticket(Generic[Asked, Answered]):
    """One caller's requests. Its lock is released once: with answers, with an error, or to make it the leader."""

    __slots__ = ("_gate", "answers", "error", "is_shared", "requests")

    def __init__(self, requests: Sequence[Asked]) -> None:
        self.requests = requests
        self.answers: list[Answered] | None = None
        self.error: Exception | None = None
        self.is_shared = False
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self) -> None:
        self._gate.acquire()

    def wake(self) -> None:
        self._gate.release()


class Combiner(Generic[Asked, Answered]):
    """Callers in this process whose requests may share a transaction. `work` answers in the requests' places."""

    def __init__(self, work: Callable[[Sequence[Asked]], list[Answered]]) -> None:
        self._work = work
        self._mutex = threading.Lock()
        self._queue: list[_Ticket[Asked, Answered]] = []
        self._led = False
        self._last = 0
        # How many the leader waits for; whoever makes the number full lets go of the gate.
        self._wanted = 0
        self._gate = threading.Lock()
        self._gate.acquire()

    def submit(self, requests: Sequence[Asked]) -> list[Answered]:
        ticket: _Ticket[Asked, Answered] = _Ticket(requests)
        with self._mutex:
            self._queue.append(ticket)
            leads, self._led = not self._led, True
            if 0 < self._wanted <= len(self._queue):
                self._wanted = 0
                self._gate.release()
        if not leads:
            ticket.wait()
        if ticket.answers is None and ticket.error is None:
            self._lead()
        if ticket.answers is not None:
            return ticket.answers
        assert ticket.error is not None
        if ticket.is_shared:
            # The batch failed for a reason that may be another caller's. Asking again alone is safe: the requests
            # have keys, or the failed batch was rolled back.
            return self._work(requests)
        raise ticket.error

    def _lead(self) -> None:
        self._gather()
        batch = self._take()
        failure: BaseException | None = None
        try:
            answers = self._work([request for ticket in batch for request in ticket.requests])
            start = 0
            for ticket in batch:
                ticket.answers = answers[start : start + len(ticket.requests)]
                start += len(ticket.requests)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the others must be woken
            failure = error
            for ticket in batch:
                ticket.answers, ticket.is_shared = None, len(batch) > 1
                ticket.error = error if isinstance(error, Exception) else RuntimeError("the leader was stopped")
        with self._mutex:
            successor = self._queue[0] if self._queue else None
            self._led = successor is not None
        # Our own ticket, first in the batch, has nobody waiting on it.
        for ticket in batch[1:]:
            ticket.wake()
        if successor is not None:
            successor.wake()
        if failure is not None and not isinstance(failure, Exception):
            raise failure

    def _gather(self) -> None:
        """Wait a moment for those of the last batch, who have just been woken and come back with their next requests.

        Without it batches of one and of all the others take turns, at the price of two for each. Nobody waits when the
        last batch was small.
        """
        with self._mutex:
            wanted = (7 * self._last + 7) // 8
            if len(self._queue) >= wanted:
                return
            self._wanted = wanted
        if not self._gate.acquire(timeout=_LONGEST_WAIT_SECONDS):
            with self._mutex:
                if self._wanted:
                    self._wanted = 0
                    return
            # Somebody let go of it at this very moment.
            self._gate.acquire()

    def _take(self) -> list[_Ticket[Asked, Answered]]:
        """The leader's own ticket is the first of the queue, always."""
        with self._mutex:
            count, total = 0, 0
            for ticket in self._queue:
                total += len(ticket.requests)
                if count and total > LARGEST_BATCH:
                    break
                count += 1
            batch, self._queue = self._queue[:count], self._queue[count:]
            self._last = len(batch)
        return batch
