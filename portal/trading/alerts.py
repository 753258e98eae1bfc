"""Price alerts: set, fired by the trades themselves, seen, taken away."""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from ledger.errors import Refusal
from market.models import Instrument
from portal.people.models import User
from portal.trading.models import PriceAlert

# So many may wait of one person: more is no help to anybody.
MOST_WAITING = 50


class TooManyAlerts(Refusal):
    code = "too_many_alerts"


def alerts_of(user: User) -> QuerySet[PriceAlert]:
    """Those that wait, and those that have fired and were not seen."""
    return PriceAlert.objects.filter(user=user, seen_at=None).select_related("instrument").order_by("-fired_at", "id")


@transaction.atomic(durable=True)
def set_alert(*, user: User, instrument_id: int, direction: str, price: int, now: datetime) -> PriceAlert:
    """The same twice is one. Only trades from now on count."""
    User.objects.select_for_update(no_key=True).get(id=user.id)
    waiting = PriceAlert.objects.filter(user=user, fired_at=None)
    same = waiting.filter(instrument_id=instrument_id, direction=direction, price=price).first()
    if same is not None:
        return same
    if waiting.count() >= MOST_WAITING:
        raise TooManyAlerts(_("You have %(n)d alerts that wait. Take one away first.") % {"n": MOST_WAITING})
    last = Instrument.objects.values_list("last_trade", flat=True).get(id=instrument_id)
    return PriceAlert.objects.create(
        user=user, instrument_id=instrument_id, direction=direction, price=price, looked_at_trade=last, set_at=now
    )


def see_alerts(*, user: User, now: datetime) -> int:
    """What has fired was read: it is shown no more."""
    return PriceAlert.objects.filter(user=user, fired_at__isnull=False, seen_at=None).update(seen_at=now)


def drop_alert(alert: PriceAlert) -> None:
    alert.delete()


_FIRE = """
    WITH waiting AS (
        SELECT a.id, a.instrument_id, a.direction, a.price, a.looked_at_trade, i.last_trade
        FROM trading_pricealert a JOIN market_instrument i ON i.id = a.instrument_id
        WHERE a.fired_at IS NULL AND i.last_trade > a.looked_at_trade
        ORDER BY a.id FOR UPDATE OF a SKIP LOCKED
    ), looked AS (
        SELECT w.id, w.last_trade, t.price, t.traded_at FROM waiting w LEFT JOIN LATERAL (
            SELECT price, traded_at FROM market_trade
            WHERE instrument_id = w.instrument_id AND number > w.looked_at_trade AND number <= w.last_trade
                AND CASE w.direction WHEN 'ABOVE' THEN price >= w.price ELSE price <= w.price END
            ORDER BY number LIMIT 1
        ) t ON true
    ), changed AS (
        UPDATE trading_pricealert a
        SET looked_at_trade = l.last_trade, fired_at = l.traded_at, fired_price = l.price
        FROM looked l WHERE a.id = l.id RETURNING a.fired_at
    )
    SELECT count(*) FROM changed WHERE fired_at IS NOT NULL
"""


@transaction.atomic(durable=True)
def fire_alerts() -> int:
    """Look at every trade since the last look, so that no spike is missed; answers how many alerts fired."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRE)
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])
