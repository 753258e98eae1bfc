"""The ledger's door beside pgbench and the least transfer that Postgres can do, all on one Postgres with fsync on.

Rounds are interleaved, a ratio is taken within each, and the median of the rounds counts: the machine drifts.
"""

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.least import Least
from bench.server import Pgbench, migrated_server
from bench.table import Row, say

CALLERS = (1, 8, 32)
TPCB = "pgbench TPC-B-like, 8 clients"
LARGE = 1_000_000


def least(clients: int) -> str:
    return f"least transfer, pgbench, {clients} clients"


def threaded(callers: int) -> str:
    return f"least transfer, Python threads, {callers}"


def ours(callers: int) -> str:
    return f"ours one by one, {callers} callers"


HOT, BATCH_100, BATCH_1000 = "ours, one hot account, 8 callers", "ours, batches of 100", "ours, batches of 1000"
TWO = "ours, batches of 1000, 2 processes"
PROCESSES = "least transfer, Python processes, 8"


def measure(*, rounds: int, seconds: float, entries: int = LARGE) -> list[Row]:
    figures: dict[str, list[float]] = defaultdict(list)
    with migrated_server() as postgres, tempfile.TemporaryDirectory() as folder:
        from bench.ledger_log import log_rows, small_log
        from bench.ledger_world import LedgerWorld

        say("Setting up: pgbench at scale 10, the least transfer's table, a thousand wallets …")
        pgbench, reference = Pgbench(postgres), Least(postgres)
        world = LedgerWorld.make(Path(folder))
        before = small_log(world)
        points = _points(pgbench, reference, world, seconds)
        seeds = itertools.count(100, 100)
        for number in range(rounds):
            for name, point in points.items():
                figures[name].append(point(next(seeds)))
                say(f"  round {number + 1}: {name}: {figures[name][-1]:,.0f} /s")
        rows = _rates(figures)
        return rows + log_rows(world, seconds=seconds, entries=entries, before=before)


def _points(pgbench: Pgbench, reference: Least, world: Any, seconds: float) -> dict[str, Callable[[int], float]]:
    points: dict[str, Callable[[int], float]] = {TPCB: lambda _: pgbench.tps(clients=8, seconds=seconds)}
    for count in CALLERS:
        points |= {
            least(count): lambda _, n=count: reference.pgbench(clients=n, seconds=seconds),
            threaded(count): lambda seed, n=count: reference.threads(callers=n, seconds=seconds, seed=seed),
            ours(count): lambda seed, n=count: world.singles(callers=n, seconds=seconds, seed=seed),
        }
    return points | {
        PROCESSES: lambda seed: reference.processes(callers=8, seconds=seconds, seed=seed),
        HOT: lambda seed: world.singles(callers=8, seconds=seconds, seed=seed, hot=True),
        BATCH_100: lambda seed: world.batches(size=100, seconds=seconds, seed=seed),
        BATCH_1000: lambda seed: world.batches(size=1000, seconds=seconds, seed=seed),
        TWO: lambda seed: world.batches_of_processes(size=1000, seconds=seconds, seed=seed, callers=2),
    }


def _rates(figures: dict[str, list[float]]) -> list[Row]:
    rows = [_row(figures, name, TPCB) for name in figures]
    for count in CALLERS:
        rows += [_row(figures, ours(count), least(count)), _row(figures, ours(count), threaded(count))]
    rows.append(_row(figures, HOT, ours(8)))
    for batch in (BATCH_100, BATCH_1000, TWO):
        rows += [_row(figures, batch, to) for to in (least(8), threaded(8), PROCESSES)]
    return rows


def _row(figures: dict[str, list[float]], name: str, to: str) -> Row:
    ratios = [value / reference for value, reference in zip(figures[name], figures[to], strict=True)]
    return Row(name, round(median(figures[name]), 1), round(median(ratios), 3), to)
