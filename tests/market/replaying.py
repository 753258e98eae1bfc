"""Replays a market from its commands alone and prints what every trade's entry would be, byte for byte.

    python -m tests.market.replaying < commands.json

No database: each batch is cleared by the functions that clear it there, and its trades are written as they are there.
"""

import json
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import django


def main() -> None:
    django.setup()
    from market.auctions.pairing import pair_off, settle_price
    from market.batch import Clearing, Outcome, Working, clear_batch
    from market.entries import hold_entries, orders_entries, postings, trade_entries
    from market.loading import Loaded, rules_of

    asked = json.load(sys.stdin)
    available: Counter[int] = Counter({int(account): amount for account, amount in asked["available"].items()})
    orders: dict[int, Working] = {}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ends = datetime(2099, 1, 1, tzinfo=UTC)
    loaded = Loaded(1, 0, 0, 0, None, now, "CONTINUOUS", "REPLAY", ends, False, False, b"b" * 32, b"p" * 32)
    loaded.fees_account, loaded.fees_tag = 1, b"f" * 16
    loaded.static_band_bp, loaded.dynamic_band_bp = asked["static_bp"], asked["dynamic_bp"]
    loaded.reference_price = asked["reference"]
    digest = sha256()
    trades: list[list[int]] = []

    def take(outcome: Outcome) -> None:
        for account, change in outcome.held.items():
            available[account] -= change
        falls, rises = hold_entries(loaded, outcome)
        sides = [postings(loaded, trade) for trade in outcome.trades]
        for entry in [*falls, *trade_entries(loaded, outcome.trades, sides), *rises]:
            digest.update(entry.body)
        for trade in outcome.trades:
            buyers_fee, sellers_fee = trade.fees_of_both
            value, seconds = trade.price * trade.quantity, 36 * trade.quantity
            available[trade.buyer.account] -= value + buyers_fee
            available[trade.seller.receiving_account] += value - sellers_fee
            available[trade.seller.account] -= seconds
            available[trade.buyer.receiving_account] += seconds
            trades.append([trade.maker.id, trade.taker.id, trade.price, trade.quantity, buyers_fee, sellers_fee])
            loaded.last_price = trade.price
        loaded.last_priority, loaded.last_trade = outcome.last_priority, len(trades)
        loaded.now += timedelta(milliseconds=1)
        if outcome.left_band:
            loaded.phase = "AUCTION"

    def resting() -> list[Working]:
        for order in orders.values():
            order.initial_open = order.open_quantity
        return [order for order in orders.values() if order.status == "OPEN"]

    def let_go(order: Working, amount: int) -> None:
        available[order.account] += amount
        tag = loaded.price_tag if order.side == "BUY" else loaded.base_tag
        for entry in orders_entries(loaded.code, [((order.wallet_tag, tag), -amount)], loaded.now):
            digest.update(entry.body)

    def cancel(order: Working) -> None:
        let_go(order, order.held)
        order.status = "CANCELLED"

    def arrive(waiting: list[Working]) -> None:
        loaded.resting = [order for order in resting() if order not in waiting]
        take(clear_batch(waiting=waiting, resting=loaded.resting, available=available,
                         last_priority=loaded.last_priority, rules=rules_of(loaded)))  # fmt: skip

    def amend(order: Working, quantity: int, limit_price: int) -> None:
        """As market.amending does it: down in its place, anything else out of the book and in again."""
        less = order.filled_quantity + order.open_quantity - quantity
        if quantity <= order.filled_quantity:
            cancel(order)
        elif limit_price == order.limit_price and less >= 0:
            order.open_quantity -= less
            let_go(order, order.lets_go_of(less))
        else:
            order.held_before = order.held
            order.limit_price, order.open_quantity, order.priority = limit_price, quantity - order.filled_quantity, 0
            order.initial_open = order.open_quantity
            arrive([order])
            order.held_before = 0

    for command, content in asked["commands"]:
        loaded.resting = resting()
        if command == "cancel":
            cancel(orders[content])
        elif command == "amend":
            amend(orders[content["id"]], content["quantity"], content["limit_price"])
        elif command == "begin":
            loaded.phase = "AUCTION"
        elif command == "batch":
            waiting = [Working(**{**each, "wallet_tag": bytes.fromhex(each["wallet_tag"])}) for each in content]
            arrive(waiting)
            orders |= {order.id: order for order in waiting}
        else:
            reference = loaded.reference_price if loaded.last_price is None else loaded.last_price
            found, outcome = settle_price(
                loaded.resting, reference, ends=(), available=available, last_priority=loaded.last_priority
            )
            take(outcome)
            if found.price is not None:
                loaded.resting = resting()
                take(pair_off(loaded.resting, found.price, available=available,
                              last_priority=loaded.last_priority, limit=2**40))  # fmt: skip
                loaded.reference_price = found.price
            loaded.resting = resting()
            over = Clearing(Outcome(loaded.last_priority), dict(available), rules_of(loaded))
            for order in loaded.resting:
                if order.at_market:
                    over.cancel_maker(order, "auction_over")
            take(over.outcome)
            loaded.phase = "CONTINUOUS"
    ends = [[order.id, order.status, order.filled_quantity] for order in orders.values()]
    json.dump({"trades": trades, "orders": ends, "entries": digest.hexdigest()}, sys.stdout)


if __name__ == "__main__":
    main()
