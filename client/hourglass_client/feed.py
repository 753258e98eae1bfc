"""The live order book: follows a series' stream of events by number, and proves the book after each by its checksum.

As docs/market.md says it for any language: a snapshot, then every event whose number is the next one; a book that does
not agree with the checksum is thrown away and fetched again.
"""

from __future__ import annotations

import http.client
import json
import random
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hourglass_client.client import NO_REDIRECTS, Client, Document, Unreachable

BUY, SELL = "BUY", "SELL"
# So many of the best levels a side stand in the checksum; a snapshot has so many at most.
TOP, DEPTH = 10, 500
# The stream says something every five seconds.
SILENCE_SECONDS = 12.0
Level = tuple[int, int, int]
Message = tuple[str, str, str]


class Book:
    """Price levels after one event. Levels beyond the worst of a full snapshot are not known and left alone."""

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self.number = int(snapshot["number"])
        self._sides: dict[str, dict[int, list[int]]] = {}
        self._edges: dict[str, int | None] = {}
        for side, rows in ((BUY, snapshot["bids"]), (SELL, snapshot["asks"])):
            self._sides[side] = {int(row["price"]): [int(row["quantity"]), int(row["orders"])] for row in rows}
            self._edges[side] = int(rows[-1]["price"]) if len(rows) >= DEPTH else None

    def apply(self, number: int, event: Mapping[str, Any]) -> bool:
        """Take the next event; False where the book is none any more: a number is missing, or the checksum differs."""
        if number != self.number + 1:
            return False
        for side, price, quantity, orders in event["levels"]:
            edge = self._edges[side]
            if edge is not None and (price < edge if side == BUY else price > edge):
                continue
            level = self._sides[side].setdefault(price, [0, 0])
            level[0] += quantity
            level[1] += orders
            if level[1] == 0:
                del self._sides[side][price]
        self.number = number
        return self.is_whole and self.checksum == event["checksum"]

    def levels(self, side: str, count: int | None = None) -> list[Level]:
        """Price, quantity and number of orders, best first."""
        prices = sorted(self._sides[side], reverse=side == BUY)[:count]
        return [(price, *self._sides[side][price]) for price in prices]  # type: ignore[misc]

    @property
    def checksum(self) -> int:
        """CRC-32 of price and quantity of the ten best asks and then the ten best bids, as digits, as Kraken's."""
        best = [*self.levels(SELL, TOP), *self.levels(BUY, TOP)]
        return zlib.crc32("".join(f"{price}{quantity}" for price, quantity, _ in best).encode())

    @property
    def is_whole(self) -> bool:
        """Whether the ten best of each side are known."""
        return all(edge is None or len(self._sides[side]) >= TOP for side, edge in self._edges.items())


class Follower:
    """One series, followed for as long as its updates are asked for."""

    def __init__(self, site: Client, code: str, *, lost: Callable[[], None] = lambda: None) -> None:
        self._site, self._code, self._lost = site, code, lost
        self.snapshots = self.connections = 0

    def updates(self) -> Iterator[tuple[Book, Document | None]]:
        """The book with the event that made it so; None with a snapshot, which is where it begins and begins again."""
        book, url = self._snapshot()
        yield book, None
        while True:
            is_lost = False
            try:
                for kind, number, data in self._messages(url, book.number):
                    if kind == "message" and int(number) <= book.number:
                        continue
                    is_lost = kind == "reset" or (kind == "message" and not book.apply(int(number), json.loads(data)))
                    if is_lost:
                        break
                    if kind == "message":
                        yield book, json.loads(data)
            except (OSError, http.client.HTTPException):
                self._lost()
                # Not all at the same moment, when the server comes back.
                time.sleep(random.uniform(0.3, 1.5))  # noqa: S311
            if is_lost:
                book, url = self._snapshot_in_the_end()
                yield book, None

    def _snapshot(self) -> tuple[Book, str]:
        found = self._site.book(self._code, levels=DEPTH)
        url = str(found["events"])
        if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
            raise Unreachable("The site names no stream that can be followed.")
        self.snapshots += 1
        return Book(found), url

    def _snapshot_in_the_end(self) -> tuple[Book, str]:
        while True:
            try:
                return self._snapshot()
            except Unreachable:
                self._lost()

    def _messages(self, url: str, after: int) -> Iterator[Message]:
        """Kind, number and data of each message, until the connection ends. The stream needs no key and gets none."""
        request = urllib.request.Request(f"{url}?after={after}", headers={"Accept": "text/event-stream"})
        with NO_REDIRECTS.open(request, timeout=SILENCE_SECONDS) as response:
            self.connections += 1
            fields: dict[str, str] = {}
            # A message that is cut in two is not there yet.
            while (line := response.readline()).endswith(b"\n"):
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name:
                    fields[name] = value
                elif fields:
                    yield fields.get("event", "message"), fields.get("id", ""), fields.get("data", "")
                    fields = {}
        raise ConnectionError("the stream ended")
