import pytest
from django.utils import timezone

from ledger.models import Account
from market.models import Instrument, Order
from portal.trading.tasks import close_expired
from tests.market.builders import placed, some_instrument, some_trader

pytestmark = pytest.mark.django_db


def test_an_expired_series_is_closed_and_every_other_left_alone():
    soon, later = some_instrument("H100-2026Q4"), some_instrument("H100-2027Q1")
    ada = some_trader(soon)
    for instrument in (soon, later):
        placed(instrument, ada, "BUY", 5, 100)
    # Its series runs out: a definition never changes, so the test has it trade one that has expired already.
    Instrument.objects.filter(id=soon.id).update(asset=some_expired_series())

    assert close_expired() == 1
    assert close_expired() == 0

    assert dict(Instrument.objects.values_list("code", "phase")) == {
        "H100-2026Q4": "CLOSED",
        "H100-2027Q1": "CONTINUOUS",
    }
    assert list(Order.objects.order_by("id").values_list("status", "reason")) == [
        ("CANCELLED", "series_expired"),
        ("OPEN", ""),
    ]
    assert sum(Account.objects.values_list("held", flat=True)) == 500


def some_expired_series():
    from ledger.models import Asset

    return Asset.objects.create(
        code="OLD", kind="POOL", gpu_type="h100", gpu_memory_gb=80, network_gbps=400, definition=b"{}",
        definition_hash=bytes(32), expires_at=timezone.now(), created_at=timezone.now(),
    )  # fmt: skip
