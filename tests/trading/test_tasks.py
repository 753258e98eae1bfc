from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.clock import database_now
from ledger.models import Account, Asset
from market.models import GPU_SECONDS_PER_LOT, Instrument, Order, Trade
from portal.trading.tasks import close_expired, end_auctions
from tests.market.builders import in_auction, make_due, placed, some_instrument, some_trader
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_expired_series_is_closed_and_swept_and_every_other_left_alone():
    soon = some_instrument("H100-2026Q4", expires_at=timezone.now() + timedelta(seconds=2))
    later = some_instrument("H100-2027Q1")
    ada = some_trader(soon, lots=10)
    for instrument in (soon, later):
        placed(instrument, ada, "BUY", 5, 100)
    placed(soon, ada, "SELL", 4, 110)
    wait_until(lambda: soon.asset.expires_at <= database_now())

    assert close_expired() == 1
    assert close_expired() == 0

    assert dict(Instrument.objects.values_list("code", "phase")) == {
        "H100-2026Q4": "CLOSED",
        "H100-2027Q1": "CONTINUOUS",
    }
    assert list(Order.objects.order_by("id").values_list("status", "reason")) == [
        ("CANCELLED", "series_expired"),
        ("OPEN", ""),
        ("CANCELLED", "series_expired"),
    ]
    assert sum(Account.objects.values_list("held", flat=True)) == 500
    assert Account.objects.get(wallet__role="EXPIRED", asset=soon.asset).balance == 10 * GPU_SECONDS_PER_LOT
    assert Asset.objects.get(id=soon.asset_id).swept_at is not None


def test_the_beat_ends_the_auctions_that_are_due():
    due, not_due = some_instrument("H100-2090Q1"), some_instrument("H100-2090Q2")
    for instrument in (due, not_due):
        in_auction(instrument)
        placed(instrument, some_trader(instrument), "SELL", 5, 100)
        placed(instrument, some_trader(instrument, "Bob"), "BUY", 5, 100)
    make_due(due)

    assert end_auctions() == 1
    assert end_auctions() == 0

    assert [trade.instrument for trade in Trade.objects.all()] == [due]
