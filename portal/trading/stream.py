"""The event stream: market events by number to any number of browsers, from one database connection a process.

The generator of a stream asks the database nothing: one reader looks a few times a second which instruments have new
events, reads them once, and hands them to all. A stream that falls behind is ended; its page comes back by number.
"""

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Any

import psycopg

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.15
BEAT_SECONDS = 5.0
REPLAY_LIMIT = 1000
QUEUE_LIMIT = 500
Message = tuple[int, str]


class UnknownInstrument(LookupError):
    """No instrument has this code."""


class Hub:
    """Reads new events and hands them to the streams of their instrument."""

    def __init__(self, conninfo: dict[str, Any]) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._streams: dict[int, set[asyncio.Queue[Message | None]]] = defaultdict(set)
        self._last: dict[int, int] = {}
        self._asking = asyncio.Lock()

    async def run(self) -> None:
        """Look for events until cancelled; a lost database is asked again."""
        while True:
            try:
                await self._look()
            except psycopg.Error as error:
                logger.warning("Events: the database does not answer (%s); trying again.", error)
                await self._disconnect()
                await asyncio.sleep(1)
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        for queues in self._streams.values():
            for queue in queues:
                with contextlib.suppress(asyncio.QueueFull):
                    queue.put_nowait(None)
        await self._disconnect()

    async def events(self, code: str, after: int | None) -> AsyncGenerator[str, None]:
        """Server-sent events from the number after `after`; without it from now on."""
        instrument_id, last = await self._find(code)
        queue: asyncio.Queue[Message | None] = asyncio.Queue(QUEUE_LIMIT)
        self._streams[instrument_id].add(queue)
        try:
            sent = last if after is None else after
            yield f"retry: 1000\nevent: hello\ndata: {last}\n\n"
            for number, payload in await self._between(instrument_id, sent, REPLAY_LIMIT):
                yield message(number, payload)
                sent = number
            while True:
                try:
                    found = await asyncio.wait_for(queue.get(), BEAT_SECONDS)
                except TimeoutError:
                    yield f"event: beat\ndata: {sent}\n\n"
                    continue
                if found is None:
                    return
                if found[0] > sent:
                    yield message(*found)
                    sent = found[0]
        finally:
            self._streams[instrument_id].discard(queue)

    async def _look(self) -> None:
        watched = [instrument_id for instrument_id, queues in self._streams.items() if queues]
        if not watched:
            return
        rows = await self._rows("SELECT id, last_event FROM market_instrument WHERE id = ANY(%s)", [watched])
        for instrument_id, last in rows:
            known = self._last.setdefault(instrument_id, last)
            if last > known:
                for found in await self._between(instrument_id, known, REPLAY_LIMIT):
                    self._hand_out(instrument_id, found)
                    self._last[instrument_id] = found[0]

    def _hand_out(self, instrument_id: int, found: Message) -> None:
        for queue in list(self._streams[instrument_id]):
            try:
                queue.put_nowait(found)
            except asyncio.QueueFull:
                self._streams[instrument_id].discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)

    async def _find(self, code: str) -> tuple[int, int]:
        rows = await self._rows("SELECT id, last_event FROM market_instrument WHERE code = %s", [code])
        if not rows:
            raise UnknownInstrument(code)
        instrument_id, last = rows[0]
        if not self._streams[instrument_id]:
            self._last[instrument_id] = last
        return instrument_id, last

    async def _between(self, instrument_id: int, after: int, limit: int) -> list[Message]:
        rows = await self._rows(
            "SELECT number, payload::text FROM market_marketevent WHERE instrument_id = %s AND number > %s"
            " ORDER BY number LIMIT %s",
            [instrument_id, after, limit],
        )
        return [(number, payload) for number, payload in rows]

    async def _rows(self, sql: str, params: list[Any]) -> list[Any]:
        async with self._asking:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(**self._conninfo, autocommit=True)
            cursor = await self._connection.execute(sql, params)
            return await cursor.fetchall()

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


def message(number: int, payload: str) -> str:
    """One event: its number is the id that a browser sends back when it reconnects."""
    return f"id: {number}\ndata: {json.dumps(json.loads(payload), separators=(',', ':'))}\n\n"
