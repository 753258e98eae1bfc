"""What holds of every order and instrument, the database itself keeps, whoever writes to it."""

import psycopg
import pytest
from psycopg.errors import CheckViolation

from market.models import Instrument, Order
from tests import cluster
from tests.market.builders import placed, some_instrument, some_trader, with_rules

pytestmark = pytest.mark.django_db(transaction=True)

WRONG_ORDERS = [
    # A bid for 7 lots at 10,001 ticks holds 70,007 and 30 bp of that, rounded down: 70,217.
    "held = 70216",
    "held = 70218",
    "side = 'SELL'",
    "side = 'SELL', held = 36 * 6",
    "side = 'NONE'",
    "limit_price = 0",
    "limit_price = 10000001",
    "quantity = 0, held = 0",
    "quantity = 100000000001",
    "filled_quantity = -1",
    "filled_quantity = 8",
    "filled_quantity = 7, held = 0",
    "priority = NULL",
    "status = 'WAITING'",
    "status = 'FILLED', held = 0",
    "status = 'CANCELLED'",
    "status = 'REJECTED', held = 0, filled_quantity = 1",
    "status = 'GONE', held = 0",
    "expires_at = now()",
    "time_in_force = 'GTD'",
    "kind = 'MARKET'",
    "kind = 'MARKET', time_in_force = 'IOC', post_only = true",
    "time_in_force = 'FOK', post_only = true",
]
SOUND_ORDERS = [
    "side = 'SELL', held = 36 * 7",
    "filled_quantity = 3, held = 10001 * 4 + 120",
    "status = 'WAITING', held = 0, priority = NULL",
    "status = 'FILLED', filled_quantity = 7, held = 0",
    "status = 'CANCELLED', filled_quantity = 3, held = 0",
    "status = 'REJECTED', held = 0",
    "time_in_force = 'GTD', expires_at = now(), post_only = true",
    "kind = 'MARKET', time_in_force = 'IOC'",
    "limit_price = 10000000, quantity = 100000000000, held = 1000000000000000000 + 3000000000000000",
]


@pytest.fixture
def order() -> Order:
    instrument = with_rules(some_instrument(), taker_fee_bp=30, maker_fee_bp=0)
    answer = placed(instrument, some_trader(instrument), "BUY", 7, 10_001)
    found = Order.objects.get(id=answer.order_id)
    assert (found.status, found.held) == ("OPEN", 70_217)
    return found


def update(row: Order | Instrument, change: str) -> None:
    """As the superuser, whom no grant keeps from it; rolled back."""
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as connection:
        connection.execute(f"UPDATE {row._meta.db_table} SET {change} WHERE id = %s", [row.id])
        connection.rollback()


def assert_refused(row: Order | Instrument, change: str, constraint: str) -> None:
    with pytest.raises(CheckViolation) as refused:
        update(row, change)
    assert refused.value.diag.constraint_name == constraint, change


def test_no_order_can_be_made_unsound(order):
    for change in WRONG_ORDERS:
        assert_refused(order, change, "order_is_sound")


def test_a_sound_order_is_taken(order):
    for change in SOUND_ORDERS:
        update(order, change)


# Its fees are 10 and 30 bp, and their account is there.
WRONG_INSTRUMENTS = [
    "maker_fee_bp = -1",
    "maker_fee_bp = 31",
    "taker_fee_bp = 1001",
    "fees_account_id = NULL",
    "static_band_bp = 0",
    "static_band_bp = 10000",
    "dynamic_band_bp = -1",
    "dynamic_band_bp = 10000",
    "phase = 'AUCTION'",
    "phase = 'AUCTION', no_cancel_at = now()",
    "phase = 'AUCTION', uncross_at = now()",
    "phase = 'AUCTION', no_cancel_at = now(), uncross_at = now() - interval '1 second'",
    "no_cancel_at = now()",
    "uncross_at = now()",
    "uncross_price = 1",
]
SOUND_INSTRUMENTS = [
    "maker_fee_bp = 0, taker_fee_bp = 0, fees_account_id = NULL",
    "taker_fee_bp = 1000",
    "static_band_bp = 1, dynamic_band_bp = 9999",
    "static_band_bp = NULL, dynamic_band_bp = NULL",
    "phase = 'AUCTION', no_cancel_at = now(), uncross_at = now(), uncross_price = 7",
    "phase = 'HALTED'",
]


def test_no_instrument_can_be_made_unsound():
    instrument = with_rules(some_instrument(), taker_fee_bp=30, maker_fee_bp=10)
    for change in WRONG_INSTRUMENTS:
        assert_refused(instrument, change, "instrument_is_sound")


def test_a_sound_instrument_is_taken():
    instrument = with_rules(some_instrument(), taker_fee_bp=30, maker_fee_bp=10)
    for change in SOUND_INSTRUMENTS:
        update(instrument, change)
