"""The scenarios that the authors of other engines state, on the real clearing, step by step."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from django.utils import timezone

from ledger.models import Asset, Wallet
from market.amending import amend_order
from market.errors import OrderNotOpen
from market.models import GPU_SECONDS_PER_LOT, HIGHEST_PRICE, Instrument, Order, Trade
from market.orders import cancel_order
from tests.ledger.builders import given
from tests.market.builders import RICH, account, assert_value_is_conserved, placed, some_instrument, some_trader

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "order-book-scenarios"
FILES = (
    "exchange_core_book.json", "exchange_core_funds.json", "liquibook.json", "liquibook_depth.json",
    "liquibook_aon.json", "clob_orders.json", "euronext_continuous.json",
)  # fmt: skip
OPS = {"add", "cancel", "amend", "deposit", "set_last_price"}
# Expectations compared after each step; any other that appears makes the scenario skip with its name.
KNOWN = {
    "accepted", "rejected", "matched", "fills", "trades", "order_fills", "done", "state", "cancelled", "orders", "book",
    "open_orders", "open_order_ids", "balances", "clients_total", "fees_total",
    "order_quantity", "order_price", "matched_quantity", "last_price", "depth_changed", "bbo_changed", "events",
}  # fmt: skip
# Of what its own interface says, what the book itself tells.
BOOK = ("s", "s_complete", "_queue", "_queue_complete", "_orders", "_first_open", "_orders_list")
EVENTS = {"bbo_changes": 1, "depth_changes": 5, "over_last_steps": 0}


def reason_to_skip(scenario: dict) -> str:
    """Why a scenario is not ours, or nothing."""
    steps = scenario["steps"]
    adds = [step for step in steps if step["op"] == "add"]
    expected = [step.get("expect", {}) for step in steps]
    # Asked for twice with one id and the same content, an order is there once, whatever the answer looks like.
    repeats = any(expect.get("rejected") == "duplicate id" for expect in expected)
    if scenario["semantics"] != "common" and not repeats:
        return f"follows a rule of its engine: {scenario['why']}"
    if any(step.get("all_or_none") and step.get("expect", {}).get("state") != "FILLED" for step in adds):
        return "uses all-or-none, which the market leaves out on purpose"
    if any(step["type"] == "STOP" for step in adds):
        return "uses stop orders, which the market leaves out on purpose"
    if foreign := {step["op"] for step in steps} - OPS:
        return f"uses {', '.join(sorted(foreign))}, which the market does not have"
    if any(step["type"] == "MARKET" and step.get("expect", {}).get("state") == "OPEN" for step in adds):
        return "has a market order wait in the book; ours never does"
    if any("margin" in symbol.get("kind", "") for symbol in scenario.get("symbols", {}).values()):
        return "sells on margin what the seller does not have"
    if foreign := {name for expect in expected for name in expect.get("events", {})} - EVENTS.keys():
        return f"counts notifications of its own interface: {', '.join(sorted(foreign))}"
    optional = {need.removeprefix("optional: ") for need in scenario.get("needs", ())}
    if foreign := {name for expect in expected for name in expect} - KNOWN - optional:
        return f"expects {', '.join(sorted(foreign))}, which counts what its own interface says"
    return ""


def charges_by_lot(scenario: dict) -> bool:
    """A fee a lot, smaller than a basis point of its value, and a hold at a price beyond the limit that pays for it:
    what it says of money is left out, all else is compared."""
    return any(symbol["taker_fee"] or symbol["maker_fee"] for symbol in scenario.get("symbols", {}).values())


OLDER_FORM = "an older form, in a format of its own, of a scenario in exchange_core_funds.json"


def read(name: str) -> list[dict]:
    return json.loads((FOLDER / name).read_text())


def scenarios() -> list:
    if not FOLDER.is_dir():
        reason = "the scenarios are not beside this checkout"
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=reason))]
    older = json.loads((FOLDER / "exchange_core_basic.json").read_text())["scenarios"]
    found = [
        pytest.param(None, id=f"exchange_core_basic: {one['name']}", marks=pytest.mark.skip(reason=OLDER_FORM))
        for one in older
    ]
    for name in FILES:
        for scenario in read(name):
            reason = reason_to_skip(scenario)
            marks = [pytest.mark.skip(reason=reason)] if reason else []
            found.append(pytest.param(scenario, id=f"{name}: {scenario['name']}", marks=marks))
    return found


class Walk:
    """One scenario on a fresh book: its owners are wallets, its orders carry its ids as client order ids."""

    def __init__(self, scenario: dict) -> None:
        self.instrument: Instrument = some_instrument()
        self.funded = any(step["op"] == "deposit" for step in scenario["steps"])
        self.symbol = next(iter(scenario.get("symbols", {}).values()), {})
        self.wallets: dict[str, Wallet] = {}
        self.order_ids: dict[str, int] = {}
        self.owners: dict[str, str] = {}
        self.deposited: dict[tuple[str, str], int] = {}
        self.compares_money = not charges_by_lot(scenario)
        # The book before the first step and after each.
        self.books = [self.book()]

    def book(self) -> dict[str, list[list[int]]]:
        return {"bids": levels(self.instrument, "BUY"), "asks": levels(self.instrument, "SELL")}

    def changed(self, key: str, place: int, steps: int) -> bool:
        """Is this level of a side another than so many steps ago?"""
        before, now = (books[key][place : place + 1] for books in (self.books[-1 - steps], self.books[-1]))
        return before != now

    def changes(self, depth: int, steps: int) -> int:
        """In how many of the last steps something of the best levels changed."""
        last = self.books[-1 - steps :]
        tops = [(books["bids"][:depth], books["asks"][:depth]) for books in last]
        return sum(one != other for one, other in pairwise(tops))

    def wallet(self, owner: str) -> Wallet:
        if owner not in self.wallets:
            funds = {"credits": 0, "lots": 0} if self.funded else {"credits": RICH, "lots": 10**11}
            self.wallets[owner] = some_trader(self.instrument, owner, **funds)
        return self.wallets[owner]

    def asset(self, name: str) -> Asset | None:
        """Base asset: our series, a unit of it a GPU-second. Quote asset: credits. Others play no part."""
        if name == self.symbol.get("base"):
            return self.instrument.asset
        return self.instrument.price_asset if name == self.symbol.get("quote") else None

    def units(self, name: str, amount: int) -> int:
        """The source's amount in ours: its lot has base_scale units, its price step times lot quote_scale.

        What is less than one of our units is left out.
        """
        base = name == self.symbol.get("base")
        scale = self.symbol["base_scale" if base else "quote_scale"]
        return int(amount * (GPU_SECONDS_PER_LOT if base else 1) // scale)

    def step(self, step: dict) -> bool:
        """Do it; answers whether it was accepted."""
        if step["op"] == "deposit":
            self.deposit(step["owner"], step["asset"], step["amount"])
            return True
        if step["op"] == "set_last_price":
            Instrument.objects.filter(id=self.instrument.id).update(last_price=step["price"])
            return True
        if step["op"] in {"cancel", "amend"}:
            return self.change(step)
        owner = step.get("owner") or f"owner of {step['id']}"
        # The source may use a refused order's id again; a client order id is used once.
        tries = Order.objects.filter(client_order_id__startswith=f"{step['id']}#", status="REJECTED").count()
        # An all-or-none order that is filled as it arrives is what is fill-or-kill here.
        price, tif = step["price"], "FOK" if step.get("all_or_none") else step["tif"]
        terms = {}
        if step["type"] == "MARKET":
            # The source's has no limit; ours has a protection price as far away as there is.
            price, tif = (HIGHEST_PRICE if step["side"] == "BUY" else 1), "FOK" if tif == "FOK" else "IOC"
            terms = {"kind": "MARKET"}
        answer = placed(
            self.instrument, self.wallet(owner), step["side"], step["quantity"], price,
            time_in_force=tif, client_order_id=f"{step['id']}#{tries}", **terms,
        )  # fmt: skip
        is_known = self.order_ids.get(step["id"]) == answer.order_id
        self.order_ids[step["id"]], self.owners[step["id"]] = answer.order_id, owner
        return answer.status != "REJECTED" and not is_known

    def deposit(self, owner: str, name: str, amount: int) -> None:
        asset, before = self.asset(name), self.deposited.get((owner, name), 0)
        self.deposited[owner, name] = before + amount
        if asset is not None:
            given(self.wallet(owner), asset, self.units(name, before + amount) - self.units(name, before))

    def change(self, step: dict) -> bool:
        """Another owner's or an unknown order is not found, as views look orders up among the owner's own."""
        wallet = self.wallet(step.get("owner") or self.owners.get(step["id"], "nobody"))
        order = Order.objects.filter(wallet=wallet, client_order_id__startswith=f"{step['id']}#").last()
        if order is None:
            return False
        try:
            if step["op"] == "cancel":
                cancel_order(order_id=order.id, now=timezone.now())
            else:
                quantity = step.get("quantity")
                if "reduce_by" in step:
                    quantity = order.quantity - step["reduce_by"]
                amend_order(order_id=order.id, quantity=quantity, limit_price=step.get("price"))
        except OrderNotOpen:
            return False
        return True

    def order(self, name: str) -> Order:
        return Order.objects.get(id=self.order_ids[name])


def levels(instrument: Instrument, side: str) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for order in Order.objects.filter(instrument=instrument, status="OPEN", side=side):
        level = found.setdefault(order.limit_price, [order.limit_price, 0, 0])
        level[1] += order.open_quantity
        level[2] += 1
    return sorted(found.values(), key=lambda level: -level[0] if side == "BUY" else level[0])


@pytest.mark.django_db
@pytest.mark.parametrize("scenario", scenarios())
def test_a_scenario_of_another_engine(scenario):
    walk = Walk(scenario)
    for number, step in enumerate(scenario["steps"]):
        before = Trade.objects.count()
        opened = set(Order.objects.filter(status="OPEN").values_list("id", flat=True))
        accepted = walk.step(step)
        walk.books.append(walk.book())
        fills = list(Trade.objects.order_by("number")[before:])
        check(walk, step, step.get("expect", {}), accepted, fills, opened, f"step {number}: {step}")
    assert_value_is_conserved()


def check(
    walk: Walk, step: dict, expect: dict, accepted: bool, fills: list[Trade], opened: set[int], where: str
) -> None:
    names = {id_: name for name, id_ in walk.order_ids.items()}
    if "accepted" in expect:
        assert accepted == expect["accepted"], where
    if "matched" in expect:
        assert bool(fills) == expect["matched"], where
    if "fills" in expect:
        found = [
            {"maker": names[t.maker_id], "taker": names[t.taker_id], "price": t.price, "quantity": t.quantity}
            for t in fills
        ]
        assert found == expect["fills"], where
    if "trades" in expect:
        assert [{"price": t.price, "quantity": t.quantity} for t in fills] == expect["trades"], where
    if "done" in expect:
        ours = {walk.order_ids[step["id"]]} | opened if step["op"] == "add" else opened
        still = set(Order.objects.filter(status="OPEN").values_list("id", flat=True))
        assert sorted(names[id_] for id_ in ours - still) == sorted(expect["done"]), where
    if "order_quantity" in expect:
        assert walk.order(step["id"]).quantity == expect["order_quantity"], where
    if "order_price" in expect:
        assert walk.order(step["id"]).limit_price == expect["order_price"], where
    if "matched_quantity" in expect:
        assert sum(t.quantity for t in fills) == expect["matched_quantity"], where
    if "last_price" in expect:
        assert Instrument.objects.get(id=walk.instrument.id).last_price == expect["last_price"], where
    if "state" in expect:
        assert walk.order(step["id"]).status == expect["state"], where
    for name, quantity in expect.get("cancelled", {}).items():
        order = walk.order(name)
        assert (order.status, order.open_quantity) == ("CANCELLED", quantity), where
    for name, stated in expect.get("orders", {}).items():
        order = walk.order(name)
        ours = {
            "quantity": order.quantity, "open": order.open_quantity, "filled": order.filled_quantity,
            "price": order.limit_price, "state": order.status,
        }  # fmt: skip
        assert {key: ours[key] for key in stated if key in ours} == {k: v for k, v in stated.items() if k in ours}, (
            where
        )
    for name, stated in expect.get("order_fills", {}).items():
        ours_of = [t for t in fills if walk.order_ids[name] in (t.maker_id, t.taker_id)]
        assert sum(t.quantity for t in ours_of) == stated["quantity"], where
    check_book(walk, expect.get("book", {}), where)
    check_changes(walk, expect, where)
    for owner, stated in expect.get("open_orders", {}).items():
        rows = Order.objects.filter(wallet=walk.wallet(owner), status="OPEN").order_by("id")
        found = [(names[o.id], o.limit_price, o.quantity, o.filled_quantity, o.side) for o in rows]
        assert found == [(o["id"], o["price"], o["quantity"], o["filled"], o["side"]) for o in stated], where
    for owner, stated in expect.get("open_order_ids", {}).items():
        rows = Order.objects.filter(wallet=walk.wallet(owner), status="OPEN").order_by("id")
        assert [names[order.id] for order in rows] == stated, where
    for owner, stated in expect.get("balances", {}).items() if walk.compares_money else ():
        for name, amount in stated.items():
            asset = walk.asset(name)
            if asset is not None:
                found_amount = account(walk.wallet(owner), asset.id).available if has(walk, owner, asset) else 0
                assert found_amount == walk.units(name, amount), f"{owner} {name} {where}"


def has(walk: Walk, owner: str, asset: Asset) -> bool:
    return walk.wallet(owner).accounts.filter(asset=asset).exists()


def check_book(walk: Walk, book: dict, where: str) -> None:
    assert book.keys() <= {f"{side}{what}" for side in ("bid", "ask") for what in BOOK}, where
    names = {id_: name for name, id_ in walk.order_ids.items()}
    for side, one in (("BUY", "bid"), ("SELL", "ask")):
        key = f"{one}s"
        if key in book:
            found = levels(walk.instrument, side)
            stated = [list(level) for level in book[key]]
            assert (found if book.get(f"{key}_complete") else found[: len(stated)]) == stated, where
        line = Order.objects.filter(instrument=walk.instrument, status="OPEN", side=side)
        line = list(line.order_by("-limit_price" if side == "BUY" else "limit_price", "priority"))
        queue = [names[order.id] for order in line]
        if (stated := book.get(f"{one}_queue")) is not None:
            assert (queue if book.get(f"{one}_queue_complete") else queue[: len(stated)]) == stated, where
        assert len(line) == book.get(f"{one}_orders", len(line)), where
        if f"{one}_first_open" in book:
            assert line[0].open_quantity == book[f"{one}_first_open"], where
        if (stated := book.get(f"{one}_orders_list")) is not None:
            assert [[names[o.id], o.open_quantity, o.limit_price] for o in line] == stated, where


def check_changes(walk: Walk, expect: dict, where: str) -> None:
    if stated := dict(expect.get("depth_changed", {})):
        steps = stated.pop("over_last_steps")
        found = {key: [int(walk.changed(key, place, steps)) for place in range(5)] for key in stated}
        assert found == stated, where
    if stated := dict(expect.get("bbo_changed", {})):
        steps = stated.pop("over_last_steps")
        assert {key: walk.changed(f"{key}s", 0, steps) for key in stated} == stated, where
    if stated := dict(expect.get("events", {})):
        steps = stated.pop("over_last_steps")
        assert {name: walk.changes(EVENTS[name], steps) for name in stated} == stated, where


def test_what_is_skipped_is_said_with_the_reason():
    if not FOLDER.exists():
        pytest.skip("the scenarios are not beside this checkout")
    counts = Counter()
    for name in FILES:
        for scenario in read(name):
            reason = reason_to_skip(scenario)
            counts["skipped" if reason else "run"] += 1
            if reason:
                print(f"{name}: {scenario['name']}: {reason}")

    print(dict(counts))
    assert counts["run"] >= 80
