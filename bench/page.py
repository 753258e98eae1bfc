"""What a page costs: its queries and its time."""

import time
from statistics import median
from typing import Any

ROUNDS = 30


def page_cost(user: Any, address: str) -> tuple[float, int]:
    """Median seconds of a page for somebody who is signed in, and how many queries it takes."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, override_settings

    # The bench has no Valkey here; a cache of the process's own stands in for it.
    with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}):
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        assert client.get(address).status_code == 200
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
            queries = len(captured)
        spent = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            client.get(address)
            spent.append(time.perf_counter() - start)
        return median(spent), queries
