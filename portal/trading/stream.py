"""The event stream: market events by number to any number of browsers, from one database connection a process.

The generator of a stream asks the database nothing but its own past: one reader looks a few times a second which
instruments have new events, reads them once, adds the checksum of the book after each, and hands them to all. A stream
that falls behind is ended; its page comes back by number.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import psycopg

from market.feed import FeedBook, Gap
from market.reads import DEPTH, DEPTH_LEVELS, snapshot_of

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.15
BEAT_SECONDS = 5.0
# Further back than this a page is better off with a snapshot.
REPLAY_LIMIT = 1000
QUEUE_LIMIT = 500
APPLICATION_NAME = "hourglass events"
RESET = b"event: reset\ndata: fetch a snapshot\n\n"
Event = tuple[int, dict[str, Any]]
Message = tuple[int, bytes]
Batch = list[Message]


class UnknownInstrument(LookupError):
    """No instrument has this code."""


class Feed:
    """One instrument as this process follows it: the book after the last event, what was sent lately, and to whom."""

    def __init__(self, instrument_id: int, book: FeedBook) -> None:
        self.instrument_id = instrument_id
        self.book = book
        self.recent: deque[Message] = deque(maxlen=REPLAY_LIMIT)
        self.queues: set[asyncio.Queue[Batch | None]] = set()

    def take(self, events: Sequence[Event]) -> None:
        """The next events, to everybody at once."""
        batch = told(self.book, events)
        self.recent.extend(batch)
        for queue in list(self.queues):
            try:
                queue.put_nowait(batch)
            except asyncio.QueueFull:
                self._end(queue)

    def remembered(self, after: int) -> Batch | None:
        """The messages after this number, where they are all still here."""
        if self.recent and self.recent[0][0] <= after + 1:
            return [message for message in self.recent if message[0] > after]
        return None

    def end(self) -> None:
        """Every page comes back by number."""
        for queue in list(self.queues):
            self._end(queue)

    def _end(self, queue: asyncio.Queue[Batch | None]) -> None:
        self.queues.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)


class Hub:
    """Reads new events and hands them to the streams of their instrument."""

    def __init__(self, conninfo: dict[str, Any]) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._feeds: dict[int, Feed] = {}
        self._ids: dict[str, int] = {}
        self._asking = asyncio.Lock()
        self._opening = asyncio.Lock()

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
        for feed in self._feeds.values():
            feed.end()
        await self._disconnect()

    async def events(self, code: str, after: int | None) -> AsyncGenerator[bytes, None]:
        """Server-sent events from the number after `after`; without it from now on."""
        feed = await self._feed(code)
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(QUEUE_LIMIT)
        # Between these three lines nothing else runs: what the queue brings goes on exactly after `reached`.
        feed.queues.add(queue)
        reached = feed.book.number
        sent = reached if after is None else after
        try:
            yield f"retry: 1000\nevent: hello\ndata: {reached}\n\n".encode()
            past = await self._past(feed, sent, reached)
            if past is None:
                yield RESET
                return
            if past:
                yield joined(past)
                sent = past[-1][0]
            while True:
                try:
                    batch = await asyncio.wait_for(queue.get(), BEAT_SECONDS)
                except TimeoutError:
                    yield f"event: beat\ndata: {sent}\n\n".encode()
                    continue
                if batch is None:
                    return
                # A page's snapshot may be newer than our last look.
                new = batch if batch[0][0] > sent else [message for message in batch if message[0] > sent]
                if new:
                    yield joined(new)
                    sent = new[-1][0]
        finally:
            feed.queues.discard(queue)

    async def _past(self, feed: Feed, after: int, reached: int) -> Batch | None:
        """The messages after `after` up to `reached`; None where they are too many, or the number is not there yet."""
        if after == reached:
            return []
        if after > reached:
            rows = await self._rows("SELECT last_event FROM market_instrument WHERE id = %s", [feed.instrument_id])
            return [] if after <= rows[0][0] else None
        remembered = feed.remembered(after)
        if remembered is None:
            found = await self._book_at(feed.instrument_id, after)
            if found is None:
                return None
            remembered = told(*found)
        return [message for message in remembered if message[0] <= reached]

    async def _look(self) -> None:
        watched = [feed.instrument_id for feed in self._feeds.values() if feed.queues]
        if not watched:
            return
        rows = await self._rows("SELECT id, last_event FROM market_instrument WHERE id = ANY(%s)", [watched])
        for instrument_id, last in rows:
            feed = self._feeds[instrument_id]
            if feed.book.number > last:
                # The database is an older one than it was, as after a restored backup.
                await self._begin_again(feed)
            while feed.book.number < last:
                await self._advance(feed)

    async def _advance(self, feed: Feed) -> None:
        if feed.book.is_short:
            found = await self._book_at(feed.instrument_id, feed.book.number)
            if found is not None:
                feed.book = found[0]
        events = await self._between(feed.instrument_id, feed.book.number)
        try:
            if not events:
                raise Gap(f"no event after {feed.book.number}")
            feed.take(events)
        except Gap as gap:
            logger.error("Events: %s of instrument %s.", gap, feed.instrument_id)
            await self._begin_again(feed)

    async def _begin_again(self, feed: Feed) -> None:
        """From a snapshot; every page comes back and is told to fetch one, where its number is not there any more."""
        feed.end()
        feed.recent.clear()
        feed.book = await self._book_now(feed.instrument_id)

    async def _feed(self, code: str) -> Feed:
        """The feed of this code: where nobody followed it, it starts anew."""
        async with self._opening:
            instrument_id = await self._id(code)
            feed = self._feeds.get(instrument_id)
            if feed is None or not feed.queues:
                feed = self._feeds[instrument_id] = Feed(instrument_id, await self._book_now(instrument_id))
            return feed

    async def _id(self, code: str) -> int:
        if code not in self._ids:
            rows = await self._rows("SELECT id FROM market_instrument WHERE code = %s", [code])
            if not rows:
                raise UnknownInstrument(code)
            self._ids[code] = rows[0][0]
        return self._ids[code]

    async def _book_now(self, instrument_id: int) -> FeedBook:
        rows = await self._rows(DEPTH, {"levels": DEPTH_LEVELS, "instrument": instrument_id})
        snapshot = snapshot_of(rows)
        return FeedBook(snapshot.number, snapshot.bids, snapshot.asks, limit=DEPTH_LEVELS)

    async def _book_at(self, instrument_id: int, number: int) -> tuple[FeedBook, list[Event]] | None:
        """The book as it was after this event, and the events since: today's, with them taken back."""
        book = await self._book_now(instrument_id)
        if book.number - number > REPLAY_LIMIT:
            return None
        events = [event for event in await self._between(instrument_id, number) if event[0] <= book.number]
        for _, event in reversed(events):
            book.undo(event)
        return book, events

    async def _between(self, instrument_id: int, after: int) -> list[Event]:
        return await self._rows(
            "SELECT number, payload FROM market_marketevent WHERE instrument_id = %s AND number > %s"
            " ORDER BY number LIMIT %s",
            [instrument_id, after, REPLAY_LIMIT],
        )

    async def _rows(self, sql: str, params: Any) -> list[Any]:
        async with self._asking:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(
                    **self._conninfo, autocommit=True, application_name=APPLICATION_NAME
                )
            cursor = await self._connection.execute(sql, params)
            return await cursor.fetchall()

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


def told(book: FeedBook, events: Sequence[Event]) -> Batch:
    """The messages of events, each with the checksum of the book that stands after it."""
    batch = []
    for number, event in events:
        book.apply(number, event)
        batch.append((number, message(number, event, book.checksum)))
    return batch


def message(number: int, event: dict[str, Any], checksum: int) -> bytes:
    """One event: its number is the id that a browser sends back when it reconnects."""
    text = json.dumps(event | {"checksum": checksum}, separators=(",", ":"))
    return f"id: {number}\ndata: {text}\n\n".encode()


def joined(batch: Batch) -> bytes:
    return b"".join(text for _, text in batch)
