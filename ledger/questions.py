"""Asking Postgres by libpq's pipeline mode, as psycopg.pq has it: what can go along is sent in one piece.

The driver's own pipeline sends every statement by itself, and by themselves that an answer is wanted and that it was
the last, and Postgres wakes for each. Its cursors take longer over a short statement than Postgres.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import InvalidSqlStatementName, PipelineAborted, error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ConnStatus, ExecStatus, Format, PipelineStatus
from psycopg.pq.abc import PGresult

_TEXT, _BINARY = Format.TEXT, Format.BINARY
_WELL = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.PIPELINE_SYNC}

Value = int | str | bytes | datetime | None
Row = tuple[Any, ...]


class Question:
    """Something asked, and its answer once that is there."""

    __slots__ = ("answer", "name", "statement")

    def __init__(self, statement: str = "", name: bytes = b"") -> None:
        # What is prepared once this went well, and under which name.
        self.statement, self.name = statement, name
        self.answer: PGresult | None = None


class _Backend:
    """What is kept of a connection: the names of what is prepared there, and how its rows are read.

    The driver must prepare nothing itself (prepare_threshold is None): after some statements it deallocates all.
    """

    def __init__(self) -> None:
        self.prepared: dict[str, bytes] = {}
        self.names = (b"hourglass_%d" % number for number in count(1))
        self.transformer = Transformer()

    def rows_of(self, result: PGresult) -> list[Row]:
        self.transformer.set_pgresult(result)
        return self.transformer.load_rows(0, result.ntuples, tuple)


_backends: WeakKeyDictionary[Any, _Backend] = WeakKeyDictionary()


def _backend_of(driver: psycopg.Connection[Any]) -> _Backend:
    backend = _backends.get(driver)
    if backend is None:
        backend = _backends[driver] = _Backend()
    return backend


class Questions:
    """What is asked is held back until an answer is wanted, Postgres is to go ahead, or nothing more is asked.

    Statements have parameters as Postgres has them, $1 and on, and are prepared when a connection first sees them.
    Nothing else can be asked on the connection before close() or drop().
    """

    def __init__(self, driver: psycopg.Connection[Any]) -> None:
        self._driver, self._pgconn = driver, driver.pgconn
        self._backend = _backend_of(driver)
        self._asked: deque[Question] = deque()
        self._error: psycopg.Error | None = None
        self._is_ended = False
        self._pgconn.enter_pipeline_mode()

    def ask(self, statement: str, values: Sequence[Value] = ()) -> Question:
        name = self._backend.prepared.get(statement) or self._prepare(statement)
        sent = [_dumped(value) for value in values]
        formats = [_BINARY if isinstance(value, bytes) else _TEXT for value in values]
        # libpq keeps it until it is told to send, or has much.
        self._pgconn.send_query_prepared(name, sent, formats, _BINARY)
        return self._expect(Question())

    def _prepare(self, statement: str) -> bytes:
        name = next(self._backend.names)
        self._pgconn.send_prepare(name, statement.encode())
        self._expect(Question(statement, name))
        return name

    def _expect(self, question: Question) -> Question:
        self._asked.append(question)
        return question

    def go_ahead(self) -> None:
        """Let Postgres begin with what it was asked so far; no answer is waited for."""
        self._pgconn.flush()

    def end(self) -> None:
        """Nothing more is asked; no answer is waited for."""
        self._pgconn.pipeline_sync()
        self._expect(Question())
        self._is_ended = True

    def rows(self, question: Question) -> list[Row]:
        """The answer's. Raises what Postgres refused, of this question or of one before it."""
        if question.answer is None:
            self._pgconn.send_flush_request()
            self._driver.wait(self._answers(question))
        self._raise()
        assert question.answer is not None
        return self._backend.rows_of(question.answer)

    def close(self) -> None:
        """Wait for all answers. Raises what Postgres refused, unless that was said before."""
        if not self._is_ended:
            self.end()
        self._driver.wait(self._answers())
        self._pgconn.exit_pipeline_mode()
        self._raise()

    def drop(self) -> None:
        """Nobody wants to know any more; after close() it does nothing. A connection that can then not be used is
        closed."""
        with suppress(psycopg.Error):
            if self._is_open:
                self.close()
        if self._is_open:
            self._driver.close()

    @property
    def _is_open(self) -> bool:
        return self._pgconn.status == ConnStatus.OK and self._pgconn.pipeline_status != PipelineStatus.OFF

    def _answers(self, upto: Question | None = None) -> PQGen[None]:
        yield from send(self._pgconn)
        while self._asked and (upto is None or upto.answer is None):
            (result,) = yield from fetch_many(self._pgconn)
            self._take(self._asked.popleft(), result)

    def _take(self, question: Question, result: PGresult) -> None:
        question.answer = result
        if result.status in _WELL:
            if question.name:
                self._backend.prepared[question.statement] = question.name
        elif self._error is None:
            aborted = result.status == ExecStatus.PIPELINE_ABORTED
            self._error = PipelineAborted("the pipeline was aborted") if aborted else error_from_result(result)
            if isinstance(self._error, InvalidSqlStatementName):
                # Somebody deallocated what was prepared: it is prepared anew from now on.
                self._backend.prepared.clear()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def _dumped(value: Value) -> bytes | None:
    """As text; bytes as they are."""
    if value is None or isinstance(value, bytes):
        return value
    return (value.isoformat() if isinstance(value, datetime) else str(value)).encode()
