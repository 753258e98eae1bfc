"""Looking through trades for patterns, flagging them, and a person's decision about a flag."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from ledger.clock import assert_in_transaction
from market.errors import FlagDecided, ReasonMissing
from market.models import Trade
from market.prices.candles import leave_out, take_in_again
from market.prices.models import PriceProgress, TradeFlag
from market.prices.progress import instant_after_lock, locked_progress
from market.prices.wash import METHOD, Finding, Rules, Traded, find

RULES = Rules()
# One round looks through so many new trades, with so many earlier ones in sight, however busy the window was.
LARGEST_SCAN = 2_000
LARGEST_SIGHT = 5_000
# An owner that becomes known later makes trades of so many days suspicious.
OWNER_DAYS = 7
OWNER_ORDERS = 20_000

_TRADES = """
    SELECT t.number, t.traded_at, t.price, t.quantity,
        CASE t.taker_side WHEN 'SELL' THEN taker.owner ELSE maker.owner END,
        CASE t.taker_side WHEN 'SELL' THEN maker.owner ELSE taker.owner END
    FROM market_trade t
    JOIN LATERAL (
        SELECT coalesce(w.beneficial_owner_id, w.id) AS owner
        FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id WHERE o.id = t.maker_id
    ) maker ON true
    JOIN LATERAL (
        SELECT coalesce(w.beneficial_owner_id, w.id) AS owner
        FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id WHERE o.id = t.taker_id
    ) taker ON true
    WHERE t.instrument_id = %s AND t.number > %s AND t.number <= %s ORDER BY t.number
"""
# Wallets whose owner is another are few; of each wallet of such a family the newest orders are looked at.
_OWN_WITH_OWN = """
    WITH family AS (
        SELECT id FROM ledger_wallet WHERE beneficial_owner_id IS NOT NULL
        UNION SELECT beneficial_owner_id FROM ledger_wallet WHERE beneficial_owner_id IS NOT NULL
    )
    SELECT DISTINCT t.instrument_id, t.number
    FROM family f
    CROSS JOIN LATERAL (
        SELECT id, placed_at FROM market_order WHERE wallet_id = f.id ORDER BY id DESC LIMIT %(orders)s
    ) o
    CROSS JOIN LATERAL (
        SELECT instrument_id, number, maker_id, taker_id, traded_at FROM market_trade WHERE maker_id = o.id
        UNION ALL SELECT instrument_id, number, maker_id, taker_id, traded_at FROM market_trade WHERE taker_id = o.id
    ) t
    JOIN market_order maker ON maker.id = t.maker_id JOIN ledger_wallet mw ON mw.id = maker.wallet_id
    JOIN market_order taker ON taker.id = t.taker_id JOIN ledger_wallet tw ON tw.id = taker.wallet_id
    WHERE o.placed_at > now() - make_interval(days => %(days)s)
        AND t.traded_at > now() - make_interval(days => %(days)s)
        AND coalesce(mw.beneficial_owner_id, mw.id) = coalesce(tw.beneficial_owner_id, tw.id)
        AND NOT EXISTS (
            SELECT 1 FROM market_tradeflag g
            WHERE g.instrument_id = t.instrument_id AND g.number = t.number AND g.kind = 'SAME_OWNER'
        )
    ORDER BY 1, 2 LIMIT %(most)s
"""


def standing() -> Q:
    """Flags that keep their trade out of prices: those nobody has cleared."""
    return ~Q(status=TradeFlag.Status.CLEARED)


def excluded_at(instrument_id: int, at: datetime) -> QuerySet[TradeFlag]:
    """The flags that kept trades out of prices at an instant."""
    cleared = Q(status=TradeFlag.Status.CLEARED, decided_at__lte=at)
    return TradeFlag.objects.filter(instrument_id=instrument_id, found_at__lte=at).exclude(cleared)


def unscanned_instruments() -> list[int]:
    behind = PriceProgress.objects.filter(scanned_trade__lt=F("folded_trade"))
    return list(behind.order_by("instrument_id").values_list("instrument_id", flat=True))


@transaction.atomic(durable=True)
def scan_trades(instrument_id: int, *, most: int = LARGEST_SCAN) -> int:
    """Look through the next folded trades; answers how many. What is found is flagged in the same transaction."""
    progress = locked_progress(instrument_id)
    upto = min(progress.folded_trade, progress.scanned_trade + most)
    count = upto - progress.scanned_trade
    if count > 0:
        trades = _trades(instrument_id, max(progress.scanned_trade - LARGEST_SIGHT, 0), upto)
        flag(instrument_id, find(trades, after=progress.scanned_trade, rules=RULES))
        progress.scanned_trade = upto
        progress.save(update_fields=["scanned_trade"])
    return max(count, 0)


def scan_all() -> int:
    """Look through everything that is folded; answers how many trades."""
    count = 0
    for instrument_id in unscanned_instruments():
        while scanned := scan_trades(instrument_id):
            count += scanned
    return count


def flag_own_with_own(*, most: int = 1_000) -> int:
    """Flag the last days' trades whose two sides belong to one owner by now; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute(_OWN_WITH_OWN, {"days": OWNER_DAYS, "orders": OWNER_ORDERS, "most": most})
        rows: list[tuple[int, int]] = cursor.fetchall()
    found: dict[int, list[int]] = {}
    for instrument_id, number in rows:
        found.setdefault(instrument_id, []).append(number)
    return sum(_flag_own(instrument_id, numbers) for instrument_id, numbers in found.items())


