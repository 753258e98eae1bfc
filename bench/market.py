"""The market's clearing beside pgbench and the plain ORM way, all on one Postgres with fsync on.

Rounds are interleaved, a ratio is taken within each, and the median of the rounds counts: the machine drifts.
"""

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

from bench.calling import per_second, per_second_of_processes
from bench.server import Pgbench, migrated_server
from bench.table import Row, say

CLIENTS = 8
PGBENCH, ORM, RAW = "pgbench TPC-B-like, 8 clients", "ORM, row lock, 8 clients", "raw insert and commit, 1 client"
QUIET = "a quiet order, call to committed"
BATCH = "ours, batches of 1000"


def measure(*, rounds: int, seconds: float) -> list[Row]:
    figures: dict[str, list[float]] = defaultdict(list)
    with migrated_server() as postgres:
        from bench.world import some_wallets, some_world

        say("Setting up: pgbench at scale 10, a thousand wallets, 10,000 resting orders …")
        pgbench = Pgbench(postgres)
        wallets = some_wallets()
        ours, plain = some_world("H100-2098Q4", wallets), some_world("B200-2098Q4", wallets)
        points: dict[str, Callable[[int], float]] = {
            PGBENCH: lambda _: pgbench.tps(clients=CLIENTS, seconds=seconds),
            BATCH: lambda seed: _batches(ours, seed, seconds),
            "ours, 32 callers": lambda seed: _threads(ours, seed, 32, seconds),
            "ours, 8 callers": lambda seed: _threads(ours, seed, 8, seconds),
            "ours, 1 caller": lambda seed: _threads(ours, seed, 1, seconds),
            ORM: lambda seed: _orm(plain, seed, seconds),
        }
        seeds = itertools.count(100, 100)
        for number in range(rounds):
            for name, point in points.items():
                figures[name].append(point(next(seeds)))
                say(f"  round {number + 1}: {name}: {figures[name][-1]:,.0f} /s")
            raw, quiet = _quiet(ours, next(seeds), seconds)
            figures[RAW].append(raw)
            figures[QUIET].append(quiet)
            say(f"  round {number + 1}: {QUIET}: {quiet:,.0f} /s; {RAW}: {raw:,.0f} /s")
    rows = [_row(figures, name, PGBENCH) for name in figures]
    rows.append(_row(figures, BATCH, ORM))
    # A latency: how many raw insert-and-commits fit into one quiet order.
    times = [raw / quiet for raw, quiet in zip(figures[RAW], figures[QUIET], strict=True)]
    rows.append(Row(QUIET, round(median(figures[QUIET]), 1), round(median(times), 3), "time of a raw insert"))
    return rows


def _row(figures: dict[str, list[float]], name: str, to: str) -> Row:
    ratios = [value / reference for value, reference in zip(figures[name], figures[to], strict=True)]
    return Row(name, round(median(figures[name]), 1), round(median(ratios), 3), to)


def _batches(world: Any, seed: int, seconds: float) -> float:
    from market.orders import place_orders

    flow = world.flow(seed)
    count = 0
    spent = 0.0
    while spent < seconds:
        orders = [flow.order() for _ in range(1000)]
        start = time.perf_counter()
        place_orders(orders)
        spent += time.perf_counter() - start
        count += len(orders)
    return count / spent


def _threads(world: Any, seed: int, callers: int, seconds: float) -> float:
    from django.db import connection

    from market.orders import place_orders

    def caller(number: int) -> Callable[[], None]:
        flow = world.flow(seed + number)
        return lambda: place_orders([flow.order()]) and None

    return per_second(caller, callers=callers, seconds=seconds, close=lambda: connection.close())


def _quiet(world: Any, seed: int, seconds: float) -> tuple[float, float]:
    """One over the median time of a raw insert and commit, and of one order; turn by turn, so that both meet the same
    machine."""
    import psycopg

    from market.orders import place_orders

    flow = world.flow(seed)
    superuser = os.environ["DATABASE_URL"].replace("hourglass@", "postgres@")
    raw_times, quiet_times = [], []
    with psycopg.connect(superuser) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS raw (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet bigint,"
            " side text, price bigint, quantity bigint, client text)"
        )
        connection.commit()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            order = flow.order()
            start = time.perf_counter()
            connection.execute(
                "INSERT INTO raw (wallet, side, price, quantity, client) VALUES (%s, %s, %s, %s, %s)",
                [order.wallet_id, order.side, order.limit_price, order.quantity, order.client_order_id],
                prepare=True,
            )
            connection.commit()
            middle = time.perf_counter()
            place_orders([order])
            quiet_times.append(time.perf_counter() - middle)
            raw_times.append(middle - start)
    return 1 / median(raw_times), 1 / median(quiet_times)


def _orm(world: Any, seed: int, seconds: float) -> float:
    """Eight processes, each with a connection of its own."""
    from django.db import connections
    from django.utils import timezone

    from bench.orm import place_with_orm

    def caller(number: int) -> Callable[[], None]:
        flow = world.flow(seed + number)
        return lambda: place_with_orm(flow.order(), now=timezone.now())

    connections.close_all()
    return per_second_of_processes(caller, callers=CLIENTS, seconds=seconds)
