"""Kill -9 at every statement of clearing, amending, cancelling, uncrossing; and many who change one order at once."""

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from ledger.errors import Refusal
from ledger.models import Wallet
from market.amending import amend_order
from market.answers import NewOrder, PlacedOrder
from market.models import Instrument, Order, Trade
from market.orders import cancel_order, cancel_orders, place_orders
from market.uncrossing import end_auction
from tests import full
from tests.killing import killed_before_statement
from tests.market.builders import (
    assert_value_is_conserved,
    in_auction,
    make_due,
    new_order,
    placed,
    some_instrument,
    some_trader,
    with_rules,
)
from tests.market.test_crowds import at_once, in_child

pytestmark = pytest.mark.django_db(transaction=True)

POINTS = full.count(1000)
ROUNDS = full.count(100)
# As many orders as go by arrays, and as many as go by COPY.
FEW, MANY = 3, 60


class Trading:
    """The work that is killed. What a child was answered it says in a file, an order id a line."""

    def __init__(self, folder: Path) -> None:
        self.instrument = with_rules(some_instrument(), maker_fee_bp=5, taker_fee_bp=10)
        self.wallets = [some_trader(self.instrument, f"Trader {n}") for n in range(4)]
        self.random = random.Random(20261122)
        self.file = folder / "answered"
        self.said = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.asked: list[NewOrder] = []

    def orders(self, count: int) -> list[NewOrder]:
        choose = self.random
        return [
            new_order(
                self.instrument, choose.choice(self.wallets), choose.choice(("BUY", "SELL")), choose.randint(1, 5),
                choose.randint(95, 105), choose.choice(("GTC", "GTC", "IOC", "FOK")),
            )
            for _ in range(count)
        ]  # fmt: skip

    def say(self, answers: list[PlacedOrder]) -> None:
        os.write(self.said, "".join(f"{answer.order_id}\n" for answer in answers).encode())

    def place(self, count: int) -> Callable[[], None]:
        orders = self.orders(count)
        self.asked += orders
        return lambda: self.say(place_orders(orders))

    def amend(self) -> Callable[[], None]:
        order = placed(self.instrument, self.wallets[0], "BUY", 10, self.random.randint(90, 94))
        quantity, price = self.random.choice(((5, None), (20, None), (None, 101)))
        return lambda: self.say([amend_order(order_id=order.order_id, quantity=quantity, limit_price=price)])

    def cancel(self) -> Callable[[], None]:
        order = placed(self.instrument, self.wallets[1], "SELL", 10, self.random.randint(106, 110))
        return lambda: cancel_order(order_id=order.order_id, now=timezone.now()) and None

    def cancel_all(self) -> Callable[[], None]:
        wallet = self.random.choice(self.wallets).id
        return lambda: cancel_orders(wallet_id=wallet) and None

    def uncross(self) -> Callable[[], None]:
        in_auction(self.instrument)
        orders = [
            new_order(self.instrument, self.random.choice(self.wallets), side, self.random.randint(1, 3), price)
            for side, price in (("BUY", 102), ("SELL", 98))
            for _ in range(40)
        ]
        place_orders(orders)
        make_due(self.instrument)
        return lambda: end_auction(self.instrument.id) and None


def test_a_process_killed_at_any_statement_settles_nothing_by_half_and_loses_no_order(tmp_path: Path):
    work = Trading(tmp_path)
    makes = [
        lambda: work.place(FEW), lambda: work.place(MANY), work.amend, work.cancel, work.cancel_all, work.uncross
    ]  # fmt: skip
    killed, points, finished, number = [0] * len(makes), [0] * len(makes), 0, 0
    while sum(killed) < POINTS:
        which = number % len(makes)
        number += 1
        points[which] += 1
        before, act = _numbers(), makes[which]()
        asked = work.asked[-(FEW, MANY)[which] :] if which < 2 else []
        if killed_before_statement(points[which], act):
            killed[which] += 1
        else:
            finished, points[which] = finished + 1, 0
        if asked:
            _is_there_whole_or_not_at_all(asked)
        if which == len(makes) - 1:
            _is_ended_at_one_price(work.instrument, before)
        if number % 25 == 0:
            assert_value_is_conserved()
    os.close(work.said)
    # Asked again with the same ids, every order is there once, whether its caller lived to see it or not.
    again = [answer for start in range(0, len(work.asked), 500) for answer in place_orders(work.asked[start:][:500])]
    said = set(map(int, work.file.read_text().split()))
    print(f"{sum(killed)} kills {killed}, {finished} whole runs, {len(said)} orders answered of {len(again)} asked for")
    assert min(killed) > POINTS // 30
    assert finished > 3
    assert said <= set(Order.objects.values_list("id", flat=True))
    assert len({answer.order_id for answer in again}) == len(work.asked)
    assert not Order.objects.filter(status="WAITING").exists()
    assert_value_is_conserved()


def _numbers() -> int:
    return Trade.objects.count()