@transaction.atomic(durable=True)
def _flag_own(instrument_id: int, numbers: list[int]) -> int:
    progress = locked_progress(instrument_id)
    # What is not folded yet will be looked through when it is.
    known = [number for number in numbers if number <= progress.scanned_trade]
    return flag(instrument_id, [Finding("SAME_OWNER", (number,), {}) for number in known])


def flag(instrument_id: int, findings: list[Finding]) -> int:
    """Write the flags that are new and leave their trades out (a step, under the lock); answers how many flags."""
    assert_in_transaction()
    numbers = {number for finding in findings for number in finding.trades}
    if not numbers:
        return 0
    out_already = _standing_numbers(instrument_id, numbers)
    ids = dict(Trade.objects.filter(instrument_id=instrument_id, number__in=numbers).values_list("number", "pk"))
    now = instant_after_lock()
    rows = [
        TradeFlag(
            trade_id=ids[number], instrument_id=instrument_id, number=number, kind=finding.kind,
            closing_trade=finding.closing_trade, facts=finding.facts, method=METHOD, found_at=now,
        )
        for finding in findings
        for number in finding.trades
    ]  # fmt: skip
    before = TradeFlag.objects.filter(instrument_id=instrument_id, number__in=numbers).count()
    TradeFlag.objects.bulk_create(rows, ignore_conflicts=True)
    after = TradeFlag.objects.filter(instrument_id=instrument_id, number__in=numbers).count()
    leave_out(instrument_id, sorted(_standing_numbers(instrument_id, numbers) - out_already))
    return after - before


@transaction.atomic(durable=True)
def decide_flag(*, flag_id: int, confirm: bool, reason: str, user_id: int) -> list[TradeFlag]:
    """A person's decision about a flag and what was found with it. Cleared trades count in prices again."""
    if not reason.strip():
        raise ReasonMissing(_("Say why: the reason is kept with the flag."), field="reason")
    instrument_id = TradeFlag.objects.values_list("instrument_id", flat=True).get(id=flag_id)
    locked_progress(instrument_id)
    one = TradeFlag.objects.get(id=flag_id)
    if one.status != TradeFlag.Status.OPEN:
        raise FlagDecided(_("This flag is %(status)s already.") % {"status": one.get_status_display()})
    together = list(
        TradeFlag.objects.filter(
            instrument_id=instrument_id, kind=one.kind, closing_trade=one.closing_trade, status=TradeFlag.Status.OPEN
        ).order_by("id")
    )
    numbers = {each.number for each in together}
    now, status = instant_after_lock(), TradeFlag.Status.CONFIRMED if confirm else TradeFlag.Status.CLEARED
    for each in together:
        each.status, each.decided_by_id, each.decided_at, each.reason = status, user_id, now, reason.strip()
    TradeFlag.objects.bulk_update(together, ["status", "decided_by", "decided_at", "reason"])
    take_in_again(instrument_id, sorted(numbers - _standing_numbers(instrument_id, numbers)))
    return together


def why(one: TradeFlag) -> str:
    """The pattern in a sentence, with its figures and without names."""
    if one.kind == TradeFlag.Kind.SAME_OWNER:
        return _("One beneficial owner was on both sides, through different wallets.")
    facts = one.facts
    piles = list(zip(facts["values"], facts["quantities"], strict=True))
    piles = list(zip(facts["values"], facts["quantities"], strict=True))
    figures = {
        "hours": " → ".join(f"{quantity / 100:.2f}" for _value, quantity in piles),
        "prices": " → ".join(f"{value / quantity / 100:.2f}" for value, quantity in piles),
        "seconds": facts["seconds"],
        "owners": len(piles),
    }
    if one.kind == TradeFlag.Kind.ROUND_TRIP:
        said = _("There and back between two owners in %(seconds)s s: %(hours)s GPU-h at %(prices)s cr/GPU-h.")
    else:
        said = _("Round through %(owners)s owners in %(seconds)s s: %(hours)s GPU-h at %(prices)s cr/GPU-h.")
    return said % figures


def _standing_numbers(instrument_id: int, numbers: set[int]) -> set[int]:
    rows = TradeFlag.objects.filter(standing(), instrument_id=instrument_id, number__in=numbers)
    return set(rows.values_list("number", flat=True))


def _trades(instrument_id: int, above: int, upto: int) -> list[Traded]:
    with connection.cursor() as cursor:
        cursor.execute(_TRADES, [instrument_id, above, upto])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [Traded(*row) for row in rows]
