"""The simulated traders keep a market that is worth looking at: after a minute, after hours, after a day."""

import random
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import requests
from django.core.management import call_command
from django.utils import timezone

from market.models import Instrument, Offering, Order, Trade
from market.prices.wash import find
from market.reads import depth
from portal.api.models import ApiKey
from portal.demo import trading
from portal.demo.keys import NAME, fresh_key
from portal.demo.people import TRADERS
from portal.demo.series import GPU_TYPES
from portal.demo.strategy import BUY, SELL, Own, Quote, moves, value
from portal.demo.trading import CREDITS, ApiSite, Floor
from tests.demo.exchange import Exchange
from tests.full import count
from tests.market.builders import auction_over
from tests.waiting import wait_until

START = datetime(2026, 11, 23, 9, tzinfo=UTC).timestamp()
CODES = [f"{gpu.gpu}-{quarter}" for quarter in ("2026Q4", "2027Q1") for gpu in GPU_TYPES]


@dataclass
class Health:
    """How one book looks at an instant."""

    code: str
    spread: int
    levels: int
    off_value: float


def healths(site):
    for code in CODES:
        bids, asks = site.levels(code, BUY), site.levels(code, SELL)
        if not bids or not asks:
            yield Health(code, 10**6, 0, 1.0)
            continue
        price = next(gpu.price for gpu in GPU_TYPES if code.startswith(gpu.gpu))
        middle, worth = (bids[0][0] + asks[0][0]) / 2, value(code, price, site.now)
        yield Health(code, asks[0][0] - bids[0][0], min(len(bids), len(asks)), abs(middle / worth - 1))


def assert_healthy(site):
    for health in healths(site):
        # A narrow spread, a full ladder, and a price that says what the series is worth.
        assert health.spread <= 8, health
        assert health.levels >= 8, health
        assert health.off_value < 0.05, health


def run(site, floor, seconds):
    until = site.now + seconds
    while floor.due <= until:
        site.now = max(site.now, floor.due)
        floor.act(site.now)
    site.now = until


@pytest.mark.parametrize("usual", [150_000, 60_000, 2_300], ids=["early", "midway", "late"])
def test_books_are_full_after_a_minute_and_after_a_day_and_few_trades_are_flagged(usual):
    hours = max(2, count(24))
    holdings = {name: {CREDITS: 20_000 * 10_000} | dict.fromkeys(CODES, usual) for name in TRADERS}
    site = Exchange(holdings, now=START)
    floor = Floor(site, list(TRADERS), CODES, chance=random.Random(20261123), now=START)
    looks = 0
    for _ in range(2):
        run(site, floor, 30)
    assert_healthy(site)
    for _ in range(hours * 6):
        run(site, floor, 600)
        assert_healthy(site)
        looks += 1

    flagged = {code: {n for f in find(trades, after=0) for n in f.trades} for code, trades in site.trades.items()}
    trades = sum(len(each) for each in site.trades.values())
    flags = sum(len(each) for each in flagged.values())
    resting = sum(len(book) for book in site.books.values())
    print(
        f"\n{hours} h: {trades} trades, {flags} of them flagged, {site.calls} clearings, {dict(floor.done)}, "
        f"{site.rejected} rejected, {resting} orders open; {looks} looks at {len(CODES)} books"
    )
    # Something happens in every series, little of it is odd, and neither the books nor the history run away.
    assert all(len(site.trades[code]) >= 20 * hours for code in CODES)
    assert flags <= 6 * hours + 6
    assert resting <= 3 * 2 * 12 * len(CODES)
    assert site.calls <= 2_500 * hours + 200
    assert site.rejected <= site.calls // 50
    # Nobody runs out: what is bought is sold again.
    for name in TRADERS:
        assert min(site.holdings[name][code] for code in CODES) > usual // 3
        assert site.holdings[name][CREDITS] > 10_000 * 10_000
    for code in CODES:
        assert sum(holding[code] for holding in site.holdings.values()) == usual * len(TRADERS)


def test_what_stands_near_enough_stays_and_the_rest_follows_the_value():
    own = [Own(1, BUY, 100, 50, 0), Own(2, BUY, 99, 50, 0), Own(3, BUY, 98, 50, 0), Own(4, SELL, 101, 50, 40)]

    moved, placed = moves(own, [Quote(BUY, price, 50) for price in (101, 100, 99)] + [Quote(SELL, 101, 50)])

    assert [(move.order.id, move.quote) for move in moved] == [(3, Quote(BUY, 101, 50)), (4, Quote(SELL, 101, 50))]
    assert placed == []


def test_what_nobody_wants_any_more_is_cancelled_and_what_is_missing_is_placed():
    moved, placed = moves([Own(1, SELL, 90, 5, 0)], [Quote(BUY, 89, 5)])

    assert [(move.order.id, move.quote) for move in moved] == [(1, None)]
    assert placed == [Quote(BUY, 89, 5)]


@pytest.mark.django_db(transaction=True)
def test_over_the_api_books_fill_trades_happen_and_a_revoked_key_is_no_end(live_server):
    call_command("seed_demo")
    auction_over(Offering.objects.get().instrument)
    names = list(TRADERS)
    site = ApiSite(live_server.url, fresh_key)
    codes = site.codes(names[0])
    assert len(codes) == 2 * len(GPU_TYPES)
    now = time.time()
    floor = Floor(site, names, codes, chance=random.Random(7), now=now)
    before = {code: Trade.objects.filter(instrument__code=code).count() for code in codes}

    acts = 0
    while floor.due < now + 60:
        floor.act(floor.due)
        acts += 1
        if acts == 10:
            ApiKey.objects.filter(name=NAME).update(revoked_at=timezone.now())

    for instrument in Instrument.objects.filter(code__in=codes):
        book = depth(instrument.id)
        assert min(len(book.bids), len(book.asks)) >= 10, instrument.code
        assert 0 < book.best_ask - book.best_bid <= 8, instrument.code
    after = {code: Trade.objects.filter(instrument__code=code).count() for code in codes}
    print(f"\n{acts} acts, {dict(floor.done)}, trades before {before} and after {after}")
    assert sum(after.values()) > sum(before.values())
    assert ApiKey.objects.filter(name=NAME, revoked_at=None).count() == len(names)
    # Nobody crowds the lists of keys or of orders.
    assert Order.objects.filter(status="OPEN").count() <= len(codes) * 3 * 2 * 12


class Unsteady(Exchange):
    """A site that is away at every third question."""

    asked = 0

    def codes(self, name):
        self.falter()
        return CODES

    def book(self, name, code):
        self.falter()
        return super().book(name, code)

    def falter(self):
        self.asked += 1
        if self.asked % 3 == 1:
            raise requests.ConnectionError("refused")


def test_a_site_that_goes_away_is_waited_for_and_the_traders_end_when_told(monkeypatch):
    monkeypatch.setattr(trading, "AFTER_A_FAULT", 0.01)
    monkeypatch.setattr(trading, "FIRST_MAKERS", 0.5)
    site = Unsteady({name: {CREDITS: 10**9} | dict.fromkeys(CODES, 60_000) for name in TRADERS})
    ended = threading.Event()
    thread = threading.Thread(target=trading.trade_until, args=(ended, site, list(TRADERS)), daemon=True)

    thread.start()
    wait_until(lambda: sum(len(book) for book in list(site.books.values())) > 200)
    ended.set()
    thread.join(10)

    assert not thread.is_alive()
