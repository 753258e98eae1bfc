"""Callers of one process clear together: the first becomes the leader, clears for all who came meanwhile, hands on."""

import os
import threading
import time
from collections.abc import Callable, Sequence

from market.answers import Answers, NewOrder
from market.clearing import clear

# The most orders one transaction takes on.
LARGEST_BATCH = 1000
# How long a leader waits for company, at most: a fraction of what a clearing takes.
_LOOKS, _LOOK_SECONDS = 4, 0.0003


class _Ticket:
    """One caller's orders. Its lock is released once: with the answers, with an error, or to make it the leader."""

    __slots__ = ("_gate", "answers", "error", "orders")

    def __init__(self, orders: Sequence[NewOrder]) -> None:
        self.orders = orders
        self.answers: Answers | None = None
        self.error: Exception | None = None
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self) -> None:
        self._gate.acquire()

    def wake(self) -> None:
        self._gate.release()


class Combiner:
    """One instrument's callers in this process."""

    def __init__(self, clear: Callable[[Sequence[NewOrder]], Answers]) -> None:
        self._clear = clear
        self._mutex = threading.Lock()
        self._queue: list[_Ticket] = []
        self._led = False
        self._last = 0

    def submit(self, orders: Sequence[NewOrder]) -> Answers:
        ticket = _Ticket(orders)
        with self._mutex:
            self._queue.append(ticket)
            leads, self._led = not self._led, True
        if not leads:
            ticket.wait()
        if ticket.answers is None and ticket.error is None:
            self._lead()
        if ticket.answers is not None:
            return ticket.answers
        # The batch failed for a reason that may be another caller's. Asking again is safe: client order ids.
        if len(orders) and ticket.error is not None and not leads:
            return self._clear(orders)
        assert ticket.error is not None
        raise ticket.error

    def _lead(self) -> None:
        self._gather()
        batch = self._take()
        failure: BaseException | None = None
        try:
            answers = self._clear([order for ticket in batch for order in ticket.orders])
            start = 0
            for ticket in batch:
                ticket.answers = answers[start : start + len(ticket.orders)]
                start += len(ticket.orders)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the others must be woken
            failure = error
            for ticket in batch:
                ticket.answers = None
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
        """Wait a moment for those of the last batch, who have just been woken and come back with their next orders.

        Without it batches of one and of all the others take turns, at the price of two for each. Nobody waits when the
        last batch was small.
        """
        for _ in range(_LOOKS):
            if 8 * len(self._queue) >= 7 * self._last:
                return
            time.sleep(_LOOK_SECONDS)

    def _take(self) -> list[_Ticket]:
        """The leader's own ticket is the first of the queue, always."""
        with self._mutex:
            count, total = 0, 0
            for ticket in self._queue:
                total += len(ticket.orders)
                if count and total > LARGEST_BATCH:
                    break
                count += 1
            batch, self._queue = self._queue[:count], self._queue[count:]
            self._last = len(batch)
        return batch


_combiners: dict[int, Combiner] = {}
_registry = threading.Lock()


def combiner_for(instrument_id: int) -> Combiner:
    combiner = _combiners.get(instrument_id)
    if combiner is None:
        with _registry:
            combiner = _combiners.setdefault(instrument_id, Combiner(lambda orders: clear(instrument_id, orders)))
    return combiner


# A forked child has none of the threads that would hand the lead on.
os.register_at_fork(after_in_child=_combiners.clear)
