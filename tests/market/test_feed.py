"""A book grown from a snapshot and events is the exchange's own, and a checksum proves it."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone
from hypothesis import given as drawn
from hypothesis import strategies as st

from market.feed import BUY, SELL, FeedBook, Gap, checksum, digits
from market.models import HIGHEST_PRICE, MarketEvent, Order
from market.orders import cancel_order, place_orders
from market.reads import depth
from tests.market.builders import new_order, some_instrument, some_trader

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "order-book"
NEEDED = pytest.mark.skipif(not FOLDER.exists(), reason="the recorded order books are not here")


def recorded(path):
    """The JSON messages of a recording, in the order in which they came."""
    for line in path.read_text().splitlines():
        _, found, body = line.partition(": ")
        if found and body[0] in "[{":
            yield json.loads(body)


def test_the_checksum_is_crc32_over_prices_and_quantities_as_they_are_written():
    asks, bids = [("0.05005", "0.00000500"), ("0.05010", "1.5")], [("0.05000", "10.0")]

    assert "".join(digits(figure) for level in asks for figure in level) == "5005500501015"
    assert checksum(asks, bids) == checksum([(5005, 500), (5010, 15)], [(5000, 100)])
    assert checksum([], []) == 0
    assert checksum([(12345678, 9)], []) == 0xCBF43926  # CRC-32's own check value, of "123456789"


@NEEDED
def test_every_checksum_that_kraken_sent_is_that_of_the_book_its_updates_make():
    books = defaultdict(lambda: {"a": {}, "b": {}})
    agreed = 0
    for message in recorded(FOLDER / "kraken" / "kraken_book_with_crc32.log"):
        if not isinstance(message, list):
            continue
        *parts, _, pair = message[1:]
        book, sent = books[pair], None
        for part in parts:
            sent = part.get("c", sent)
            for name, rows in part.items():
                if name == "c":
                    continue
                side = book[name[0]]
                for price, quantity, *_ in rows:
                    side[Decimal(price)] = (price, quantity)
                    if not Decimal(quantity):
                        del side[Decimal(price)]
                for worst in sorted(side, reverse=name[0] == "b")[1000:]:
                    del side[worst]
        if sent is not None:
            asks = [book["a"][price] for price in sorted(book["a"])[:10]]
            bids = [book["b"][price] for price in sorted(book["b"], reverse=True)[:10]]
            assert checksum(asks, bids) == int(sent), f"{pair} after {agreed} that agreed"
            agreed += 1

    print(f"\n{agreed} of Kraken's checksums agree in {len(books)} pairs")
    assert (agreed, len(books)) == (4269, 10)


LEVELS = st.dictionaries(st.integers(1, 200), st.tuples(st.integers(1, 50), st.integers(1, 3)), max_size=40)


@drawn(LEVELS, st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 200), st.integers(1, 9)), max_size=30))
def test_what_was_applied_can_be_taken_back(levels, additions):
    book = FeedBook(5, asks=[(price, *levels[price]) for price in sorted(levels)])
    before = book.levels(BUY), book.levels(SELL), book.checksum
    events = [{"levels": [[side, price, quantity, 1]]} for side, price, quantity in additions]

    for number, event in enumerate(events, 6):
        book.apply(number, event)
    for event in reversed(events):
        book.undo(event)

    assert (book.number, (book.levels(BUY), book.levels(SELL), book.checksum)) == (5, before)


def test_an_event_that_is_not_the_next_one_is_a_gap_and_changes_nothing():
    book = FeedBook(5, bids=[(99, 3, 1)])

    for number in (5, 7):
        with pytest.raises(Gap):
            book.apply(number, {"levels": [["BUY", 99, 1, 1]]})

    assert (book.number, book.levels(BUY)) == (5, [(99, 3, 1)])


def test_what_lies_beyond_a_snapshots_reach_is_left_alone():
    book = FeedBook(1, asks=[(100 + n, 1, 1) for n in range(12)], limit=12)

    book.apply(2, {"levels": [["SELL", 150, 7, 1], ["SELL", 111, 2, 1], ["BUY", 90, 1, 1]]})
    assert book.levels(SELL)[-1] == (111, 3, 2)
    assert not book.is_short

    book.apply(3, {"levels": [["SELL", 100 + n, -1, -1] for n in range(3)]})
    assert book.is_short


@pytest.mark.django_db
@NEEDED
@pytest.mark.parametrize(
    ("market", "decimals"), [("dot-nzd", 4), ("matic-usd", 5), ("eth-aud", 2), ("bch-sgd", 2), ("pmgt-nzd", 2)]
)
def test_single_orders_of_an_exchange_make_no_trade_and_a_feed_that_gives_the_book_again(market, decimals):
    instrument = some_instrument()
    trader = some_trader(instrument, credits=10**18, lots=10**13)
    cryptocurrency, money = market.split("-")
    snapshot, orders, cancelled = independent_reserve(cryptocurrency, money)
    known = {}

    def place(rows):
        new = []
        for guid, side, price, volume in rows:
            ticks = int(Decimal(str(price)) * 10**decimals)
            if not 0 < ticks <= HIGHEST_PRICE:
                continue
            new.append((guid, new_order(instrument, trader, side, max(1, int(volume * 10)), ticks)))
        for (guid, _), answer in zip(new, place_orders([order for _, order in new]), strict=True):
            assert answer.status == "OPEN", answer
            known[guid] = answer.order_id

    place(snapshot)
    for what, row in orders:
        if what == "new" and row[0] not in known:
            place([row])
        elif what == "cancel" and row in known:
            cancel_order(order_id=known[row], now=timezone.now())

    events = list(MarketEvent.objects.filter(instrument=instrument).order_by("number"))
    book = FeedBook()
    for event in events:
        book.apply(event.number, event.payload)
    now = depth(instrument.id, levels=10**6)
    assert (book.levels(BUY), book.levels(SELL)) == (now.bids, now.asks)
    assert (book.number, book.checksum) == (now.number, now.checksum)
    assert all(event.payload["trades"] == [] for event in events)
    assert not Order.objects.exclude(status__in=["OPEN", "CANCELLED"]).exists()
    assert cancelled <= len(orders)
    print(f"\n{market}: {len(snapshot)} orders at first, {len(orders)} messages, {len(events)} events, no trade")


def independent_reserve(cryptocurrency, money):
    """Resting orders, then what came after: ("new", (guid, side, price, volume)) or ("cancel", guid)."""
    resting, since = [], None
    for line in (FOLDER / "independent-reserve" / "ir_book_snapshots.log").read_text().splitlines():
        if f"primaryCurrencyCode={cryptocurrency}&secondaryCurrencyCode={money}" in line:
            found = json.loads("{" + line.partition(": {")[2])
            since = datetime.fromisoformat(found["CreatedTimestampUtc"][:26].rstrip("Z")).replace(tzinfo=UTC)
            for name, side in (("BuyOrders", "BUY"), ("SellOrders", "SELL")):
                resting += [(row["Guid"], side, row["Price"], row["Volume"]) for row in found[name]]
    events, cancelled, nonce = [], 0, None
    for message in recorded(FOLDER / "independent-reserve" / "ir_order_events.log"):
        if message.get("Channel") != f"orderbook-{cryptocurrency}":
            continue
        assert nonce is None or message["Nonce"] == nonce + 1
        nonce, data = message["Nonce"], message["Data"]
        if message["Time"] / 1000 <= since.timestamp():
            continue
        if message["Event"] == "NewOrder" and money in data["Price"]:
            side = "BUY" if data["OrderType"] == "LimitBid" else "SELL"
            events.append(("new", (data["OrderGuid"], side, data["Price"][money], data["Volume"])))
        elif message["Event"] == "OrderCanceled":
            events.append(("cancel", data["OrderGuid"]))
            cancelled += 1
    return resting, events, cancelled
