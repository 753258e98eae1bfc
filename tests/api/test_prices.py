"""What the API says of prices is what the trades say, a page at a time."""

from pathlib import Path

import pytest

from ledger.clock import database_now
from ledger.proof.configured import configured_sealer
from ledger.proof.keys import make_key
from market.prices.candles import fold_all
from market.prices.concentration import count_concentrations
from market.prices.flags import scan_all
from market.prices.publishing import publish_index
from market.prices.reference import record_reference
from tests.api.builders import a_market, a_trader, an_order
from tests.market.prices.drawn import recomputed
from tests.market.prices.test_candles import copied_trades

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "instruments/H100-2026Q4/"


@pytest.fixture(autouse=True)
def _key(settings, tmp_path: Path) -> None:
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key.pem")


def test_candles_come_newest_first_page_by_page():
    market = a_market()
    copied_trades(market.instrument, 150)
    fold_all()
    cursor, found = "", []
    while True:
        answer = market.ada.get(f"{HERE}candles/?interval=1h&limit=7{cursor}")
        assert answer.status == 200
        found += answer.json["results"]
        if answer.json["next"] is None:
            break
        cursor = f"&cursor={answer.json['next']}"

    whole = recomputed(market.instrument, 3600)[::-1]
    assert [(row["open"], row["high"], row["low"], row["close"], row["volume"], row["trades"]) for row in found] == [
        (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades) for bar in whole
    ]
    assert [row["average"] for row in found] == [bar.average for bar in whole]


def test_what_is_not_a_parameter_is_refused():
    market = a_market()

    assert market.ada.get(f"{HERE}candles/?interval=2m").code == "bad_parameter"
    assert market.ada.get(f"{HERE}candles/?limit=501").code == "bad_parameter"
    assert market.ada.get(f"{HERE}candles/?cursor=1:x").code == "bad_cursor"
    assert market.ada.get("instruments/GHOST/candles/").status == 404
    copied_trades(market.instrument, 150)
    other = market.ada.get(f"{HERE}candles/?interval=1h&limit=1").json["next"]
    assert market.ada.get(f"{HERE}candles/?interval=1m&cursor={other}").code == "bad_cursor"


def test_flagged_trades_are_counted_and_out_of_the_average():
    market = a_market()
    for seller, buyer in ((market.ada, market.bob), (market.bob, market.ada)):
        seller.post("orders/", an_order(side="SELL", limit_price=200, quantity=100))
        buyer.post("orders/", an_order(limit_price=200, quantity=100))
    cleo = a_trader(market.instrument, "Cleo")
    cleo.post("orders/", an_order(side="SELL", limit_price=150, quantity=30))
    market.bob.post("orders/", an_order(limit_price=150, quantity=30))
    fold_all()
    scan_all()

    (candle,) = market.ada.get(f"{HERE}candles/?interval=1d").json["results"]
    day = market.ada.get(f"{HERE}statistics/").json

    assert {name: candle[name] for name in ("volume", "trades", "excluded", "average")} == {
        "volume": 230, "trades": 3, "excluded": 2, "average": 150,
    }  # fmt: skip
    assert (day["volume"], day["excluded"], day["average"], day["reference"]) == (230, 2, 150, None)
    assert "wallet" not in str(candle)


def test_the_reference_price_is_told_with_what_it_rests_on():
    market = a_market()
    copied_trades(market.instrument, 400)
    fold_all()
    stored = record_reference(market.instrument.id)

    said = market.ada.get(f"{HERE}statistics/").json["reference"]

    assert (said["price"], said["basis"], said["method"]) == (stored.price, "TRADES", 1)
    assert said["volume"] == stored.volume


def test_the_index_conversion_and_concentration_are_told():
    market = a_market()
    assert market.ada.get("index/").json == {"results": [], "next": None}
    assert market.ada.get("conversions/").json["results"][0]["implied"] is None
    copied_trades(market.instrument, 400)
    fold_all()
    publish_index(configured_sealer(), now=database_now())
    count_concentrations(now=database_now())

    days = market.ada.get("index/?limit=2").json
    more = market.ada.get(f"index/?limit=9&cursor={days['next']}").json
    pair = market.ada.get("conversions/").json["results"][0]
    (held,) = market.ada.get("concentrations/").json["results"]

    assert [day["day"] for day in days["results"] + more["results"]] == sorted(
        (day["day"] for day in days["results"] + more["results"]), reverse=True
    )
    h100 = next(each for each in days["results"][1]["classes"] if each["gpu_class"] == "H100")
    assert h100["basis"] == "TRADES"
    assert 24_000 <= h100["per_gpu_hour"] * 10 <= 260_000
    assert (pair["from"], pair["to"], pair["published"]) == ("A100", "H100", "3.1699")
    assert [each["ratio"] for each in pair["measured"]] == ["2.9300", "1.7225"]
    assert (held["asset"], held["owners"], held["hhi"], held["top_five"]) == ("H100-2026Q4", 2, 5000, 10_000)
