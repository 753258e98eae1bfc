"""What the worker does for prices, as the beat asks for it: from trades to everything that is shown."""

from pathlib import Path

import pytest

from ledger.proof.keys import make_key
from market.models import Instrument
from market.prices.models import Candle, Concentration, IndexPublication, ReferencePrice, TradeFlag
from portal.celery import app
from portal.reports.tasks import count_holdings, keep_prices, look_at_owners, publish_prices, record_references
from tests.market.builders import some_instrument, some_trader
from tests.market.prices.aging import made_older
from tests.market.prices.drawn import traded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _key(settings, tmp_path: Path) -> None:
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key.pem")


def test_from_trades_to_everything_that_is_shown():
    instrument = some_instrument()
    ada, ben, cleo = (some_trader(instrument, name) for name in ("Ada", "Ben", "Cleo"))
    for price in (250, 252, 254):
        traded(instrument, ada, cleo, 100 * price // 100, price)
    traded(instrument, ada, ben, 900, 400)
    traded(instrument, ben, ada, 900, 400)
    made_older("market_trade", "traded_at", seconds=120)

    assert keep_prices() == 5
    assert record_references() == 1
    assert publish_prices() in {1, 2}  # just after midnight the trades are yesterday's
    assert count_holdings() == 1

    value, lots = 250 * 250 + 252 * 252 + 254 * 254, 250 + 252 + 254
    average = (2 * value + lots) // (2 * lots)
    assert ReferencePrice.objects.get().price == average
    assert [flag.number for flag in TradeFlag.objects.order_by("number")] == [4, 5]
    assert Candle.objects.filter(seconds=86400).get().excluded == 2
    assert (
        f'"per_gpu_hour":{(2 * value * 100 + lots) // (2 * lots)}' in IndexPublication.objects.earliest("day").json_line
    )
    assert Concentration.objects.get().owners == 3
    assert Instrument.objects.get().last_price == 400


def test_a_worker_that_was_away_publishes_what_was_traded_meanwhile():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    for _ in range(3):
        traded(instrument, ada, ben, 100, 250)

    publish_prices()

    assert '"per_gpu_hour":25000' in IndexPublication.objects.latest("day").json_line


def test_asked_again_there_is_nothing_to_do():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    traded(instrument, ada, ben, 100, 250)
    for task in (keep_prices, record_references, publish_prices, count_holdings):
        task()

    assert keep_prices() == 0
    assert publish_prices() == 0
    assert count_holdings() == 0
    assert TradeFlag.objects.count() == 0


def test_the_beat_asks_for_each_of_them_by_its_name():
    asked = {entry["task"] for entry in app.conf.beat_schedule.values()}

    for task in (keep_prices, look_at_owners, record_references, publish_prices, count_holdings):
        assert task.name in asked
        assert task.name in app.tasks
