"""What a page costs: its queries and its time."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

ROUNDS = 30


def page_costs(pages: Sequence[tuple[Any, str]]) -> list[tuple[float, int]]:
    """Median seconds of each page for whoever reads it, signed in, and how many queries it takes. They are asked for in
    turn, since the machine drifts."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, override_settings

    # The bench has no Valkey here; a cache of the process's own stands in for it.
    with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}):
        clients = [Client() for _ in pages]
        queries = []
        for client, (user, address) in zip(clients, pages, strict=True):
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            assert client.get(address).status_code == 200
            with CaptureQueriesContext(connection) as captured:
                client.get(address)
                queries.append(len(captured))
        spent: list[list[float]] = [[] for _ in pages]
        for _ in range(ROUNDS):
            for client, (_, address), times in zip(clients, pages, spent, strict=True):
                start = time.perf_counter()
                client.get(address)
                times.append(time.perf_counter() - start)
        return [(median(times), count) for times, count in zip(spent, queries, strict=True)]
