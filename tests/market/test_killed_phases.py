"""Kill -9 at every statement of what is done to books and instruments: timers, dates, halts, bands, offerings, ends."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F, Sum
from django.utils import timezone

from ledger.clock import database_now
from market.instruments import close_instrument, halt_all, resume_all
from market.models import Allocation, CancelTimer, Instrument, InstrumentChange, Offering, Order, Trade
from market.offerings.offering import offer_series
from market.orders import expire_orders, place_orders
from market.timers import run_cancel_timers, set_cancel_timer
from market.uncrossing import end_auction
from tests import full
from tests.killing import killed_before_statement
from tests.market.builders import (
    assert_value_is_conserved,
    make_due,
    new_order,
    placed,
    some_instrument,
    some_trader,
    with_rules,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
POINTS = full.count(600)
Phase, Act = Instrument.Phase, Callable[[], object]


class Floor:
    """Two instruments and four wallets; each kind of work comes with what must be so after a death and what ends it."""

    def __init__(self) -> None:
        self.instruments = [some_instrument("H100-2026Q4"), some_instrument("H100-2027Q1")]
        self.first = self.instruments[0]
        self.wallets = [some_trader(self.first, f"Trader {n}") for n in range(4)]
        self.department = some_trader(self.first, "Physics")
        self.random = random.Random(20261123)
        self.number = 0

    def some_orders(self, wallet: int, **terms: object) -> list[int]:
        return [
            placed(each, self.wallets[wallet], "BUY", self.random.randint(1, 9), self.random.randint(80, 90), **terms)
            .order_id
            for each in self.instruments
            for _ in range(2)
        ]  # fmt: skip

    def timer(self) -> tuple[Act, Act, Act]:
        wallet, orders = self.wallets[0], self.some_orders(0)
        set_cancel_timer(wallet_id=wallet.id, seconds=60)
        CancelTimer.objects.update(cancel_at=database_now())

        def died() -> None:
            assert CancelTimer.objects.exists() or not open_ones(orders), "a timer is gone and its orders are not"

        def ended() -> None:
            run_cancel_timers()
            assert not open_ones(orders)
            assert not CancelTimer.objects.exists()
            assert set(Order.objects.filter(id__in=orders).values_list("reason", flat=True)) == {"not_renewed"}

        return run_cancel_timers, died, ended

    def dates(self) -> tuple[Act, Act, Act]:
        until = database_now() + timedelta(milliseconds=250)
        orders = self.some_orders(1, time_in_force="GTD", expires_at=until)
        wait_until(lambda: database_now() > until)

        def ended() -> None:
            expire_orders()
            assert not open_ones(orders)

        return expire_orders, lambda: None, ended

    def halt(self) -> tuple[Act, Act, Act]:
        before = InstrumentChange.objects.filter(cause="HALTED").count()

        def died() -> None:
            phases = {Instrument.objects.get(id=each.id).phase for each in self.instruments}
            rows = InstrumentChange.objects.filter(cause="HALTED").count() - before
            assert (phases, rows) in (({Phase.HALTED}, 3), ({Phase.CONTINUOUS}, 0))

        def ended() -> None:
            halt_all(reason="x", now=timezone.now())
            resume_all(reason="x", now=timezone.now())
            for each in self.instruments:
                make_due(each)
                end_auction(each.id)

        return lambda: halt_all(reason="x", now=timezone.now()), died, ended

    def band(self) -> tuple[Act, Act, Act]:
        """An order that leaves the band: it waits and the auction has begun, or there is neither."""
        with_rules(self.first, static_band_bp=500, reference_price=100)
        placed(self.first, self.wallets[2], "SELL", 5, 110)
        bid = new_order(self.first, self.wallets[3], "BUY", 5, 110)

        def died() -> None:
            phase = Instrument.objects.get(id=self.first.id).phase
            began = Order.objects.filter(client_order_id=bid.client_order_id).exists()
            assert (phase == Phase.AUCTION) == began

        def ended() -> None:
            place_orders([bid])
            make_due(self.first)
            assert end_auction(self.first.id)
            assert Order.objects.get(client_order_id=bid.client_order_id).status == "FILLED"
            with_rules(self.first, static_band_bp=None)

        return lambda: place_orders([bid]), died, ended

    def offer(self) -> tuple[Act, Act, Act]:
        def act() -> None:
            offer_series(
                instrument_id=self.first.id, wallet_id=self.department.id, quantity=50, reserve_price=200,
                collect_seconds=3600, no_cancel_seconds=0, now=timezone.now(),
            )  # fmt: skip

        def died() -> None:
            offered = Offering.objects.filter(status="OPEN").count()
            resting = Order.objects.filter(wallet=self.department, status="OPEN").count()
            assert offered == resting == (Instrument.objects.get(id=self.first.id).phase == Phase.AUCTION)

        def ended() -> None:
            if not Offering.objects.filter(status="OPEN").exists():
                act()
            make_due(self.first)
            assert end_auction(self.first.id)
            assert not Order.objects.filter(wallet=self.department, status="OPEN").exists()

        return act, died, ended

    def shared_out(self) -> tuple[Act, Act, Act]:
        """The auction of an offering, a share of it set aside."""
        self.number += 1
        instrument = some_instrument(f"OFFER-{self.number}")
        department = some_trader(instrument, f"Department {self.number}", lots=100)
        bidders = [
            some_trader(instrument, f"B{self.number}-{n}", credits=10**9, lots=50 if n % 2 else 0) for n in range(4)
        ]
        offering = offer_series(
            instrument_id=instrument.id, wallet_id=department.id, quantity=100, reserve_price=100,
            set_aside_percent=40, small_below=10, collect_seconds=3600, no_cancel_seconds=0, now=timezone.now(),
        )  # fmt: skip
        for place, wallet in enumerate(bidders):
            placed(instrument, wallet, "BUY", 35, 110 - place)
        make_due(instrument)

        def died() -> None:
            given = Allocation.objects.filter(offering=offering).aggregate(
                all=Sum(F("set_aside_quantity") + F("rest_quantity"))
            )
            sold = sum(Trade.objects.filter(instrument=instrument).values_list("quantity", flat=True))
            assert (given["all"] or 0) == sold == Offering.objects.get(id=offering.id).sold_quantity

        def ended() -> None:
            end_auction(instrument.id)
            died()
            done = Offering.objects.get(id=offering.id)
            assert (done.status, done.sold_quantity) == ("DONE", 100)
            # At 108 there are 35 of a small one, 35 of a large one, 35 of a small one: the small share 40.
            rows = Allocation.objects.filter(offering=offering).order_by("order__priority")
            assert [(row.set_aside_quantity, row.rest_quantity) for row in rows] == [(35, 0), (0, 35), (5, 25)]

        return lambda: end_auction(instrument.id), died, ended

    def end(self) -> tuple[Act, Act, Act]:
        """A series' end: all its orders and the instrument, or nothing of it."""
        self.number += 1
        instrument = some_instrument(f"END-{self.number}")
        orders = [placed(instrument, self.wallets[2], "BUY", 3, 90 - n).order_id for n in range(3)]

        def died() -> None:
            phase = Instrument.objects.get(id=instrument.id).phase
            assert (phase, len(open_ones(orders))) in ((Phase.CLOSED, 0), (Phase.CONTINUOUS, 3))

        def ended() -> None:
            close_instrument(instrument_id=instrument.id, now=timezone.now())
            assert Instrument.objects.get(id=instrument.id).phase == Phase.CLOSED
            # Those who look on are told of it: the feed's levels add up to nothing.
            assert sum(level[2] for event in instrument.events.all() for level in event.payload["levels"]) == 0

        return lambda: close_instrument(instrument_id=instrument.id, now=timezone.now()), died, ended


def open_ones(orders: list[int]) -> list[int]:
    return list(Order.objects.filter(id__in=orders, status="OPEN").values_list("id", flat=True))


def test_killed_at_any_statement_each_is_done_or_not_and_whoever_comes_next_ends_it():
    floor = Floor()
    makes = [floor.timer, floor.dates, floor.halt, floor.band, floor.offer, floor.shared_out, floor.end]
    killed, points, finished, number = [0] * len(makes), [0] * len(makes), 0, 0
    while sum(killed) < POINTS:
        which = number % len(makes)
        number += 1
        points[which] += floor.random.randint(1, 4)
        act, died, ended = makes[which]()
        if killed_before_statement(points[which], act):
            killed[which] += 1
        else:
            finished, points[which] = finished + 1, 0
        died()
        ended()
        if number % 20 == 0:
            assert_value_is_conserved()
    print(f"{sum(killed)} kills {dict(zip((make.__name__ for make in makes), killed, strict=True))}, {finished} whole")
    assert min(killed) >= POINTS // 15
    assert_value_is_conserved()
