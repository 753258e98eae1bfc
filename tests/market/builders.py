"""A small market: an instrument, wallets with credits and tokens, orders in one line."""

import itertools
from collections import Counter
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q, Sum
from django.utils import timezone

from ledger.entries import parse
from ledger.models import Account, Entry, Posting, Wallet
from market.answers import NewOrder, PlacedOrder
from market.instruments import halt_instrument, open_instrument, resume_instrument
from market.models import GPU_SECONDS_PER_LOT, Instrument, Order, Trade
from market.offerings.models import Offering
from market.offerings.offering import offer_series
from market.orders import place_order
from market.rules import change_rules
from market.uncrossing import end_auction
from tests.ledger.builders import FAR, given, some_series, some_wallet, the_credits

_numbers = itertools.count(1)
RICH = 10**15


def some_instrument(code: str = "H100-2026Q4", *, expires_at: datetime = FAR) -> Instrument:
    return open_instrument(asset_id=some_series(code, expires_at=expires_at).id, now=timezone.now())


def some_trader(
    instrument: Instrument, name: str = "Ada", *, credits: int = RICH, lots: int = 10**9, **fields: object
) -> Wallet:
    wallet = some_wallet(name, **fields)
    if credits:
        given(wallet, the_credits(), credits)
    if lots:
        given(wallet, instrument.asset, lots * GPU_SECONDS_PER_LOT)
    return wallet


def with_rules(instrument: Instrument, **rules: int | None) -> Instrument:
    """The instrument with these fees, bands and times."""
    return change_rules(instrument_id=instrument.id, changes=rules, reason="", by_id=None, now=timezone.now())


def in_auction(instrument: Instrument, *, collect: int = 3600, no_cancel: int = 0) -> Instrument:
    """Halted, and resumed by an auction with these times."""
    halt_instrument(instrument_id=instrument.id, reason="x", now=timezone.now())
    return resume_instrument(
        instrument_id=instrument.id, now=timezone.now(), collect_seconds=collect, no_cancel_seconds=no_cancel
    )


def offered(
    instrument: Instrument, department: Wallet, quantity: int = 100, reserve: int = 500, **fields: Any
) -> Offering:
    """The department offers so many lots, in an auction that begins now and goes on for an hour."""
    return offer_series(
        instrument_id=instrument.id, wallet_id=department.id, quantity=quantity, reserve_price=reserve,
        collect_seconds=3600, no_cancel_seconds=0, now=timezone.now(), **fields,
    )  # fmt: skip


def auction_over(instrument: Instrument) -> Instrument:
    """The auction's time has come, and it is ended."""
    make_due(instrument)
    assert end_auction(instrument.id)
    instrument.refresh_from_db()
    return instrument


def make_due(instrument: Instrument) -> None:
    now = timezone.now()
    Instrument.objects.filter(id=instrument.id).update(no_cancel_at=now, uncross_at=now)


def fees_received() -> int:
    """The balance of the wallet of fees, in 1/10,000 credit."""
    found = Account.objects.filter(wallet__role=Wallet.Role.FEES, asset__kind="CREDITS").first()
    return found.balance if found else 0


def placed(instrument: Instrument, wallet: Wallet, side: str, quantity: int, price: int, **fields: Any) -> PlacedOrder:
    return place_order(
        instrument_id=instrument.id, wallet_id=wallet.id, side=side, limit_price=price, quantity=quantity, **fields
    )


def new_order(
    instrument: Instrument, wallet: Wallet, side: str, quantity: int, price: int, tif: str = "GTC"
) -> NewOrder:
    return NewOrder(instrument.id, wallet.id, side, price, quantity, f"c{next(_numbers)}", tif)


def account(wallet: Wallet, asset_id: int) -> Account:
    return Account.objects.get(wallet=wallet, asset_id=asset_id)


def available(wallet: Wallet, asset_id: int) -> int:
    return account(wallet, asset_id).available


def assert_value_is_conserved() -> None:
    """Every sum is zero, every balance its postings, every hold its open orders, every fill its trades."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT transfer_id FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
            " GROUP BY transfer_id, asset_id HAVING sum(amount) <> 0"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT a.id FROM ledger_account a LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_posting"
            " GROUP BY 1) p ON p.account_id = a.id WHERE a.balance <> coalesce(p.total, 0)"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT a.id FROM ledger_account a LEFT JOIN (SELECT account_id, sum(held) AS total FROM market_order"
            " GROUP BY 1) o ON o.account_id = a.id WHERE a.held <> coalesce(o.total, 0)"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT o.id FROM market_order o LEFT JOIN market_trade t ON o.id IN (t.maker_id, t.taker_id)"
            " GROUP BY o.id HAVING o.filled_quantity <> coalesce(sum(t.quantity), 0)"
            " OR o.filled_value <> coalesce(sum(t.quantity * t.price), 0)"
        )
        assert cursor.fetchall() == []
    assert_the_log_says_what_is_held()
    trades = Trade.objects.count()
    assert Entry.objects.filter(transfer_kind="TRADE").count() == trades
    charged = Trade.objects.filter(Q(maker_fee__gt=0) | Q(taker_fee__gt=0)).count()
    assert Posting.objects.filter(transfer__transfer_kind="TRADE").count() == 4 * trades + charged
    fees = Trade.objects.aggregate(total=Sum(F("maker_fee") + F("taker_fee")))["total"] or 0
    assert fees == fees_received() == (Order.objects.aggregate(total=Sum("fees_paid"))["total"] or 0)
    for instrument in Instrument.objects.all():
        numbers = list(Trade.objects.filter(instrument=instrument).order_by("number").values_list("number", flat=True))
        assert numbers == list(range(1, instrument.last_trade + 1))
        events = list(instrument.events.order_by("number").values_list("number", flat=True))
        assert events == list(range(1, instrument.last_event + 1))


def total_held() -> int:
    return Account.objects.aggregate(total=Sum("held"))["total"] or 0


def book(instrument: Instrument) -> dict[str, list[tuple[int, int]]]:
    """Open orders best first: (price, open quantity)."""
    rows = Order.objects.filter(instrument=instrument, status="OPEN").annotate(
        left=F("quantity") - F("filled_quantity")
    )
    bids = rows.filter(side="BUY").order_by("-limit_price", "priority").values_list("limit_price", "left")
    asks = rows.filter(side="SELL").order_by("limit_price", "priority").values_list("limit_price", "left")
    return {"bids": list(bids), "asks": list(asks)}


def assert_the_log_says_what_is_held() -> None:
    """Entry by entry no account holds more than it has, and in the end it has and holds what its row says."""
    balances: Counter[tuple[bytes, bytes]] = Counter()
    held: Counter[tuple[bytes, bytes]] = Counter()
    system = {wallet.bytes for wallet in Wallet.objects.exclude(role=None).values_list("public_id", flat=True)}
    for body in Entry.objects.filter(kind__in=["TRANSFER", "HOLD"]).order_by("id").values_list("body", flat=True):
        entry = parse(bytes(body))
        sums = held if entry.kind == "HOLD" else balances
        for side in entry.postings:
            place = side.wallet, side.asset
            sums[place] += side.amount
            assert held[place] >= 0
            assert side.wallet in system or balances[place] >= held[place], f"{entry.reference} holds too much"
    for account in Account.objects.select_related("wallet", "asset"):
        place = account.wallet.public_id.bytes, bytes(account.asset.definition_hash)
        assert (balances[place], held[place]) == (account.balance, account.held)
