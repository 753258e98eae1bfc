"""The database backend of the settings: Django's own for Postgres, but for the order in which a pool gives out."""

import threading
from collections import deque
from typing import Any

from django.db.backends.postgresql import base

_lock = threading.Lock()


class LastFirst(deque[Any]):
    """A pool's idle connections. psycopg_pool takes from the left what it added at the right, so that all of them take
    turns: after a crowd, a single caller would meet another backend with each request, whose plans and caches are
    cold. An order takes a quarter longer then."""

    def popleft(self) -> Any:
        return self.pop()


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        pool = super().pool
        if pool is not None and not isinstance(pool._pool, LastFirst):
            with _lock:
                if not isinstance(pool._pool, LastFirst):
                    pool._pool = LastFirst(pool._pool)
        return pool
