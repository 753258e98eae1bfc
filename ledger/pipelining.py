"""Transactions that wait for Postgres twice rather than four times: it begins while the first statement is made, and
COMMIT goes along with the last where nothing is asked of that. And questions that it is at while we do something else.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from psycopg.generators import send


class HeldBack(psycopg.Pipeline):
    """Sends what is to be asked only when an answer is waited for, in one piece. The driver's own pipeline sends every
    statement by itself, and by themselves that an answer is wanted and that it was the last: eight pieces where there
    need be four, and Postgres wakes for each."""

    # The end has been told, which asks for all answers anyway.
    _is_ended = False

    def say(self, command: bytes) -> None:
        """A command whose only answer is that it went well."""
        self.command_queue.append(partial(self.pgconn.send_query_params, command, None))
        self.result_queue.append(None)

    def go_ahead(self) -> None:
        """Let Postgres begin with what it was told so far; no answer is waited for."""
        self._put_together()
        self.pgconn.flush()

    def end(self) -> None:
        """Nothing more is asked; no answer is waited for."""
        self._enqueue_sync()
        self.go_ahead()

    def _put_together(self) -> None:
        waiting = self.command_queue
        if waiting:
            self._is_ended = waiting[-1] == self.pgconn.pipeline_sync
        while waiting:
            waiting.popleft()()

    def _exit_gen(self) -> Generator[Any, Any, None]:
        if self.command_queue or not self._is_ended:
            self._enqueue_sync()
        yield from self._fetch_gen(flush=False)

    def _communicate_gen(self) -> Generator[Any, Any, None]:
        yield from ()

    def _fetch_gen(self, *, flush: bool) -> Generator[Any, Any, None]:
        if not self.result_queue:
            return
        self._put_together()
        if flush and not self._is_ended:
            self.pgconn.send_flush_request()
        yield from send(self.pgconn)
        yield from super()._fetch_gen(flush=False)


def _hold_back(driver: Any, pipeline: ExitStack) -> HeldBack:
    """A pipeline of ours until the stack is closed: the driver goes on with one that is there."""
    held_back = driver._pipeline = HeldBack(driver)
    pipeline.enter_context(driver.pipeline())
    return held_back


def go_ahead(cursor: psycopg.RawCursor[Any]) -> None:
    """Let Postgres begin with what it was told, before there is more to tell it; anywhere but in a pipeline it has."""
    if isinstance(cursor, PipelinedCursor):
        cursor.go_ahead()


class PipelinedCursor(psycopg.RawCursor[Any]):
    """Statements in libpq's pipeline mode. There is no COPY in it: who copies leaves it."""

    leave: Callable[[], None]
    go_ahead: Callable[[], None]

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        self.leave()
        return super().copy(*args, **kwargs)


class Asked:
    """A question that Postgres is at while we do something else. Until row() or drop() nothing more can be asked on
    this thread's connection."""

    def __init__(self, statement: str, values: Sequence[Any]) -> None:
        ours = connections[DEFAULT_DB_ALIAS]
        ours.ensure_connection()
        self._wrapped, driver = ours.wrap_database_errors, ours.connection
        with self._wrapped, ExitStack() as pipeline:
            held_back = _hold_back(driver, pipeline)
            self._cursor: psycopg.RawCursor[Any] = psycopg.RawCursor(driver)
            self._cursor.execute(statement, values, prepare=True, binary=True)
            held_back.end()
            self._pipeline = pipeline.pop_all()

    def row(self) -> tuple[Any, ...] | None:
        """The answer, or the first row of it."""
        with self._wrapped, self._pipeline:
            return self._cursor.fetchone()

    def drop(self) -> None:
        """Nobody wants to know any more; after row() it does nothing."""
        with suppress(psycopg.Error):
            self._pipeline.close()


@contextmanager
def pipelined_transaction() -> Iterator[psycopg.RawCursor[Any]]:
    """An outermost transaction, and a cursor for it. What a statement comes to is known where its rows are fetched, or
    else at the end: an error of one whose rows are not is raised there, and nothing was committed.

    Whoever copies, or asks anything by Django's own cursors, goes on as in any other transaction.
    """
    ours = connections[DEFAULT_DB_ALIAS]
    with transaction.atomic(durable=True), ours.wrap_database_errors, ExitStack() as pipeline:
        driver = ours.connection
        if len(ours.atomic_blocks) > 1:
            # A test's own transaction, which nobody commits.
            yield psycopg.RawCursor(driver)
            return

        is_left = False

        def leave() -> None:
            nonlocal is_left
            is_left = True
            pipeline.close()

        def leave_first(execute: Callable[..., Any], *args: Any) -> Any:
            # Django looks at how many rows a statement changed, which is not known yet in a pipeline.
            leave()
            return execute(*args)

        with ours.execute_wrapper(leave_first):
            # Else the driver begins by itself, and waits for that.
            driver.autocommit = True
            held_back = _hold_back(driver, pipeline)
            cursor = PipelinedCursor(driver)
            cursor.leave, cursor.go_ahead = leave, held_back.go_ahead
            held_back.say(b"BEGIN")
            held_back.go_ahead()
            yield cursor
            if not is_left and not ours.needs_rollback:
                # Of this Django learns by the driver's state, and commits nothing more.
                held_back.say(b"COMMIT")
                pipeline.close()
