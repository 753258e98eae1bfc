"""The market's clearing beside pgbench and the plain ORM way, all on one Postgres with fsync on.

Rounds are interleaved, a ratio is taken within each, and the median of the rounds counts: the machine drifts.
"""

import itertools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.calling import per_second, per_second_of_processes
from bench.server import Pgbench, migrated_server
from bench.table import Row, say

CLIENTS = 8
HTTP_CLIENTS = (1, 8, 32)
PGBENCH, ORM, RAW = "pgbench TPC-B-like, 8 clients", "ORM, row lock, 8 clients", "raw insert and commit, 1 client"
QUIET, SLOWEST = "a quiet order, median, call to committed", "a quiet order, 99 of 100"
COPY = "COPY of rows as wide as an order's"
BATCH = "ours, batches of 1000"
# Batches made for each second of a process: more than it clears.
READY = 40
BATCHES = "ours, batches of 1000, 2 instruments by 2 processes"
BESIDE, DEEP = "ours, batches of 1000, again", "ours, batches of 1000, 1 M orders resting"


def bare(clients: int) -> str:
    return f"a bare view that inserts a row, {clients} clients"


def bare_by_orm(clients: int) -> str:
    return f"the same by the ORM, {clients} clients"


def over_http(clients: int) -> str:
    return f"ours over HTTP, {clients} clients"


def measure(*, rounds: int, seconds: float) -> list[Row]:
    figures: dict[str, list[float]] = defaultdict(list)
    with migrated_server() as postgres, tempfile.TemporaryDirectory() as folder:
        from bench.depth import rest_deep
        from bench.http import served
        from bench.world import some_wallets, some_world

        say("Setting up: pgbench at scale 10, a thousand wallets, 10,000 resting orders …")
        pgbench, wallets = Pgbench(postgres), some_wallets()
        names = ("H100-2098Q4", "B200-2098Q4", "A100-2098Q4", "H200-2098Q4", "L4-2098Q4")
        ours, plain, deep, few, many = (some_world(name, wallets) for name in names)
        # With traders of its own: on common ones each process would wait for the other's accounts.
        other = some_world("L40S-2098Q4", some_wallets())
        seeds = itertools.count(100, 100)

        def rounds_of(points: dict[str, Callable[[int], float]]) -> None:
            for number in range(rounds):
                for name, point in points.items():
                    figures[name].append(point(next(seeds)))
                    say(f"  round {number + 1}: {name}: {figures[name][-1]:,.0f} /s")

        points: dict[str, Callable[[int], float]] = {
            PGBENCH: lambda _: pgbench.tps(clients=CLIENTS, seconds=seconds),
            "ours, 32 callers": lambda seed: _threads(ours, seed, 32, seconds),
            "ours, 8 callers": lambda seed: _threads(ours, seed, 8, seconds),
            "ours, 1 caller": lambda seed: _threads(ours, seed, 1, seconds),
            COPY: lambda _: _copied(seconds),
            BATCH: lambda seed: _batches(ours, seed, seconds),
            BATCHES: lambda seed: _batches_of_processes((ours, other), seed, seconds),
            ORM: lambda seed: _orm(plain, seed, seconds),
        }
        rounds_of(points)
        for number in range(rounds):
            for name, figure in zip((RAW, QUIET, SLOWEST), _quiet(ours, next(seeds), seconds), strict=True):
                figures[name].append(figure)
                say(f"  round {number + 1}: {name}: one in {1000 / figure:,.2f} ms")
        with served(ours, Path(folder)) as web:
            http: dict[str, Callable[[int], float]] = {}
            for count in HTTP_CLIENTS:
                ways = {bare(count): web.bare, over_http(count): web.orders, bare_by_orm(count): web.bare_by_orm}
                for name, way in ways.items():
                    http[name] = lambda seed, way=way, n=count: way(clients=n, seconds=seconds, seed=seed)  # type: ignore[misc]
            rounds_of(http)
        say("Setting up: a million resting orders in another book …")
        rest_deep(deep)
        rounds_of(
            {
                BESIDE: lambda seed: _batches(ours, seed, seconds),
                DEEP: lambda seed: _batches(deep, seed, seconds),
            }
        )
        rows = [_row(figures, name, PGBENCH) for name in points]
        rows += [_row(figures, BATCH, ORM), _row(figures, DEEP, BESIDE)]
        for reference in (bare, bare_by_orm):
            rows += [_row(figures, over_http(count), reference(count)) for count in HTTP_CLIENTS]
        # Latencies: how many raw inserts with their commits, by their median, fit into one quiet order.
        for name in (QUIET, SLOWEST):
            times = [raw / quiet for raw, quiet in zip(figures[RAW], figures[name], strict=True)]
            rows.append(Row(name, round(median(figures[name]), 1), round(median(times), 3), "time of a raw insert"))
        return rows + _pages(few, many)


