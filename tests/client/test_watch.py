"""The client's own book: grown from the stream, proved after every event, and thrown away where it does not agree."""

from __future__ import annotations

import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from market.reads import depth
from tests.api.builders import a_market, an_order
from tests.market.builders import some_instrument
from tests.trading.events import events_process, free_port
from tests.trading.test_reconnecting import Flow
from tests.waiting import wait_until

CLIENT = Path(__file__).resolve().parents[2] / "client"
sys.path.insert(0, str(CLIENT))

from hourglass_client import Book, Client, Follower  # noqa: E402
from hourglass_client.feed import BUY, SELL  # noqa: E402

pytestmark = pytest.mark.django_db(transaction=True)


class Watch(threading.Thread):
    """Follows one series in a thread and keeps what it saw."""

    def __init__(self, site: Client, code: str) -> None:
        super().__init__(daemon=True)
        self.follower = Follower(site, code)
        self.numbers: list[int] = []
        self.book: Book | None = None
        self.ended = False
        self.start()

    def run(self) -> None:
        for book, event in self.follower.updates():
            self.book = book
            if event is not None:
                self.numbers.append(book.number)
            if self.ended:
                return


def test_the_clients_book_is_the_markets_over_a_server_that_goes_and_comes(live_server, settings):
    market = a_market()
    port = free_port()
    settings.EVENTS_ORIGIN = f"http://127.0.0.1:{port}"
    flow = Flow(market.instrument, seed=11)
    flow.act(5)
    started = flow.last()
    with events_process(port):
        watch = Watch(Client(live_server.url, market.ada.secret), market.instrument.code)
        wait_until(lambda: watch.follower.connections == 1)
        flow.act(15)
        wait_until(lambda: watch.book is not None and watch.book.number == flow.last())
    flow.act(15)
    with events_process(port):
        wait_until(lambda: watch.book.number == flow.last(), seconds=40)
        flow.act(5)
        wait_until(lambda: watch.book.number == flow.last())
        watch.ended = True
        flow.act(1)
        watch.join(20)

    now = depth(market.instrument.id)
    assert (watch.book.levels(BUY), watch.book.levels(SELL)) == (now.bids, now.asks)
    assert watch.book.checksum == now.checksum
    # Every number once, by one snapshot and two connections.
    assert watch.numbers == list(range(started + 1, flow.last() + 1))
    assert (watch.follower.snapshots, watch.follower.connections) == (1, 2)


class Liar(socketserver.BaseRequestHandler):
    """A stream whose every first event has another checksum than its book."""

    told: list[int]

    def handle(self) -> None:
        after = int(re.search(rb"after=(\d+)", self.request.recv(65536))[1])  # type: ignore[index]
        event = json.dumps({"at": "x", "trades": [], "levels": [["BUY", 1, 1, 1]], "checksum": 7})
        self.told.append(after)
        said = (
            f"HTTP/1.0 200 OK\r\n\r\nevent: hello\ndata: 1\n\nid: {after + 1}\ndata: {event}\n\nid: {after + 2}\ndata:"
        )
        self.request.sendall(said.encode())


def test_a_book_that_does_not_agree_is_thrown_away_and_fetched_again(live_server, settings):
    market = a_market()
    market.ada.post("orders/", an_order())
    told: list[int] = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("L", (Liar,), {"told": told})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EVENTS_ORIGIN = f"http://127.0.0.1:{server.server_address[1]}"
        follower = Follower(Client(live_server.url, market.ada.secret), "H100-2026Q4")
        seen = [next(updates) for updates in [follower.updates()] for _ in range(3)]
        server.shutdown()

    assert [event for _book, event in seen] == [None] * 3
    assert (follower.snapshots, told[:2]) == (3, [1, 1])
    assert [level[:2] for level in seen[-1][0].levels(BUY)] == [(150, 10)]


def test_a_number_that_is_missing_makes_a_book_none_and_what_lies_beyond_a_snapshot_is_left_alone():
    rows = [{"price": 1000 - n, "quantity": 5, "orders": 1} for n in range(500)]
    book = Book({"number": 4, "bids": rows, "asks": []})
    beyond = {"levels": [["BUY", 100, 9, 1]], "checksum": book.checksum}

    assert not book.apply(6, beyond)
    assert book.apply(5, beyond)
    assert len(book.levels(BUY)) == 500
    gone = {"levels": [["BUY", 1000 - n, -5, -1] for n in range(491)]}
    assert not book.apply(6, gone | {"checksum": 0})
    assert not book.is_whole


def test_watching_from_the_command_line_says_each_event_and_stops_after_as_many(live_server, settings):
    market = a_market()
    with events_process() as origin:
        settings.EVENTS_ORIGIN = origin
        market.bob.post("orders/", an_order(side="SELL", limit_price=200, quantity=50))
        known = {"HOURGLASS_URL": live_server.url, "HOURGLASS_KEY": market.ada.secret, "PYTHONPATH": str(CLIENT)}
        words = ["instruments", "watch", "H100-2026Q4", "--events", "2"]
        watches = [
            subprocess.Popen(
                [sys.executable, "-m", "hourglass_client.cli", *words, *more],
                env={"PATH": os.environ["PATH"]} | known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for more in ([], ["--json"])
        ]  # fmt: skip
        first = [watch.stdout.readline() for watch in watches if watch.stdout is not None]
        market.ada.post("orders/", an_order(limit_price=150, quantity=30))
        market.ada.post("orders/", an_order(limit_price=200, quantity=20))
        rest: list[Any] = [watch.communicate(timeout=30) for watch in watches]

    assert [watch.returncode for watch in watches] == [0, 0], rest
    assert first[0] == "1 no bid · ask 0.50 GPU-h at 2.00 cr\n"
    assert rest[0][0].splitlines() == [
        "2 bid 0.30 GPU-h at 1.50 cr · ask 0.50 GPU-h at 2.00 cr",
        "3 bid 0.30 GPU-h at 1.50 cr · ask 0.30 GPU-h at 2.00 cr; buy 0.20 at 2.00",
    ]
    lines = [json.loads(line) for line in [first[1], *rest[1][0].splitlines()]]
    assert [line["number"] for line in lines] == [1, 2, 3]
    assert lines[2]["trades"] == [[1, 200, 20, "BUY"]]
    assert lines[2]["checksum"] == depth(market.instrument.id).checksum


def test_the_site_says_where_its_stream_is(settings):
    some_instrument("A100-2026Q4")
    market = a_market()
    path = "instruments/H100-2026Q4/book/"

    assert market.ada.get(path).json["events"] == "http://testserver/events/H100-2026Q4/"
    settings.EVENTS_ORIGIN = "https://events.example"
    assert market.ada.get(f"{path}?levels=7").json["events"] == "https://events.example/events/H100-2026Q4/"
