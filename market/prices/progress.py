"""Taking the one lock under which an instrument's candles and flags change."""

from datetime import datetime

from django.db import connection

from ledger.clock import assert_in_transaction
from market.prices.models import PriceProgress


def locked_progress(instrument_id: int) -> PriceProgress:
    """The instrument's progress, locked until the transaction ends."""
    assert_in_transaction()
    PriceProgress.objects.bulk_create([PriceProgress(instrument_id=instrument_id)], ignore_conflicts=True)
    return PriceProgress.objects.select_for_update(no_key=True).get(instrument_id=instrument_id)


def instant_after_lock() -> datetime:
    """The database's time now, not when the transaction began: later than whatever the last holder of the lock did."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    now: datetime = row[0]
    return now
