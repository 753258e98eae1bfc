"""How soon a fill is seen by all of 500 readers of one events process, and what it costs Postgres in connections."""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from bench.server import ROOT, migrated_server
from bench.table import Row, say

READERS = 500
SEEN_WITHIN_SECONDS = 1.0
# What one events process may take of Postgres, however many listen to however many instruments.
CONNECTION_CAP = 1


def measure(*, rounds: int, seconds: float, readers: int = READERS) -> list[Row]:
    """Four fills a round; how long that takes is what is measured, so `seconds` says nothing here."""
    del seconds
    with migrated_server():
        from bench.world import some_wallets, some_world

        say(f"Setting up: ten wallets, 10,000 resting orders, {readers} streams on one process …")
        world = some_world("H100-2098Q4", some_wallets(10))
        port = _free_port()
        process = _events_process(port)
        try:
            times, most = asyncio.run(_rounds(world, port, readers, rounds * 4))
        finally:
            process.terminate()
            process.wait(10)
    middle, worst = statistics.median(times), max(times)
    say(f"  a fill seen by all {readers}: median {middle:.3f} s, worst {worst:.3f} s; {most} connections")
    assert most <= CONNECTION_CAP, f"{most} connections to Postgres; the cap is {CONNECTION_CAP}"
    return [
        Row(f"{readers} streams: median time of a fill to the last", round(1 / middle, 1), round(middle, 3), "1 s"),
        Row(f"{readers} streams: worst of {len(times)}", round(1 / worst, 1), round(worst, 3), "1 s"),
        Row(f"{readers} streams: connections to Postgres", 0.0, most / CONNECTION_CAP, f"cap of {CONNECTION_CAP}"),
    ]


async def _rounds(world: Any, port: int, readers: int, rounds: int) -> tuple[list[float], int]:
    after = await asyncio.to_thread(_last_event, world)
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(readers)]
    for _, writer in streams:
        writer.write(f"GET /events/{world.instrument.code}/?after={after} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    await asyncio.gather(*(_until(reader, b"event: hello") for reader, _ in streams))
    times, most = [], 0
    for number in range(rounds):
        waiting = [asyncio.create_task(_until_trade(reader)) for reader, _ in streams]
        await asyncio.to_thread(_trade, world, number)
        start = time.perf_counter()
        seen = await asyncio.wait_for(asyncio.gather(*waiting), 30)
        times.append(time.perf_counter() - start)
        assert len(set(seen)) == 1, "not everybody saw the same event"
        most = max(most, await asyncio.to_thread(_connections))
    for _, writer in streams:
        writer.close()
    return times, most


async def _until(reader: asyncio.StreamReader, wanted: bytes) -> None:
    while wanted not in (line := await reader.readline()):
        assert line, "the stream ended"


async def _until_trade(reader: asyncio.StreamReader) -> int:
    """The number of the trade in the next event that has one."""
    while True:
        line = await reader.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: {") and (trades := json.loads(line[6:])["trades"]):
            return int(trades[-1][0])


def _trade(world: Any, number: int) -> None:
    from market.answers import NewOrder
    from market.orders import place_orders

    maker, taker = world.wallets[0], world.wallets[1]
    orders = [
        NewOrder(world.instrument.id, maker, "SELL", 1, 1, f"streams-maker-{number}"),
        NewOrder(world.instrument.id, taker, "BUY", 20_000, 1, f"streams-taker-{number}"),
    ]
    place_orders(orders)


def _last_event(world: Any) -> int:
    world.instrument.refresh_from_db()
    return int(world.instrument.last_event)


def _connections() -> int:
    """Those that the events process has: all but ours and the one that asks."""
    import psycopg

    dsn = os.environ["DATABASE_URL"].replace("hourglass@", "postgres@")
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hourglass events'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _events_process(port: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port), "--log-level", "error",
        "--timeout-graceful-shutdown", "1",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=2):
                return process
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, "the events process ended"
            assert time.monotonic() < deadline, "the events process does not answer"
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
