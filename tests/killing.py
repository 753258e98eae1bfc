"""Kill -9 at chosen points: a forked child runs an action and dies before its n-th statement reaches Postgres."""

import os
import signal
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection, connections

from ledger.questions import Questions


def killed_before_statement(number: int, act: Callable[[], Any]) -> bool:
    """Fork, run `act` in the child, and kill -9 it before statement `number` (from 1); True when it was killed.

    The child has a connection of its own. What it acknowledges it must write to a pipe or file by itself.
    """
    connections.close_all()
    child = os.fork()
    if child == 0:
        _die_at(number, act)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"ended by signal {os.WTERMSIG(status)}"
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "the child failed: see its output above"
    return False


def _die_at(number: int, act: Callable[[], Any]) -> None:
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        connection.ensure_connection()
        # Every way to Postgres, Django's cursors and raw ones alike. COMMIT is two points: before it and after it.
        for method in ("execute", "executemany", "copy"):
            _count_before(psycopg.Cursor, method, step)
        _count_before(Questions, "ask", step)
        _count_before(psycopg.Connection, "commit", step, after=True)
        # In a pipeline it goes at the end, with what came last.
        _count_before(Questions, "close", step, after=True)
        act()
        code = 0
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _count_before(owner: type, method: str, step: Callable[[], None], *, after: bool = False) -> None:
    original = getattr(owner, method)

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Before BEGIN nothing was done, and COMMIT goes with the end of its pipeline, which is counted.
        if args[:1] not in [("BEGIN",), ("COMMIT",)]:
            step()
        done = original(self, *args, **kwargs)
        if after:
            step()
        return done

    setattr(owner, method, counted)
