"""What the trading pages show, gathered in a constant number of queries."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from ledger.models import Account, Wallet
from market.errors import sentence_for
from market.models import GPU_SECONDS_PER_LOT, Instrument, Order
from market.reads import (
    DEPTH_LEVELS,
    DayFigures,
    Level,
    Preview,
    Snapshot,
    day_figures,
    depth,
    preview_order,
    recent_trades,
)

LADDER = 14
SHOWN_ORDERS = 30


@dataclass(frozen=True)
class LadderRow:
    """A price level with what stands at it and better, in lots; `share` of the deepest shown, in thousandths."""

    price: int
    quantity: int
    orders: int
    cumulative: int
    share: int


@dataclass(frozen=True)
class ListedInstrument:
    instrument: Instrument
    day: DayFigures
    change: int | None


@dataclass(frozen=True)
class TicketPreview:
    """What the order would do, and what the wallet would be left with."""

    preview: Preview
    pays: int
    receives: int
    available_before: int
    available_after: int
    instrument: Instrument

    @property
    def is_buy(self) -> bool:
        return self.preview.side == Order.Side.BUY

    @property
    def refusal(self) -> str:
        """Why it would be rejected, in a sentence."""
        return sentence_for(self.preview.reason) if self.preview.reason else ""


def instruments() -> list[Instrument]:
    """All that trade or traded, the soonest to expire first."""
    found = Instrument.objects.select_related("asset")
    return list(found.order_by("asset__expires_at", "asset__gpu_memory_gb", "code"))


def listed(now: datetime) -> list[ListedInstrument]:
    found = instruments()
    days = day_figures([instrument.id for instrument in found], now=now)
    rows = []
    for instrument in found:
        day = days.get(instrument.id, DayFigures(0, None, None, None))
        moved = day.first_price is not None and instrument.last_price is not None
        change = instrument.last_price - day.first_price if moved else None  # type: ignore[operator]
        rows.append(ListedInstrument(instrument, day, change))
    return rows


def ladder(levels: list[Level]) -> list[LadderRow]:
    """The best levels with what stands at each price and better."""
    rows, cumulative = [], 0
    shown = levels[:LADDER]
    deepest = sum(quantity for _, quantity, _ in shown) or 1
    for price, quantity, orders in shown:
        cumulative += quantity
        rows.append(LadderRow(price, quantity, orders, cumulative, cumulative * 1000 // deepest))
    return rows


def market_context(instrument: Instrument, *, now: datetime) -> dict[str, object]:
    """The public part of an instrument's page."""
    snapshot = depth(instrument.id)
    day = day_figures([instrument.id], now=now).get(instrument.id, DayFigures(0, None, None, None))
    return {
        "instrument": instrument,
        "asset": instrument.asset,
        "snapshot": snapshot,
        "bids": ladder(snapshot.bids),
        "asks": ladder(snapshot.asks),
        "trades": recent_trades(instrument.id, limit=30),
        "day": day,
        "now": now,
        "streams": {
            "events": f"{settings.EVENTS_ORIGIN}/events/{instrument.code}/",
            "book": reverse("book", args=[instrument.code]),
            "trades": reverse("trades", args=[instrument.code]),
        },
    }


def book_json(instrument: Instrument, snapshot: Snapshot) -> dict[str, object]:
    """The snapshot a page starts from and comes back to: event number and levels as [price, quantity, orders]."""
    return {
        "number": snapshot.number,
        "checksum": snapshot.checksum,
        "levels": DEPTH_LEVELS,
        "phase": instrument.phase,
        "last_price": instrument.last_price,
        "bids": snapshot.bids,
        "asks": snapshot.asks,
    }


def wallet_accounts(wallet: Wallet, instrument: Instrument) -> dict[str, Account | None]:
    """The wallet's credits and its tokens of this series."""
    wanted = [instrument.asset_id, instrument.price_asset_id]
    found = {a.asset_id: a for a in Account.objects.filter(wallet=wallet, asset_id__in=wanted)}
    return {"tokens": found.get(instrument.asset_id), "money": found.get(instrument.price_asset_id)}


def orders_of(wallet: Wallet, instrument: Instrument) -> dict[str, object]:
    """Open orders first, then what ended lately."""
    mine = Order.objects.filter(wallet=wallet, instrument=instrument)
    return {
        "open_orders": mine.filter(status=Order.Status.OPEN).order_by("-limit_price", "priority")[:SHOWN_ORDERS],
        "done_orders": mine.exclude(status__in=[Order.Status.OPEN, Order.Status.WAITING]).order_by("-id")[:8],
    }


def ticket_preview(*, instrument: Instrument, wallet: Wallet, order: dict[str, object]) -> TicketPreview:
    """Cost, balance after, worst price: what the ticket says before anything is sent."""
    preview = preview_order(instrument=instrument, wallet_id=wallet.id, **order)  # type: ignore[arg-type]
    accounts = wallet_accounts(wallet, instrument)
    is_buy = preview.side == Order.Side.BUY
    account = accounts["money" if is_buy else "tokens"]
    tokens = preview.filled_quantity * GPU_SECONDS_PER_LOT
    before = account.available if account else 0
    pays = preview.filled_value + preview.fees if is_buy else tokens
    receives = tokens if is_buy else preview.filled_value - preview.fees
    return TicketPreview(preview, pays, receives, before, before - pays - preview.held_amount, instrument)
