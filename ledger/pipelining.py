"""Transactions in two trips to Postgres rather than four: BEGIN goes along with the first statement, and COMMIT with
the last where nothing is asked of that. Two trips are a twelfth of what placing an order takes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, transaction


class PipelinedCursor(psycopg.RawCursor[Any]):
    """Statements in libpq's pipeline mode. There is no COPY in it: who copies leaves it."""

    leave: Callable[[], None]

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        self.leave()
        return super().copy(*args, **kwargs)


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

        cursor = PipelinedCursor(driver)
        cursor.leave = leave
        with ours.execute_wrapper(leave_first):
            # Else the driver begins by itself, and waits for that.
            driver.autocommit = True
            pipeline.enter_context(driver.pipeline())
            psycopg.RawCursor(driver).execute("BEGIN", prepare=True)
            yield cursor
            if not is_left and not ours.needs_rollback:
                # Of this Django learns by the driver's state, and commits nothing more.
                psycopg.RawCursor(driver).execute("COMMIT", prepare=True)
                pipeline.close()
