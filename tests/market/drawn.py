"""Scenarios as text: what somebody does, and after an arrow what comes of it; a line of the book where it matters.

    a: sell 5 @ 101
    b: sell 5 @ 101 -> open
    c: buy 7 @ 102 ioc -> a 5 @ 101, b 2 @ 101, filled
    book | 101x3

Who is not named is an owner of their own; `by Ada` says whose it is. Bids stand before the bar, asks after it.
"""

import re

from django.utils import timezone

from ledger.errors import Refusal
from ledger.models import Wallet
from market.amending import amend_order
from market.instruments import halt_instrument
from market.models import Instrument, Order, Trade
from market.orders import cancel_order
from tests.market.builders import (
    RICH,
    assert_value_is_conserved,
    auction_over,
    in_auction,
    placed,
    some_instrument,
    some_trader,
    with_rules,
)

TERMS = {
    "ioc": {"time_in_force": "IOC"},
    "fok": {"time_in_force": "FOK"},
    "post": {"post_only": True},
    "market": {"kind": "MARKET", "time_in_force": "IOC"},
    "newest": {"self_trade": "CANCEL_NEWEST"},
    "oldest": {"self_trade": "CANCEL_OLDEST"},
    "both": {"self_trade": "CANCEL_BOTH"},
    "decrement": {"self_trade": "DECREMENT"},
}
RULES = {"static": "static_band_bp", "dynamic": "dynamic_band_bp", "reference": "reference_price"}


class Scene:
    def __init__(self) -> None:
        self.instrument: Instrument = some_instrument()
        self.wallets: dict[str, Wallet] = {}
        self.ids: dict[str, int] = {}

    def play(self, text: str) -> None:
        for line in filter(None, map(str.strip, text.splitlines())):
            if line.startswith("book"):
                assert self.book() == " ".join(line.removeprefix("book").split()), line
                continue
            done, _, expected = (part.strip() for part in line.partition("->"))
            before = Trade.objects.count()
            name, problem = self.do(done)
            if expected:
                assert self.said(before, name, problem) == [part.strip() for part in expected.split(",")], line
        assert_value_is_conserved()

    def do(self, said: str) -> tuple[str, str]:
        """The order that it was about, and why it was refused."""
        words = said.replace(":", " ").split()
        try:
            return getattr(self, words[0], self.place)(words), ""
        except Refusal as refusal:
            return words[1], getattr(refusal, "reason", refusal.code)

    def place(self, words: list[str]) -> str:
        name, side, quantity, _, price, *rest = words
        owner = rest.pop() if "by" in rest else name
        terms = {key: value for word in rest if word != "by" for key, value in TERMS[word].items()}
        answer = placed(self.instrument, self.wallet(owner), side.upper(), int(quantity), int(price), **terms)
        self.ids[name] = answer.order_id
        return name

    def wallet(self, owner: str) -> Wallet:
        if owner not in self.wallets:
            self.wallets[owner] = some_trader(self.instrument, owner, credits=RICH * 100, lots=10**12)
        return self.wallets[owner]

    def cancel(self, words: list[str]) -> str:
        cancel_order(order_id=self.ids[words[1]], now=timezone.now())
        return words[1]

    def amend(self, words: list[str]) -> str:
        """amend a 5, amend a @ 99, amend a 5 @ 99."""
        _, name, *rest = words
        price = int(rest[rest.index("@") + 1]) if "@" in rest else None
        quantity = int(rest[0]) if rest[0] != "@" else None
        amend_order(order_id=self.ids[name], quantity=quantity, limit_price=price)
        return name

    def rules(self, words: list[str]) -> str:
        pairs = zip(words[1::2], words[2::2], strict=True)
        self.instrument = with_rules(self.instrument, **{RULES[name]: int(value) for name, value in pairs})
        return ""

    def halt(self, _: list[str]) -> str:
        halt_instrument(instrument_id=self.instrument.id, reason="x", now=timezone.now())
        return ""

    def auction(self, _: list[str]) -> str:
        in_auction(self.instrument)
        return ""

    def uncross(self, _: list[str]) -> str:
        auction_over(self.instrument)
        return ""

    def said(self, before: int, name: str, problem: str) -> list[str]:
        """Trades since, then the order's state or the refusal; of an auction who bought from whom, and the phase."""
        names = {id_: name for name, id_ in self.ids.items()}
        made = list(Trade.objects.order_by("number")[before:])
        if not name:
            pairs = [(t.taker_id, t.maker_id) if t.taker_side == "BUY" else (t.maker_id, t.taker_id) for t in made]
            told = [
                f"{names[buyer]} {t.quantity} @ {t.price} of {names[seller]}"
                for t, (buyer, seller) in zip(made, pairs, strict=True)
            ]
            return [*told, Instrument.objects.get(id=self.instrument.id).phase.lower()]
        told = [f"{names[t.maker_id]} {t.quantity} @ {t.price}" for t in made]
        order = Order.objects.get(id=self.ids[name]) if name in self.ids else None
        state = problem or " ".join(filter(None, [order.status.lower(), order.reason] if order else []))
        phase = Instrument.objects.get(id=self.instrument.id).phase
        return [*told, state, *(["auction"] if phase == "AUCTION" and made else [])]

    def book(self) -> str:
        sides = []
        for side, sign in (("BUY", "-"), ("SELL", "")):
            orders = Order.objects.filter(instrument=self.instrument, status="OPEN", side=side)
            levels: dict[int, int] = {}
            for order in orders.order_by(f"{sign}limit_price", "priority"):
                levels[order.limit_price] = levels.get(order.limit_price, 0) + order.open_quantity
            sides.append(" ".join(f"{price}x{quantity}" for price, quantity in levels.items()))
        return re.sub(r"\s+", " ", " | ".join(sides)).strip()
