"""Transactions that wait for Postgres twice rather than four times: BEGIN goes along with the first statement, and
COMMIT with the last where nothing is asked of that. And questions that it is at while we do something else.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from psycopg.pq import TransactionStatus

from ledger.questions import Question, Questions, Row, Value


class Cursor:
    """Each statement by itself, in the transaction that is on."""

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self._driver = driver
        self._questions: Questions | None = None
        self._question: Question | None = None

    def execute(self, statement: str, values: Sequence[Value] = ()) -> Self:
        self._questions = questions = Questions(self._driver)
        try:
            if not self._driver.autocommit and self._driver.info.transaction_status == TransactionStatus.IDLE:
                # As the driver does: a transaction begins with its first statement.
                questions.ask("BEGIN")
            self._question = questions.ask(statement, values)
            questions.close()
        finally:
            questions.drop()
        return self

    def fetchall(self) -> list[Row]:
        assert self._questions is not None
        assert self._question is not None
        return self._questions.rows(self._question)

    def fetchone(self) -> Row | None:
        """The first row."""
        return next(iter(self.fetchall()), None)

    def copy(self, statement: str) -> Any:
        """The driver's COPY, a context manager."""
        return psycopg.RawCursor(self._driver).copy(statement)

    def go_ahead(self) -> None:
        """Let Postgres begin with what it was told, before there is more to tell it."""


class PipelinedCursor(Cursor):
    """Statements in a pipeline. Who copies leaves that: there is no COPY in it."""

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        super().__init__(driver)
        self._pipeline = self._questions = Questions(driver)
        self._is_left = False

    def execute(self, statement: str, values: Sequence[Value] = ()) -> Self:
        if self._is_left:
            return super().execute(statement, values)
        self._question = self._pipeline.ask(statement, values)
        return self

    def copy(self, statement: str) -> Any:
        self.leave()
        return super().copy(statement)

    def go_ahead(self) -> None:
        if not self._is_left:
            self._pipeline.go_ahead()

    def leave(self) -> None:
        """What is asked from now on is by itself, in the same transaction."""
        if not self._is_left:
            self._is_left = True
            self._pipeline.close()

    def commit(self) -> None:
        """Along with what came last. Who left the pipeline leaves this to Django."""
        if not self._is_left:
            self._pipeline.ask("COMMIT")
            self.leave()

    def drop(self) -> None:
        """Whatever happened, the connection is as any other after this."""
        self._pipeline.drop()


class Asked:
    """A question that Postgres is at while we do something else. Until row() or drop() nothing more can be asked on
    this thread's connection."""

    def __init__(self, statement: str, values: Sequence[Value]) -> None:
        ours = connections[DEFAULT_DB_ALIAS]
        ours.ensure_connection()
        self._wrapped = ours.wrap_database_errors
        with self._wrapped:
            self._questions = Questions(ours.connection)
            self._question = self._questions.ask(statement, values)
            self._questions.end()

    def row(self) -> Row | None:
        """The answer, or the first row of it."""
        with self._wrapped:
            try:
                self._questions.close()
            finally:
                self._questions.drop()
            return next(iter(self._questions.rows(self._question)), None)

    def drop(self) -> None:
        """Nobody wants to know any more; after row() it does nothing."""
        self._questions.drop()


@contextmanager
def pipelined_transaction() -> Iterator[Cursor]:
    """An outermost transaction, and a cursor for it. What a statement comes to is known where its rows are fetched, or
    else at the end: an error of one whose rows are not is raised there, and nothing was committed.

    Whoever copies, or asks anything by Django's own cursors, goes on as in any other transaction.
    """
    ours = connections[DEFAULT_DB_ALIAS]
    with transaction.atomic(durable=True), ours.wrap_database_errors:
        if len(ours.atomic_blocks) > 1:
            # A test's own transaction, which nobody commits.
            yield Cursor(ours.connection)
            return
        cursor = PipelinedCursor(ours.connection)

        def leave_first(execute: Callable[..., Any], *args: Any) -> Any:
            # Django looks at how many rows a statement changed, which is not known yet in a pipeline.
            cursor.leave()
            return execute(*args)

        with ours.execute_wrapper(leave_first):
            try:
                cursor.execute("BEGIN")
                yield cursor
                if not ours.needs_rollback:
                    # Of this Django learns by the driver's state, and commits nothing more.
                    cursor.commit()
            finally:
                cursor.drop()


@contextmanager
def step_cursor() -> Iterator[Cursor]:
    """A cursor for a step of the caller's transaction."""
    ours = connections[DEFAULT_DB_ALIAS]
    with ours.wrap_database_errors:
        yield Cursor(ours.connection)
