"""Cut connections, a restarted server, many readers: every number once, and the book proved after each."""

import json
import random
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from market.feed import FeedBook
from market.orders import place_orders
from market.reads import depth
from tests import full
from tests.browser import chromium, open_page
from tests.market.builders import new_order, some_instrument, some_trader
from tests.trading.events import events_process, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
TABS = 10


class Reader:
    """A client that follows one instrument as docs/market.md says, from an empty book and over every interruption."""

    def __init__(self, port, code):
        self.port, self.code = port, code
        self.book, self.numbers, self.connections, self.resets = FeedBook(), [], 0, 0
        self.text = b""
        self.ended = threading.Event()
        self.connection = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended.is_set():
            try:
                self.follow()
            except (OSError, ValueError):
                self.ended.wait(0.05)

    def follow(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as self.connection:
            self.connections += 1
            request = f"GET /events/{self.code}/?after={self.book.number} HTTP/1.0\r\nHost: x\r\n\r\n"
            self.connection.sendall(request.encode())
            lines = self.connection.makefile("rb")
            fields = {}
            # HTTP/1.0 has no chunks: what comes is the stream itself. A message cut in two is not there yet.
            while not self.ended.is_set() and (line := lines.readline()).endswith(b"\n"):
                self.text += line
                name, found, value = line.decode().rstrip("\r\n").partition(": ")
                if found:
                    fields[name] = value
                elif fields:
                    self.hear(fields)
                    fields = {}

    def hear(self, fields):
        self.resets += fields.get("event") == "reset"
        if "id" in fields and "event" not in fields:
            event = json.loads(fields["data"])
            self.book.apply(int(fields["id"]), event)
            self.numbers.append(int(fields["id"]))
            assert self.book.checksum == event["checksum"], f"event {fields['id']}"

    def stop(self):
        self.ended.set()
        if self.connection is not None:
            with_no_error(lambda: self.connection.shutdown(socket.SHUT_RDWR))
        self.thread.join(10)


def with_no_error(act):
    with suppress(OSError):
        act()


class Line:
    """A line to the server that can be cut, be dead for as long as one likes, or carry nothing and not say so."""

    def __init__(self, target):
        self.target, self.pairs, self.is_dead = target, [], False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.speaks = threading.Event()
        self.speaks.set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_dead:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        try:
            while data := source.recv(65536):
                self.speaks.wait()
                sink.sendall(data)
        except OSError:
            pass
        with_no_error(lambda: sink.shutdown(socket.SHUT_RDWR))

    def cut(self):
        self.is_dead = True
        for pair in self.pairs:
            for end in pair:
                with_no_error(lambda end=end: end.shutdown(socket.SHUT_RDWR))
                end.close()
        self.pairs = []

    def mend(self):
        self.is_dead = False

    def hush(self):
        self.speaks.clear()

    def speak(self):
        self.speaks.set()


class Flow:
    """Orders of a few people from both sides, seeded; some cancelled by time in force, some traded."""

    def __init__(self, instrument, seed):
        self.instrument, self.random = instrument, random.Random(seed)
        self.people = [some_trader(instrument, f"Person {number} of the feed") for number in range(5)]

    def act(self, count):
        for _ in range(count):
            side = self.random.choice(["BUY", "SELL"])
            price = 10_000 + round(self.random.gauss(-4 if side == "BUY" else 4, 8))
            kind = self.random.choice(["GTC", "GTC", "GTC", "IOC"])
            person = self.random.choice(self.people)
            place_orders([new_order(self.instrument, person, side, self.random.randint(1, 90), price, kind)])

    def last(self):
        self.instrument.refresh_from_db()
        return self.instrument.last_event


@contextmanager
def reading(port, code, count=1):
    readers = [Reader(port, code) for _ in range(count)]
    try:
        yield readers
    finally:
        for reader in readers:
            reader.stop()


def assert_each_number_once(readers, flow):
    last = flow.last()
    wait_until(lambda: all(reader.book.number == last for reader in readers))
    now = depth(flow.instrument.id, levels=10**6)
    for reader in readers:
        assert reader.numbers == list(range(1, last + 1))
        assert (reader.book.levels("BUY"), reader.book.levels("SELL")) == (now.bids, now.asks)
        assert reader.book.checksum == now.checksum


def test_an_hour_of_the_feed_replayed_into_an_empty_client_gives_the_identical_book():
    instrument = some_instrument()
    flow = Flow(instrument, seed=4)
    # One event a second: an hour of them, recorded from the stream as it comes.
    port = free_port()
    with events_process(port), reading(port, instrument.code) as (live,):
        flow.act(full.count(3600))
        assert_each_number_once([live], flow)
        recorded = live.text

    client = FeedBook()
    for message in recorded.decode().split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in message.splitlines() if ": " in line)
        if "id" in fields and "event" not in fields:
            event = json.loads(fields["data"])
            client.apply(int(fields["id"]), event)
            assert client.checksum == event["checksum"]
    now = depth(instrument.id, levels=10**6)
    assert (client.number, client.levels("BUY"), client.levels("SELL")) == (now.number, now.bids, now.asks)
    assert client.number >= full.count(3600) * 0.7
    # Names and ids of orders, wallets and persons never leave.
    assert b"Person" not in recorded
    assert {key for m in recorded.decode().split("\n") if m.startswith("data: {") for key in json.loads(m[6:])} == {
        "at", "trades", "levels", "checksum",
    }  # fmt: skip
    print(f"\n{client.number} events recorded and replayed, {len(recorded)} bytes")


