"""Kill -9 at chosen points: a forked child runs an action and dies before its n-th statement reaches Postgres."""

import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import connection, connections


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

    def counted(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    code = 1
    try:
        connection.ensure_connection()
        # COMMIT does not pass through execute wrappers: count it as a statement of its own.
        commit = connection._commit

        def counted_commit() -> Any:
            counted(lambda *_: None, "COMMIT", None, False, {})
            done = commit()
            counted(lambda *_: None, "after COMMIT", None, False, {})
            return done

        connection._commit = counted_commit  # type: ignore[method-assign]
        with connection.execute_wrapper(counted):
            act()
        code = 0
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)
