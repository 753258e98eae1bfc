"""Rounds of 64 requests at once: threads with a connection each, and in some rounds two processes of them."""

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, connections

CALLERS = 64
Act = Callable[[int], str]


def at_once(act: Act, callers: list[int]) -> list[str]:
    """What `act` answers each caller; all of them start together."""
    barrier = threading.Barrier(len(callers))

    def run(number: int) -> str:
        barrier.wait(60)
        return act(number)

    return list(_pool().map(run, callers))


def at_once_in_two_processes(act: Act) -> list[str]:
    """Half of the callers here, half in a child of ours; the child starts when we do."""
    connections.close_all()
    ready, go, answers = os.pipe(), os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _pools.clear()
        status = 1
        try:
            connection.ensure_connection()
            os.write(ready[1], b"r")
            os.read(go[0], 1)
            found = json.dumps(at_once(act, list(range(1, CALLERS, 2)))).encode()
            assert os.write(answers[1], found) == len(found)
            status = 0
        finally:
            os._exit(status)
    os.read(ready[0], 1)
    os.write(go[1], b"g")
    ours = at_once(act, list(range(0, CALLERS, 2)))
    _, status = os.waitpid(child, 0)
    assert status == 0, "the other process failed: see its output above"
    theirs = json.loads(os.read(answers[0], 60_000))
    for pipe in (*ready, *go, *answers):
        os.close(pipe)
    return ours + theirs


_pools: list[ThreadPoolExecutor] = []


def _pool() -> ThreadPoolExecutor:
    """Threads that keep their connections from round to round."""
    if not _pools:
        _pools.append(ThreadPoolExecutor(CALLERS))
    return _pools[0]


def close_pool() -> None:
    """Let the threads go, and their connections with them."""
    if not _pools:
        return
    barrier = threading.Barrier(CALLERS)

    def close(_number: int) -> None:
        barrier.wait(60)
        connection.close()

    list(_pool().map(close, range(CALLERS)))
    _pools.pop().shutdown()
