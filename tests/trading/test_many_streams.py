"""Many streams on one events process: a fill reaches all of them soon, over one connection to Postgres."""

import asyncio
import time

import psycopg
import pytest

from tests import cluster, full
from tests.market.builders import placed, some_instrument, some_trader
from tests.trading.events import events_process, free_port

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_fill_is_seen_by_every_stream_within_a_second_over_one_connection():
    count = full.count(500)
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    port = free_port()

    async def opened(after):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /events/{instrument.code}/?after={after} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        while b"event: hello" not in await reader.readline():
            assert not reader.at_eof()
        return reader, writer

    async def seen(reader):
        while not (line := await reader.readline()).startswith(b"data: {"):
            assert line
        return line, time.perf_counter()

    async def watch():
        streams = [await opened(1) for _ in range(count)]
        waiting = [asyncio.create_task(seen(reader)) for reader, _ in streams]
        await asyncio.to_thread(in_own_connection, lambda: placed(instrument, bob, "BUY", 3, 100))
        start = time.perf_counter()
        found = await asyncio.wait_for(asyncio.gather(*waiting), 20)
        connections = await asyncio.to_thread(events_connections)
        for _, writer in streams:
            writer.close()
        return {line for line, _ in found}, max(at for _, at in found) - start, connections

    with events_process(port):
        placed(instrument, ada, "SELL", 5, 100)
        lines, slowest, connections = asyncio.run(watch())

    print(f"\n{count} streams: the last saw the fill after {slowest * 1000:.0f} ms; {connections} connection")
    assert len(lines) == 1
    assert b'"trades":[[1,100,3,"BUY"]]' in lines.pop()
    assert slowest < 1.0
    assert connections == 1


def in_own_connection(act):
    from django.db import connection

    try:
        act()
    finally:
        connection.close()


def events_connections():
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name()), autocommit=True) as other:
        row = other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hourglass events'"
            " AND datname = current_database()"
        ).fetchone()
    return row[0]