def _is_there_whole_or_not_at_all(asked: list[NewOrder]) -> None:
    """A call's orders of one instrument are one transaction."""
    there = Order.objects.filter(client_order_id__in=[order.client_order_id for order in asked])
    states = Counter(there.values_list("status", flat=True))
    assert states.total() in {0, len(asked)}, states
    assert not states["WAITING"]


def _is_ended_at_one_price(instrument: Instrument, trades_before: int) -> None:
    """Whoever comes after the dead process ends the auction, at the price it had found."""
    end_auction(instrument.id)
    instrument.refresh_from_db()
    assert instrument.phase == Instrument.Phase.CONTINUOUS
    prices = Trade.objects.filter(instrument=instrument, number__gt=trades_before).values_list("price", flat=True)
    assert prices
    assert len(set(prices)) == 1, "an auction has one price"


def test_64_who_place_amend_and_cancel_one_order_at_once_agree_on_what_it_is():
    work = 0
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    chooser = random.Random(64)
    for round_ in range(ROUNDS):
        order = placed(instrument, ada, "SELL", 10, 100, client_order_id=f"shared-{round_}")

        def again(name: str = f"shared-{round_}") -> object:
            return placed(instrument, ada, "SELL", 10, 100, client_order_id=name)

        def amend(id_: int = order.order_id) -> object:
            return amend_order(
                order_id=id_, quantity=chooser.randint(1, 20), limit_price=chooser.choice((99, 100, 101))
            )

        def cancel(id_: int = order.order_id) -> object:
            return cancel_order(order_id=id_, now=timezone.now())

        def buy() -> object:
            return placed(instrument, bob, "BUY", 1, 101, time_in_force="IOC")

        acts = [again] * 16 + [amend] * 30 + [buy] * 16 + [cancel] * 2
        chooser.shuffle(acts)
        results = at_once(acts)
        # Refused where it was done already, never failed.
        failed = [r for r in results if isinstance(r, Exception) and not isinstance(r, Refusal)]
        assert not failed, failed
        rows = Order.objects.filter(wallet=ada, client_order_id=f"shared-{round_}")
        row = rows.get()
        assert row.status in {"CANCELLED", "FILLED"}
        assert row.held == 0
        work += len(results)
    print(f"{ROUNDS} rounds of 64 at once, {work} answers")
    assert_value_is_conserved()


def test_64_of_two_processes_who_change_one_order_at_once_agree_on_what_it_is():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    rounds, answered = max(ROUNDS // 3, 3), 0
    for round_ in range(rounds):
        order = placed(instrument, ada, "SELL", 10, 100, client_order_id=f"both-{round_}")
        children = [
            answering_child(
                lambda seed=64 * round_ + each, name=f"both-{round_}", id_=order.order_id: _change(
                    instrument, ada, bob, id_, name, seed
                )
            )
            for each in range(2)
        ]
        said = [line for child in children for line in answers_of(child)]
        assert [line for line in said if line.startswith("failed")] == []
        assert len(said) == 64
        row = Order.objects.get(wallet=ada, client_order_id=f"both-{round_}")
        assert row.status in {"CANCELLED", "FILLED"}
        assert row.held == 0
        # Each of what was answered as bought was bought, once.
        bought = sum(int(line.split()[1]) for line in said if line.startswith("bought"))
        assert bought == row.filled_quantity
        answered += len(said)
    assert Order.objects.filter(wallet=ada).count() == rounds
    print(f"{rounds} rounds of two processes, {answered} answers")
    assert_value_is_conserved()


def _change(instrument: Instrument, ada: Wallet, bob: Wallet, order_id: int, name: str, seed: int) -> list[str]:
    """Thirty-two of a process, each with an answer in a word."""
    chooser = random.Random(seed)

    def again() -> str:
        return "again" if placed(instrument, ada, "SELL", 10, 100, client_order_id=name).order_id == order_id else "new"

    def amend() -> str:
        return amend_order(
            order_id=order_id, quantity=chooser.randint(1, 20), limit_price=chooser.choice((99, 100, 101))
        ).status

    def cancel() -> str:
        return cancel_order(order_id=order_id, now=timezone.now()).status

    def buy() -> str:
        return f"bought {placed(instrument, bob, 'BUY', 1, 101, time_in_force='IOC').filled_quantity}"

    acts: list[Callable[[], str]] = [again] * 8 + [amend] * 15 + [buy] * 8 + [cancel]
    chooser.shuffle(acts)
    return [_word(result) for result in at_once(acts)]


def _word(result: object) -> str:
    if isinstance(result, Refusal):
        return f"refused {result.code}"
    return f"failed {result!r}" if isinstance(result, Exception) or result == "new" else str(result)


def answering_child(act: Callable[[], list[str]]) -> tuple[int, int]:
    """A process of its own, and where it writes what it was answered."""
    reads, writes = os.pipe()

    def say() -> None:
        os.close(reads)
        os.write(writes, "\n".join(act()).encode())

    child = in_child(say)
    os.close(writes)
    return child, reads


def answers_of(child: tuple[int, int]) -> list[str]:
    with os.fdopen(child[1]) as said:
        answers = said.read().splitlines()
    assert os.waitpid(child[0], 0)[1] == 0
    return answers
