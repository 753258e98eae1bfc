"""Callers of one process work together: who comes first works alone, and what comes meanwhile is worked on as one.

A caller who finds nobody at work does its own at once, in its own thread. Those who come meanwhile wait, and a clerk, a
thread with a connection of its own, takes on all of them in one transaction, then all who came during that, until no
more come. One connection that is always busy is faster than many in turn, whose plans and caches have gone cold, and a
caller that is answered has nothing left to do for the others.
"""

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import load_backend

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

# The most requests one transaction takes on.
LARGEST_BATCH = 1000
# How long the clerk waits for company, at most: a fraction of what a batch takes.
_LONGEST_WAIT_SECONDS = 0.0012
# So many batches begin at once after nobody came to whom the clerk had given that time.
_BATCHES_WITHOUT_WAIT = 16
# A clerk that nobody called for so long goes home, and its connection is closed.
IDLE_SECONDS = 5.0


class _Ticket(Generic[Asked, Answered]):
    """One caller's requests. Its lock is released once, with answers or with an error."""

    __slots__ = ("_gate", "answers", "error", "is_shared", "may_be_interrupted", "next", "requests")

    def __init__(self, requests: Sequence[Asked]) -> None:
        self.requests = requests
        self.answers: list[Answered] | None = None
        self.error: Exception | None = None
        self.is_shared = False
        # Signals interrupt the main thread alone.
        self.may_be_interrupted = threading.current_thread() is threading.main_thread()
        # Who is woken by this one.
        self.next: _Ticket[Asked, Answered] | None = None
        self._gate = _shut()

    def wait(self) -> None:
        self._gate.acquire()
        if self.next is not None:
            self.next.wake()

    def wake(self) -> None:
        self._gate.release()


class Combiner(Generic[Asked, Answered]):
    """Callers in this process whose requests may share a transaction. `work` answers in the requests' places."""

    def __init__(self, work: Callable[[Sequence[Asked]], list[Answered]]) -> None:
        self._work = work
        self._mutex = threading.Lock()
        self._queue: list[_Ticket[Asked, Answered]] = []
        # Somebody is at work, or has been called to it; whoever comes now waits.
        self._busy = False
        # How many callers the clerk's last batch had.
        self._last = 0
        # How many the clerk waits for; whoever makes the number full lets go of the gate.
        self._wanted = 0
        self._gate = _shut()
        self._no_waits = 0
        self._has_clerk = False
        self._called = _shut()

    def submit(self, requests: Sequence[Asked]) -> list[Answered]:
        ticket: _Ticket[Asked, Answered] = _Ticket(requests)
        with self._mutex:
            works, self._busy = not self._busy, True
            if not works:
                self._queue.append(ticket)
                if 0 < self._wanted <= len(self._queue):
                    self._wanted = 0
                    self._gate.release()
        if works:
            try:
                self._answer([ticket])
            finally:
                self._hand_over()
        ticket.wait()
        if ticket.answers is not None:
            return ticket.answers
        assert ticket.error is not None
        if ticket.is_shared:
            # The batch failed for a reason that may be another caller's, or the clerk's own; nothing of it was done.
            return self._work(requests)
        raise ticket.error

    def _answer(self, batch: Sequence[_Ticket[Asked, Answered]], *, by_clerk: bool = False) -> None:
        """Do a batch's work and wake all whose it is."""
        try:
            answers = self._work([request for ticket in batch for request in ticket.requests])
            start = 0
            for ticket in batch:
                ticket.answers = answers[start : start + len(ticket.requests)]
                start += len(ticket.requests)
        except BaseException as error:
            shared = by_clerk and len(batch) > 1 and _has_done_nothing()
            for ticket in batch:
                ticket.answers, ticket.is_shared = None, shared
                ticket.error = error if isinstance(error, Exception) else RuntimeError("the work was stopped")
            if not (by_clerk or isinstance(error, Exception)):
                raise
        finally:
            _wake_in_turn(batch)

    def _hand_over(self) -> None:
        """Those who came meanwhile are the clerk's; where there are none, the next caller works at once."""
        with self._mutex:
            if not self._queue:
                self._busy = False
                return
            is_there, self._has_clerk = self._has_clerk, True
        if is_there:
            self._called.release()
            return
        try:
            threading.Thread(target=self._clerk, name="clerk", daemon=True).start()
        except RuntimeError:
            # No thread is to be had: this one goes on.
            with self._mutex:
                self._has_clerk = False
            self._answer(self._take())
            self._hand_over()

    def _clerk(self) -> None:
        with _own_connection():
            while self._is_wanted():
                self._gather()
                batch = self._take()
                if batch:
                    self._answer(batch, by_clerk=True)
                    connections[DEFAULT_DB_ALIAS].close_if_unusable_or_obsolete()

    def _is_wanted(self) -> bool:
        """Whether to go on: at once while there are callers, else when called; not when nobody has called for long."""
        with self._mutex:
            if self._queue or self._last:
                return True
            self._busy = False
        while not self._called.acquire(timeout=IDLE_SECONDS):
            with self._mutex:
                # Otherwise somebody is at work, who may call at this very moment.
                if not self._busy:
                    self._has_clerk = False
                    return False
        return True

    def _gather(self) -> None:
        """Wait a moment for those of the last batch, who were woken just now and may come back with further requests.

        Without it two halves of the callers take turns, at the price of two batches for each. Where they did not come
        back, as over a network, there is no waiting for a while.
        """
        with self._mutex:
            waiting, expected = len(self._queue), (7 * self._last + 7) // 8
            if waiting and (self._no_waits or not expected):
                self._no_waits = max(self._no_waits - 1, 0)
                return
            self._wanted = max(waiting + expected, 1)
        if not self._gate.acquire(timeout=_LONGEST_WAIT_SECONDS):
            with self._mutex:
                if self._wanted:
                    self._wanted = 0
                    came = len(self._queue) - waiting
                    self._no_waits = 0 if 2 * came >= expected else _BATCHES_WITHOUT_WAIT
                    return
            # Somebody let go of it at this very moment.
            self._gate.acquire()

    def _take(self) -> list[_Ticket[Asked, Answered]]:
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


def _wake_in_turn(batch: Sequence[_Ticket[Asked, Answered]]) -> None:
    """Each wakes the next as it wakes. All at once they would wake only to queue for the interpreter, which takes twice
    the time. Nobody depends on one who may be called away from waiting."""
    following = None
    for ticket in reversed(batch):
        if ticket.may_be_interrupted:
            ticket.wake()
        else:
            ticket.next, following = following, ticket
    if following is not None:
        following.wake()


def _shut() -> threading.Lock:
    """A lock that whoever waits for it gets when somebody else lets go."""
    gate = threading.Lock()
    gate.acquire()
    return gate


def _has_done_nothing() -> bool:
    """Whether a failed transaction of this thread is known to have been rolled back, or never to have begun. Where the
    connection was lost it may have been committed."""
    connection = connections[DEFAULT_DB_ALIAS]
    return connection.connection is None or connection.is_usable()


@contextmanager
def _own_connection() -> Iterator[None]:
    """This thread's connection is apart from the pool, all of which those may have who wait for the thread."""
    settings = copy.deepcopy(connections.settings[DEFAULT_DB_ALIAS])
    settings["OPTIONS"].pop("pool", None)
    settings["CONN_MAX_AGE"] = None
    connection = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, DEFAULT_DB_ALIAS)
    connections[DEFAULT_DB_ALIAS] = connection
    try:
        yield
    finally:
        connection.close()
