"""The event stream over HTTP, from a real uvicorn."""

import json
import urllib.error
import urllib.request

import psycopg
import pytest

from market.feed import checksum
from market.models import MarketEvent
from tests import cluster
from tests.market.builders import placed, some_instrument, some_trader
from tests.trading.events import events_process

pytestmark = pytest.mark.django_db(transaction=True)


def opened(url, **headers):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)


def messages(response, count):
    """The next numbered messages of the stream: (number, what it says)."""
    found, fields = [], {}
    while len(found) < count:
        line = response.readline().decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "id" in fields and "event" not in fields:
                found.append((int(fields["id"]), json.loads(fields["data"])))
            fields = {}
    return found


def status_of(url, **headers):
    try:
        with opened(url, **headers) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def test_events_come_as_they_happen_and_again_by_number():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    placed(instrument, ada, "SELL", 5, 100)
    with events_process() as origin, opened(f"{origin}/events/{instrument.code}/?after=0") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert stream.headers["Access-Control-Allow-Origin"] == "*"
        assert stream.headers.get("Access-Control-Allow-Credentials") is None
        assert [number for number, _ in messages(stream, 1)] == [1]

        placed(instrument, bob, "BUY", 2, 100)
        placed(instrument, bob, "BUY", 9, 100)
        live = messages(stream, 2)

        with opened(f"{origin}/events/{instrument.code}/?after=1") as again:
            assert messages(again, 2) == live
        with opened(f"{origin}/events/{instrument.code}/?after=1", **{"Last-Event-ID": "2"}) as resumed:
            assert messages(resumed, 1) == live[1:]

    assert [number for number, _ in live] == [2, 3]
    assert [event["trades"] for _, event in live] == [[[1, 100, 2, "BUY"]], [[2, 100, 3, "BUY"]]]
    stored = MarketEvent.objects.order_by("number").values_list("payload", flat=True)
    assert [{name: event[name] for name in event if name != "checksum"} for _, event in live] == list(stored)[1:]
    assert [event["checksum"] for _, event in live] == [checksum([(100, 3)], []), checksum([], [(100, 6)])]


def test_a_stream_of_one_instrument_carries_nothing_of_another():
    one, other = some_instrument(), some_instrument("B200-2026Q4")
    ada = some_trader(one)
    some_trader(other, "Bob")
    with events_process() as origin, opened(f"{origin}/events/{one.code}/?after=0") as stream:
        placed(other, ada, "BUY", 1, 77)
        placed(one, ada, "BUY", 1, 55)

        assert [event["levels"] for _, event in messages(stream, 1)] == [[["BUY", 55, 1, 1]]]


def test_what_is_no_stream_is_refused():
    instrument = some_instrument()
    with events_process() as origin:
        assert status_of(f"{origin}/events/NOTHING/") == 404
        assert status_of(f"{origin}/events/") == 404
        assert status_of(f"{origin}/market/") == 404
        for after in ("x", "-1", "1.5", "9" * 30):
            assert status_of(f"{origin}/events/{instrument.code}/?after={after}") == 400


def test_a_database_that_went_back_ends_the_streams_which_then_fetch_a_snapshot():
    instrument = some_instrument()
    ada = some_trader(instrument)
    for price in (100, 101, 102):
        placed(instrument, ada, "BUY", 1, price)
    with events_process() as origin, opened(f"{origin}/events/{instrument.code}/?after=3") as stream:
        assert stream.readline()
        # As a restored backup would leave it.
        with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as owner:
            owner.execute("SET session_replication_role = replica")
            owner.execute("DELETE FROM market_marketevent WHERE number > 1")
            owner.execute("UPDATE market_instrument SET last_event = 1")

        assert stream.read().count(b"event:") <= 2  # it ends
        with opened(f"{origin}/events/{instrument.code}/?after=3") as again:
            assert b"event: reset" in again.read()