def _pages(few: Any, many: Any) -> list[Row]:
    """The trading page of an instrument with ten thousand trades, in turn with that of one with a million."""
    from django.conf import settings
    from django.utils import timezone

    from bench.depth import FEW, MANY, trade_much
    from bench.page import page_costs
    from portal.people.accounts import sign_up

    settings.ALLOWED_HOSTS = ["*"]
    reader = sign_up(email="reader@example.org", password=None, name="Reader", now=timezone.now(), verified=True)
    trade_much(few, FEW)
    trade_much(many, MANY)
    pages = [(reader, f"/market/{world.instrument.code}/") for world in (few, many)]
    (time_few, queries), (time_many, most) = page_costs(pages)
    say(f"  the trading page: {queries} queries at {FEW:,} trades, {most} at {MANY:,}")
    name = f"trading page at {MANY:,} trades"
    return [
        Row(f"{name}: queries", 0.0, float(most), "queries"),
        Row(name, round(1 / time_many, 1), round(time_many / time_few, 3), f"its time at {FEW:,}"),
    ]


def _copied(seconds: float) -> float:
    """Rows a second by COPY, a thousand a transaction, into a table with one key: Postgres's own floor."""
    import psycopg

    rows = "".join(f"{number}\tBUY\t10000\t5\tGTC\tflow-{number}\tOPEN\t50000\n" for number in range(1000))
    with psycopg.connect(os.environ["DATABASE_URL"].replace("hourglass@", "postgres@")) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS copied (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wallet bigint,"
            " side text, price bigint, quantity bigint, tif text, client text, status text, held bigint)"
        )
        connection.commit()
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            columns = "wallet, side, price, quantity, tif, client, status, held"
            with connection.cursor().copy(f"COPY copied ({columns}) FROM STDIN") as copy:
                copy.write(rows)
            connection.commit()
            count += 1000
        return count / (time.perf_counter() - start)


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


def _batches_of_processes(worlds: Sequence[Any], seed: int, seconds: float) -> float:
    """Each process clears an instrument of its own, as a site's do; their orders are made before, as for one."""
    from django.db import connections

    from market.orders import place_orders

    def caller(number: int) -> Callable[[], None]:
        flow = worlds[number].flow(seed + number)
        ready = [[flow.order() for _ in range(1000)] for _ in range(int(seconds * READY) + 1)]
        return lambda: place_orders(ready.pop()) and None

    connections.close_all()
    return 1000 * per_second_of_processes(caller, callers=len(worlds), seconds=seconds)


def _threads(world: Any, seed: int, callers: int, seconds: float) -> float:
    from django.db import connection

    from market.orders import place_orders

    def caller(number: int) -> Callable[[], None]:
        flow = world.flow(seed + number)
        return lambda: place_orders([flow.order()]) and None

    return per_second(caller, callers=callers, seconds=seconds, close=lambda: connection.close())


def _quiet(world: Any, seed: int, seconds: float) -> tuple[float, float, float]:
    """One over the median time of a raw insert and commit, over that of one order, and over the time that 99 of 100
    orders keep; turn by turn, so that both meet the same machine."""
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
    return 1 / median(raw_times), 1 / median(quiet_times), 1 / quantiles(quiet_times, n=100)[98]


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
