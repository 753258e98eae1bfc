"""Placing orders over HTTP, beside a bare view of the same site that inserts one row: gunicorn as bin/run starts it."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.calling import per_second
from bench.server import ROOT
from portal.embedded.serve import WEB, answers, free_port
from portal.embedded.valkey import EmbeddedValkey
from portal.serving import threads as web_threads


class Web:
    """The site on a port of its own. `keys` are API keys of people who may trade."""

    def __init__(self, port: int, world: Any, keys: list[str]) -> None:
        self.port, self.world, self.keys = port, world, keys

    def bare(self, *, clients: int, seconds: float, seed: int) -> float:
        return self._requests("/bare/", clients, seconds, seed)

    def bare_by_orm(self, *, clients: int, seconds: float, seed: int) -> float:
        return self._requests("/bare/orm/", clients, seconds, seed)

    def orders(self, *, clients: int, seconds: float, seed: int) -> float:
        return self._requests("/api/v1/orders/", clients, seconds, seed)

    def _requests(self, path: str, clients: int, seconds: float, seed: int) -> float:
        """Requests a second by so many clients with a connection and a key each."""

        def caller(number: int) -> Callable[[], None]:
            flow, key = self.world.flow(seed + number), self.keys[number % len(self.keys)]
            connection = http.client.HTTPConnection("127.0.0.1", self.port)

            def call() -> None:
                order = flow.order()
                body = {
                    "instrument": self.world.instrument.code, "side": order.side,
                    "limit_price": order.limit_price, "quantity": order.quantity,
                }  # fmt: skip
                headers = {
                    "Content-Type": "application/json", "Idempotency-Key": order.client_order_id,
                    "Authorization": f"Bearer {key}",
                }  # fmt: skip
                connection.request("POST", path, json.dumps(body), headers)
                answer = connection.getresponse()
                text = answer.read()
                assert answer.status == 201, text

            return call

        return per_second(caller, callers=clients, seconds=seconds, close=lambda: None, on_any_core=True)


@contextmanager
def served(world: Any, folder: Path) -> Iterator[Web]:
    """The site's web process on this Postgres, and a Valkey for its cache."""
    import psycopg

    from bench.bare import TABLE

    database = os.environ["DATABASE_URL"].replace("hourglass@", "postgres@")
    with psycopg.connect(database) as connection:
        connection.execute(TABLE)
    keys = _some_traders(world)
    valkey = EmbeddedValkey(folder / "valkey")
    valkey.start()
    port = free_port(18400)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "bench.web_settings", "REDIS_URL": valkey.url,
        "DATABASE_POOL_SIZE": str(web_threads + 2), "ALLOWED_HOSTS": "127.0.0.1",
    }  # fmt: skip
    command = [
        sys.executable, "-m", "gunicorn", *WEB, "--bind", f"127.0.0.1:{port}", "--log-level", "warning",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{port}/livez"):
            assert process.poll() is None, "the site did not start"
            assert time.monotonic() < deadline, "the site is not ready after a minute"
            time.sleep(0.1)
        yield Web(port, world, keys)
    finally:
        process.terminate()
        process.wait()
        valkey.stop()


def _some_traders(world: Any, count: int = 32) -> list[str]:
    """API keys of people with credits and tokens."""
    from django.utils import timezone

    from bench.world import endow
    from portal.api.keys import make_key
    from portal.people.accounts import sign_up

    now = timezone.now()
    people = [
        sign_up(email=f"trader{number}@example.org", password=None, name=f"Trader {number}", now=now, verified=True)
        for number in range(count)
    ]
    endow(world.instrument, [person.wallet_id for person in people if person.wallet_id is not None])
    return [make_key(user_id=person.id, name="bench", scopes=["trade"], days=1, now=now)[1] for person in people]
