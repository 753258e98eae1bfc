"""The ledger's one door for whole requests: everything is locked once, read, decided, and written, all in one
transaction, whether it is one row or a thousand."""

import os
import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import DatabaseError, connection, transaction
from psycopg import errors

from ledger.clock import assert_in_transaction
from ledger.door.combining import Combiner
from ledger.door.deciding import Batch
from ledger.door.loading import enter
from ledger.door.requests import CREATED, Answer, Request
from ledger.door.writing import note_ids, write
from ledger.pipelining import Cursor, pipelined_transaction, step_cursor

Result = TypeVar("Result")

# What a second try may mend: a deadlock, a lost race of serializations, a key or account made at this very moment.
_PASSING = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation)
_TRIES = 5


def post_batch(rows: Sequence[Request]) -> list[Answer]:
    """Do what the rows ask for, in order, in one transaction; each is answered in its place, when all is committed."""
    return _retried(lambda: _post(rows))


def post_single(row: Request) -> Answer:
    """One row as an action of its own. Threads of one process that ask at once share a transaction."""
    _assert_outermost()
    return _combiner.submit([row])[0]


def post_step(rows: Sequence[Request]) -> list[Answer]:
    """The same inside another action's transaction: what is refused is answered and nothing else happens."""
    assert_in_transaction()
    if not any(row.key for row in rows):
        return _decided_and_written(rows)

    def savepoint() -> list[Answer]:
        with transaction.atomic():
            return _decided_and_written(rows)

    return _retried(savepoint, passing=errors.UniqueViolation)


def _post(rows: Sequence[Request]) -> list[Answer]:
    with pipelined_transaction() as cursor:
        batch, answers = _decide_and_write(cursor, rows)
        if not any(answer.status == CREATED for answer in answers):
            # Not even an empty account stays behind.
            transaction.set_rollback(True)
    note_ids(cursor, batch)
    return answers


def _decide_and_write(cursor: Cursor, rows: Sequence[Request]) -> tuple[Batch, list[Answer]]:
    batch = Batch(enter(cursor, rows))
    answers = batch.decide(rows)
    if batch.entries:
        write(cursor, batch)
    return batch, answers


def _decided_and_written(rows: Sequence[Request]) -> list[Answer]:
    with step_cursor() as cursor:
        batch, answers = _decide_and_write(cursor, rows)
        note_ids(cursor, batch)
    return answers


def _retried(
    act: Callable[[], Result],
    passing: type[Exception] | tuple[type[Exception], ...] = _PASSING,
) -> Result:
    """Ask again, as a whole, what failed for what passes; each time a little later, and not all at once."""
    for attempt in range(1, _TRIES + 1):
        try:
            return act()
        except DatabaseError as error:
            if attempt == _TRIES or not isinstance(error.__cause__, passing):
                raise
            time.sleep(random.random() * 0.01 * attempt)  # noqa: S311 - nothing to guess here
    raise AssertionError("unreachable")


def _assert_outermost() -> None:
    """As `durable=True` does: what is answered is committed. A test's own transaction does not count."""
    blocks = connection.atomic_blocks
    if blocks and not blocks[-1]._from_testcase:  # type: ignore[attr-defined]
        raise RuntimeError("an action cannot run inside another: call a step")


_combiner: Combiner[Request, Answer] = Combiner(post_batch)


def _forget_threads() -> None:
    # A forked child has none of the threads that would hand the lead on.
    global _combiner
    _combiner = Combiner(post_batch)


os.register_at_fork(after_in_child=_forget_threads)