def test_a_cut_connection_a_restart_and_ten_readers_lose_nothing_and_get_nothing_twice():
    instrument = some_instrument()
    flow = Flow(instrument, seed=5)
    port = free_port()
    line = Line(port)
    with reading(line.port, instrument.code, count=TABS) as readers:
        with events_process(port):
            flow.act(20)
            assert_each_number_once(readers, flow)
            # What thirty seconds bring while the line is dead.
            line.cut()
            flow.act(60)
            line.mend()
            assert_each_number_once(readers, flow)
            assert all(reader.connections >= 2 for reader in readers)
        flow.act(30)
        before = [reader.connections for reader in readers]
        with events_process(port):
            assert_each_number_once(readers, flow)
            flow.act(20)
            assert_each_number_once(readers, flow)
        assert all(reader.connections > then for reader, then in zip(readers, before, strict=True))
        assert [reader.resets for reader in readers] == [0] * TABS


def test_a_reader_too_far_behind_is_told_to_fetch_a_snapshot():
    instrument = some_instrument()
    flow = Flow(instrument, seed=6)
    flow.act(3)
    port = free_port()
    with events_process(port):
        for after in (flow.last() + 1, 10**12):
            with reading(port, instrument.code) as (reader,):
                reader.stop()
                reader.ended.clear()
                reader.book.number = after
                reader.thread = threading.Thread(target=reader.run, daemon=True)
                reader.thread.start()
                wait_until(lambda reader=reader: reader.resets > 0)
                assert reader.numbers == [] or reader.numbers[-1] <= flow.last()


def number_of(tab):
    """The event up to which its book is proved."""
    return tab.evaluate("document.getElementById('desk').dataset.number ?? null")


@pytest.mark.browser
def test_ten_tabs_of_one_browser_see_every_event_once_over_a_cut_and_a_restart(live_server, settings):
    instrument = some_instrument()
    flow = Flow(instrument, seed=7)
    port = free_port()
    line = Line(port)
    settings.EVENTS_ORIGIN = f"http://127.0.0.1:{line.port}"
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | {"connect-src": ["'self'", settings.EVENTS_ORIGIN]}
    settings.CONTENT_SECURITY_POLICY = settings.CONTENT_SECURITY_POLICY | {"DIRECTIVES": directives}

    with chromium() as browser:
        first = open_page(browser, live_server.url)
        tabs = [first, *(first.context.new_page() for _ in range(TABS - 1))]

        def reach(number):
            for tab in tabs:
                wait_until(lambda tab=tab: number_of(tab) == str(number), seconds=40)

        with events_process(port):
            for tab in tabs:
                tab.goto(f"{live_server.url}/market/{instrument.code}/")
                wait_until(lambda tab=tab: number_of(tab) is not None)
                tab.evaluate("window.seen = []; addEventListener('book-event', ({detail}) => seen.push(detail)); null")
            started = flow.last()
            flow.act(15)
            reach(flow.last())
            line.cut()
            flow.act(30)
            line.mend()
            reach(flow.last())
        flow.act(10)
        with events_process(port):
            reach(flow.last())
            flow.act(10)
            reach(flow.last())

        wanted = list(range(started + 1, flow.last() + 1))
        assert [tab.evaluate("seen") for tab in tabs] == [wanted] * TABS
        now = depth(instrument.id)
        best = [tab.locator("#bids tr").first.get_attribute("data-price") for tab in tabs]
        assert best == [str(now.best_bid)] * TABS
    print(f"\n{TABS} tabs, {len(wanted)} events each, none missing, none twice")
