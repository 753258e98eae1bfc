"""The log's share of the bench: sealing, its lag behind the fastest writer, verifying, proofs and a wallet's page."""

import multiprocessing
import random
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from django.db import connection, connections

from bench.ledger_world import LedgerWorld
from bench.page import page_costs
from bench.table import Row, say
from ledger.models import Checkpoint, Entry, Leaf
from ledger.proof.export import export_log
from ledger.proof.publishing import receipt_for
from ledger.verifying.verify import verify_export

SMALL_LOG, SMALL_WALLET = 10_000, 1_000


def small_log(world: LedgerWorld) -> tuple[int, float]:
    """A log of ten thousand entries: its size, and the time of a proof."""
    world.grow(world.few, SMALL_WALLET)
    world.grow(world.many, SMALL_LOG - Entry.objects.count())
    world.seal()
    vacuum()
    return _log_size(), _proof_seconds()


def log_rows(world: LedgerWorld, *, seconds: float, entries: int, before: tuple[int, float]) -> list[Row]:
    """Sealing and verifying are measured on what the rounds left behind, proofs and pages on a large log."""
    small_size, small = before
    rows = [_sealing(world), _verifying(world), _lag(world, max(5.0, 5 * seconds))]
    say(f"Growing the log from {Entry.objects.count():,} entries by {entries:,} …")
    world.grow(world.many, entries)
    connection.close()
    world.seal()
    vacuum()
    large_size, large = _log_size(), _proof_seconds()
    (few, few_queries), (many, many_queries) = page_costs([(world.few, "/wallet/"), (world.many, "/wallet/")])
    other = "time of the other"
    return [
        *rows,
        Row(f"a proof at {small_size:,} entries", round(1 / small, 1), 1.0, "itself"),
        Row(f"a proof at {large_size:,} entries", round(1 / large, 1), round(large / small, 3), other),
        Row(f"wallet page, {SMALL_WALLET:,} postings, {few_queries} queries", round(1 / few, 1), 1.0, "itself"),
        Row(
            f"wallet page, {entries:,} postings, {many_queries} queries",
            round(1 / many, 1),
            round(many / few, 3),
            other,
        ),
    ]


def _sealing(world: LedgerWorld) -> Row:
    waiting = Entry.objects.count() - _log_size()
    start = time.perf_counter()
    world.seal()
    spent = time.perf_counter() - start
    say(f"  sealed {waiting:,} entries in {spent:.1f} s")
    return Row("sealing, entries", round(waiting / spent, 1), round(spent / waiting * 1e6, 3), "microseconds an entry")


def _verifying(world: LedgerWorld) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        size = export_log(Path(folder))
        start = time.perf_counter()
        verify_export(Path(folder), [world.sealer.signer.verifier])
        spent = time.perf_counter() - start
    say(f"  verified {size:,} entries in {spent:.1f} s")
    return Row("verifying, entries a core", round(size / spent, 1), round(size / spent / 20_000, 3), "20,000 a second")


def _lag(world: LedgerWorld, seconds: float) -> Row:
    """How old the oldest unsealed entry gets while batches of 1000 are written as fast as they go."""
    connections.close_all()
    end = multiprocessing.get_context("fork").Event()
    sealer = multiprocessing.get_context("fork").Process(target=_seal_until, args=(world, end))
    sealer.start()
    worst: list[float] = [0.0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            worst.append(_oldest_unsealed_seconds())
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    rate = world.batches(size=1000, seconds=seconds, seed=10**6, callers=2)
    done.set()
    watcher.join()
    end.set()
    sealer.join()
    say(f"  lag behind {rate:,.0f} entries a second: at most {max(worst):.2f} s, median {median(worst):.2f} s")
    return Row(
        f"seconds of lag at most, at {rate:,.0f} entries/s", round(max(worst), 2), round(max(worst) / 5, 3), "5 s"
    )


def _seal_until(world: LedgerWorld, end: object) -> None:
    while not end.is_set():  # type: ignore[attr-defined]
        if not world.seal(limit=1):
            time.sleep(0.05)
    world.seal()
    connection.close()


def _oldest_unsealed_seconds() -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM clock_timestamp() - min(recorded_at)) FROM ledger_entry"
            " WHERE id > (SELECT coalesce(max(entry_id), 0) FROM ledger_leaf)"
        )
        row = cursor.fetchone()
    assert row is not None
    return float(row[0] or 0)


def _log_size() -> int:
    newest = Checkpoint.objects.order_by("-size").first()
    return 0 if newest is None else newest.size


def _proof_seconds() -> float:
    size, chooser = _log_size(), random.Random(5)
    ids = list(Leaf.objects.filter(index__in=chooser.sample(range(size), 200)).values_list("entry_id", flat=True))
    spent = []
    for id_ in ids:
        start = time.perf_counter()
        assert receipt_for(id_) is not None
        spent.append(time.perf_counter() - start)
    return median(spent)


def vacuum() -> None:
    """What autovacuum does in its own time: the planner is to know the tables' sizes."""
    import os

    import psycopg

    superuser = os.environ["DATABASE_URL"].replace("hourglass@", "postgres@")
    with psycopg.connect(superuser, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
