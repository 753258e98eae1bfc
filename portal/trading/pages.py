"""What the trading pages show, gathered in a constant number of queries."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from ledger.models import Account, Wallet
from market.answers import NewOrder
from market.auctions.reads import auction_state
from market.bands import BASIS_POINTS
from market.errors import sentence_for
from market.models import GPU_SECONDS_PER_LOT, HIGHEST_PRICE, Instrument, Order, Trade
from market.offerings.allotting import open_offering
from market.positions import Position
from market.preview import Preview, preview_order
from market.prices.candles import INTERVALS, Bar
from market.reads import (
    DEPTH_LEVELS,
    DayFigures,
    Level,
    Snapshot,
    day_figures,
    depth,
    recent_trades,
)
from portal.trading.lives import lives

LADDER = 14
TAPE = 24
CANDLE_ROWS = 8
# Steps of prices that the ladder can show, in ticks.
GROUPS = (1, 10, 100)
SHOWN_ORDERS = 30
SHOWN_FILLS = 12
SHOWN_DONE = 8
# A market order accepts prices this much worse than the best there is.
PROTECTION_BP = 500


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
    # What a market order is protected by; None for an order with a limit of its own.
    protection: int | None = None

    @property
    def is_buy(self) -> bool:
        return self.preview.side == Order.Side.BUY

    @property
    def refusal(self) -> str:
        """Why it would be rejected, in a sentence."""
        return sentence_for(self.preview.reason) if self.preview.reason else ""

    @property
    def waits_for_auction(self) -> bool:
        """What does not trade at once waits for the auction that there is, or that it begins."""
        return self.preview.reaches_edge or self.instrument.phase == Instrument.Phase.AUCTION

    @property
    def dropped_quantity(self) -> int:
        """What neither trades at once nor waits: it would be cancelled."""
        preview = self.preview
        if preview.reason or preview.meets_own or preview.cannot_fill:
            return 0
        return preview.quantity - preview.filled_quantity - preview.rest_quantity


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


def ladder(levels: list[Level]) -> list[LadderRow | None]:
    """The best levels with what stands at each price and better: always as many rows, so that nothing moves."""
    rows: list[LadderRow | None] = []
    cumulative = 0
    shown = levels[:LADDER]
    deepest = sum(quantity for _, quantity, _ in shown) or 1
    for price, quantity, orders in shown:
        cumulative += quantity
        rows.append(LadderRow(price, quantity, orders, cumulative, cumulative * 1000 // deepest))
    return rows + [None] * (LADDER - len(rows))


def tape(instrument: Instrument) -> list[Trade | None]:
    """The last trades, newest first: always as many rows."""
    rows: list[Trade | None] = list(recent_trades(instrument.id, limit=TAPE))
    return rows + [None] * (TAPE - len(rows))


def phase_context(instrument: Instrument, *, now: datetime) -> dict[str, object]:
    """What the instrument does now, and in an auction what it would come to."""
    auction = auction_state(instrument, now=now)
    offering = open_offering(instrument.id) if auction else None
    return {"instrument": instrument, "auction": auction, "offering": offering}


def market_context(instrument: Instrument, *, now: datetime) -> dict[str, object]:
    """The public part of an instrument's page."""
    snapshot = depth(instrument.id)
    day = day_figures([instrument.id], now=now).get(instrument.id, DayFigures(0, None, None, None))
    return phase_context(instrument, now=now) | {
        "asset": instrument.asset,
        "snapshot": snapshot,
        "spread": snapshot.spread,
        "bids": ladder(snapshot.bids),
        "asks": ladder(snapshot.asks),
        "trades": tape(instrument),
        "groups": GROUPS,
        "candle_rows": range(CANDLE_ROWS),
        "intervals": INTERVALS,
        "day": day,
        "now": now,
        "streams": {
            "events": f"{settings.EVENTS_ORIGIN}/events/{instrument.code}/",
            "book": reverse("book", args=[instrument.code]),
            "trades": reverse("trades", args=[instrument.code]),
            "candles": reverse("candles", args=[instrument.code]),
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


def candles_json(found: list[Bar]) -> dict[str, object]:
    """Candles as [seconds since 1970, open, high, low, close, volume], oldest first."""
    return {
        # The last trade that is in them: a page adds those after it.
        "last_trade": found[-1].last_trade if found else 0,
        "bars": [[int(b.starts_at.timestamp()), b.open, b.high, b.low, b.close, b.volume] for b in found],
    }


def protection_price(instrument: Instrument, side: str) -> int | None:
    """The worst price that a market order of this side accepts: a stated part worse than the best there is now."""
    snapshot = depth(instrument.id, levels=1)
    if side == Order.Side.BUY:
        best = snapshot.best_ask or instrument.last_price
        return min(-(-best * (BASIS_POINTS + PROTECTION_BP) // BASIS_POINTS), HIGHEST_PRICE) if best else None
    best = snapshot.best_bid or instrument.last_price
    return max(best * (BASIS_POINTS - PROTECTION_BP) // BASIS_POINTS, 1) if best else None


@dataclass(frozen=True)
class PositionRow:
    """A position beside the price it is measured by."""

    instrument: Instrument
    account: Account
    position: Position

    @property
    def unrealised(self) -> int | None:
        price = self.instrument.last_price
        return None if price is None or not self.position.bought else self.position.unrealised_at(price)


def position_rows(wallet: Wallet) -> list[PositionRow]:
    """All series in which the wallet ever had tokens: two statements, however many trades there were."""
    accounts = Account.objects.filter(wallet=wallet, asset__instrument__isnull=False)
    found = list(accounts.select_related("asset__instrument__asset").order_by("asset__expires_at", "id"))
    known = lives([account.id for account in found])
    return [PositionRow(account.asset.instrument, account, known[account.id].position) for account in found]


def traded(tokens: Account | None, instrument: Instrument) -> dict[str, object]:
    """My fills and my position in one series."""
    if tokens is None:
        return {"my_fills": [], "position": None}
    life = lives([tokens.id])[tokens.id]
    return {"my_fills": life.fills[:SHOWN_FILLS], "position": PositionRow(instrument, tokens, life.position)}


def wallet_accounts(wallet: Wallet, instrument: Instrument) -> dict[str, Account | None]:
    """The wallet's credits and its tokens of this series."""
    wanted = [instrument.asset_id, instrument.price_asset_id]
    found = {a.asset_id: a for a in Account.objects.filter(wallet=wallet, asset_id__in=wanted)}
    return {"tokens": found.get(instrument.asset_id), "money": found.get(instrument.price_asset_id)}


def orders_of(wallet: Wallet, instrument: Instrument) -> dict[str, object]:
    """Open orders first, then what ended lately: one statement for both."""
    mine = Order.objects.filter(wallet=wallet, instrument=instrument)
    is_open = mine.filter(status=Order.Status.OPEN).order_by("-limit_price", "priority")[:SHOWN_ORDERS]
    is_done = mine.exclude(status__in=[Order.Status.OPEN, Order.Status.WAITING]).order_by("-id")[:SHOWN_DONE]
    found = list(is_open.union(is_done, all=True))
    open_orders = [order for order in found if order.status == Order.Status.OPEN]
    done_orders = [order for order in found if order.status != Order.Status.OPEN]
    return {
        "open_orders": sorted(open_orders, key=lambda order: (-order.limit_price, order.priority)),
        "done_orders": sorted(done_orders, key=lambda order: -order.id),
    }


def ticket_preview(*, instrument: Instrument, wallet: Wallet, order: NewOrder) -> TicketPreview:
    """Cost, balance after, worst price: what the ticket says before anything is sent."""
    preview = preview_order(instrument=instrument, order=order)
    accounts = wallet_accounts(wallet, instrument)
    is_buy = preview.side == Order.Side.BUY
    account = accounts["money" if is_buy else "tokens"]
    tokens = preview.filled_quantity * GPU_SECONDS_PER_LOT
    before = account.available if account else 0
    pays = preview.filled_value + preview.fees if is_buy else tokens
    receives = tokens if is_buy else preview.filled_value - preview.fees
    protection = order.limit_price if order.kind == Order.Kind.MARKET else None
    after = before - pays - preview.held_amount
    return TicketPreview(preview, pays, receives, before, after, instrument, protection)
