"""Trades between named owners, drawn a line each, and what is computed from them by other code than ours."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ledger.models import Wallet
from market.models import Instrument, Trade
from market.prices.candles import Bar
from market.prices.models import Candle, TradeFlag
from market.prices.wash import Traded
from tests.market.builders import placed

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def drawn_trades(text: str) -> list[Traded]:
    """`0:30 A>B 100 @ 250`: half a minute after the start A sells B 100 lots at 250 ticks. Owners are letters."""
    trades = []
    for number, line in enumerate((line for line in text.strip().splitlines() if line.strip()), start=1):
        clock, sides, quantity, _at, price = line.split()
        minutes, seconds = clock.split(":")
        at = START + timedelta(minutes=int(minutes), seconds=int(seconds))
        trades.append(Traded(number, at, int(price), int(quantity), ord(sides[0]), ord(sides[2])))
    return trades


def traded(instrument: Instrument, seller: Wallet, buyer: Wallet, quantity: int, price: int) -> Trade:
    """Let one sell to the other, now."""
    placed(instrument, seller, "SELL", quantity, price)
    placed(instrument, buyer, "BUY", quantity, price)
    return Trade.objects.filter(instrument=instrument).latest("number")


def recomputed(instrument: Instrument, seconds: int) -> list[Bar]:
    """The candles, from the trades and the flags alone, in plain Python."""
    flagged = set(
        TradeFlag.objects.filter(instrument=instrument).exclude(status="CLEARED").values_list("number", flat=True)
    )
    groups: dict[datetime, list[Trade]] = {}
    for trade in Trade.objects.filter(instrument=instrument).order_by("number"):
        start = int(trade.traded_at.timestamp()) // seconds * seconds
        groups.setdefault(datetime.fromtimestamp(start, tz=UTC), []).append(trade)
    return [_bar(start, trades, flagged) for start, trades in sorted(groups.items())]


def _bar(start: datetime, trades: list[Trade], flagged: Iterable[int]) -> Bar:
    clean = [trade for trade in trades if trade.number not in set(flagged)]
    prices = [trade.price for trade in trades]
    return Bar(
        start, prices[0], max(prices), min(prices), prices[-1],
        sum(trade.quantity for trade in trades), len(trades), len(trades) - len(clean),
        sum(trade.quantity for trade in clean), sum(trade.price * trade.quantity for trade in clean),
        trades[0].number, trades[-1].number,
    )  # fmt: skip


def stored(instrument: Instrument, seconds: int) -> list[Bar]:
    rows = Candle.objects.filter(instrument=instrument, seconds=seconds).order_by("starts_at")
    return [
        Bar(
            row.starts_at, row.open, row.high, row.low, row.close, row.volume, row.trades, row.excluded,
            row.clean_volume, int(row.clean_value), row.first_trade, row.last_trade,
        )
        for row in rows
    ]  # fmt: skip
