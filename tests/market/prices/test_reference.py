"""The reference price: weighted by volume, with a minimum, flagged trades out, and computed again to the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from ledger.clock import database_now
from market.models import Instrument, Trade
from market.prices.candles import fold_all
from market.prices.flags import decide_flag, flag
from market.prices.models import ReferencePrice, TradeFlag
from market.prices.progress import locked_progress
from market.prices.reference import newest_reference, record_reference, reference, reference_price, reproduced
from market.prices.wash import Finding
from tests.ledger.builders import two_persons
from tests.market.builders import some_instrument

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 2, 12, 0, 30, tzinfo=UTC)


def trades(instrument: Instrument, *rows: tuple[float, int, int], at: datetime = AT) -> None:
    """(minutes before, price in ticks, lots), the oldest first."""
    first = instrument.last_trade
    Trade.objects.bulk_create(
        Trade(
            transfer_id=10_000 + first + place, instrument=instrument, number=first + place, maker_id=1, taker_id=2,
            taker_side="BUY", price=price, quantity=quantity, traded_at=at - timedelta(minutes=minutes),
        )
        for place, (minutes, price, quantity) in enumerate(rows, start=1)
    )  # fmt: skip
    instrument.last_trade += len(rows)
    instrument.save(update_fields=["last_trade"])


def flagged(instrument: Instrument, *numbers: int) -> None:
    with transaction.atomic():
        locked_progress(instrument.id)
        flag(instrument.id, [Finding("SAME_OWNER", (number,), {}) for number in numbers])


def said(instrument: Instrument, at: datetime = AT) -> Any:
    found = reference(instrument, at)
    return found and (found.price, found.basis)


@pytest.mark.parametrize("folded", [True, False])
def test_it_is_the_average_of_the_last_hour_by_volume_to_the_nearest_tick(folded):
    instrument = some_instrument()
    trades(instrument, (70, 100, 900), (50, 250, 100), (20, 260, 200), (5, 253, 100))
    if folded:
        fold_all()

    assert said(instrument) == (256, "TRADES")  # (25000 + 52000 + 25300) / 400 = 255.75


def test_halves_are_rounded_up():
    instrument = some_instrument()
    trades(instrument, (50, 250, 100), (20, 251, 100), (5, 250, 100), (4, 251, 100))

    assert said(instrument) == (251, "TRADES")


@pytest.mark.parametrize("few", [[(20, 260, 200), (5, 253, 100)], [(30, 260, 33), (20, 260, 33), (5, 253, 33)]])
def test_too_few_trades_or_lots_in_an_hour_widen_it_to_a_day(few):
    instrument = some_instrument()
    trades(instrument, (300, 200, 1000), *few)

    found = reference(instrument, AT)

    lots = 1000 + sum(quantity for _, _, quantity in few)
    value = 200_000 + sum(price * quantity for _, price, quantity in few)
    assert (found.basis, found.window.volume) == ("TRADES", lots)
    assert found.price == (2 * value + lots) // (2 * lots)


def test_then_the_last_valid_one_counts_and_then_the_price_of_issue():
    instrument = some_instrument()
    assert said(instrument) is None
    instrument.reference_price = 300
    assert said(instrument) == (300, "ISSUE")
    instrument.save(update_fields=["reference_price"])
    now = database_now()
    trades(instrument, (50, 250, 100), (20, 250, 100), (5, 250, 100), at=now)
    assert record_reference(instrument.id).price == 250

    assert said(instrument, now + timedelta(hours=30)) == (250, "LAST")


def test_flagged_trades_are_out_of_it_and_below_the_minimum_without_them():
    instrument = some_instrument()
    trades(instrument, (50, 250, 100), (40, 900, 5000), (20, 250, 100), (5, 250, 100))
    fold_all()

    flagged(instrument, 2)
    assert said(instrument) == (250, "TRADES")
    flagged(instrument, 1)
    assert said(instrument) is None


def test_a_minute_counts_when_it_has_been_over_for_ten_seconds():
    instrument = some_instrument()
    whole = AT.replace(second=0)
    trades(instrument, (3, 250, 100), (2, 250, 100), (0.1, 250, 100), at=whole)

    assert said(instrument, whole + timedelta(seconds=9)) is None
    assert said(instrument, whole + timedelta(seconds=10)) == (250, "TRADES")


def test_what_is_stored_is_computed_again_whatever_came_later():
    instrument = some_instrument()
    now, person = database_now(), two_persons()[0]
    trades(instrument, (55, 250, 100), (40, 900, 500), (20, 255, 170), (6, 260, 100), (5, 240, 130), at=now)
    fold_all()
    first = record_reference(instrument.id)
    flagged(instrument, 2)
    second = record_reference(instrument.id)
    decide_flag(flag_id=TradeFlag.objects.get().id, confirm=False, reason="fine", user_id=person)
    third = record_reference(instrument.id)
    trades(instrument, (0, 700, 10_000), at=now)
    fold_all()
    flagged(instrument, 1, 3)

    rows = list(ReferencePrice.objects.order_by("at"))
    assert [row.id for row in rows] == [first.id, second.id, third.id]
    assert [row.price for row in rows] == [first.price, second.price, first.price]
    assert first.price != second.price
    for row in rows:
        again = reproduced(row)
        assert (again.price, again.basis, again.window.volume, again.window.excluded) == (
            row.price, row.basis, row.volume, row.excluded,
        )  # fmt: skip


def test_it_is_stored_when_it_changes_and_never_changed():
    instrument = some_instrument()
    trades(instrument, (50, 250, 100), (20, 250, 100), (5, 250, 100), at=database_now())
    one = record_reference(instrument.id)

    assert record_reference(instrument.id) == one
    assert ReferencePrice.objects.count() == 1
    assert newest_reference(instrument.id) == one
    assert one.method == 1
    with pytest.raises(DatabaseError), transaction.atomic():
        ReferencePrice.objects.update(price=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        ReferencePrice.objects.all().delete()


def test_it_costs_the_same_however_many_trades_there_are(django_assert_num_queries):
    instrument = some_instrument()
    trades(instrument, *[(59 - n / 100, 250, 100) for n in range(5000)])
    fold_all()

    with django_assert_num_queries(2):
        assert reference_price(instrument, AT) == 250
