"""The market at a glance, from the database: what the landing page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Min, QuerySet

from ledger.models import Asset
from market.models import Instrument, Order, Trade
from market.prices.statistics import day_figures

# The little line of recent prices: a drawing of 100 by 24 units.
WIDTH, HEIGHT = 100, 24
POINTS = 40


@dataclass(frozen=True)
class Quote:
    """One instrument now."""

    instrument: Instrument
    asset: Asset
    bid: int | None
    ask: int | None
    last: int | None
    day_quantity: int
    line: str

    @property
    def is_open(self) -> bool:
        return self.instrument.phase == Instrument.Phase.CONTINUOUS


def quotes(*, now: datetime, most: int = 8) -> list[Quote]:
    """The instruments that can be traded, those that expire first before the others."""
    instruments: QuerySet[Instrument] = (
        Instrument.objects.exclude(phase=Instrument.Phase.CLOSED)
        .filter(asset__expires_at__gt=now)
        .select_related("asset")
        .order_by("asset__expires_at", "code")[:most]
    )
    found = list(instruments)
    ids = [instrument.id for instrument in found]
    resting = Order.objects.filter(instrument__in=ids, status=Order.Status.OPEN)
    bids = resting.filter(side=Order.Side.BUY).values_list("instrument").annotate(best=Max("limit_price"))
    asks = resting.filter(side=Order.Side.SELL).values_list("instrument").annotate(best=Min("limit_price"))
    days = day_figures(ids, now=now)
    best_bids, best_asks = dict(bids), dict(asks)
    return [
        Quote(
            instrument=instrument,
            asset=instrument.asset,
            bid=best_bids.get(instrument.id),
            ask=best_asks.get(instrument.id),
            last=instrument.last_price,
            day_quantity=days[instrument.id].volume if instrument.id in days else 0,
            line=line(recent_prices(instrument)),
        )
        for instrument in found
    ]


def recent_prices(instrument: Instrument) -> list[int]:
    newest = Trade.objects.filter(instrument=instrument).order_by("-number").values_list("price", flat=True)
    return list(newest[:POINTS])[::-1]


def line(prices: list[int]) -> str:
    """The points of a line through the prices, oldest at the left, in units of the drawing."""
    if len(prices) < 2:
        return ""
    low, high = min(prices), max(prices)
    step = WIDTH / (len(prices) - 1)
    height = HEIGHT - 4
    return " ".join(
        f"{index * step:.1f},{2 + (height / 2 if high == low else height * (high - price) / (high - low)):.1f}"
        for index, price in enumerate(prices)
    )
