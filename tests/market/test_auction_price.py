"""The price of a call auction: the examples of exchanges, and every random book against the plainest definition."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.auctions.pricing import Indication, Interest, indicate
from tests.full import count
from tests.market.naive_auction import naive_auction

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "order-book-scenarios"
FILES = ("auction_bnb.json", "auction_tables.json", "auction_xetra.json", "euronext_auction.json")


def reason_to_skip(scenario: dict) -> str:
    if "band_pct" in scenario:
        return "bounds market pressure by a percentage of the reference, which ours does not"
    return ""


def scenarios() -> list:
    if not FOLDER.is_dir():
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason="the scenarios are not beside this"))]
    found = []
    for name in FILES:
        for scenario in json.loads((FOLDER / name).read_text()):
            reason = reason_to_skip(scenario)
            marks = [pytest.mark.skip(reason=reason)] if reason else []
            found.append(pytest.param(scenario, id=f"{name}: {scenario['name']}", marks=marks))
    return found


@pytest.mark.parametrize("scenario", scenarios())
def test_the_price_of_another_exchanges_example(scenario):
    interests = [Interest(each["side"], each["price"], each["quantity"]) for each in scenario["orders"]]

    found = indicate(
        interests, scenario["reference_price"], tick=scenario["tick"], ends=scenario.get("price_bounds", ())
    )

    expect = scenario["expect"]
    assert found == Indication(expect["price"], expect["volume"], expect["surplus"])


prices = st.integers(1, 25)
interests = st.tuples(st.sampled_from(["BUY", "SELL"]), st.one_of(prices, st.none()), st.integers(1, 9), st.booleans())


@settings(max_examples=count(20_000), deadline=None)
@given(
    orders=st.lists(interests, max_size=14),
    reference=st.one_of(st.none(), prices),
    ends=st.lists(prices, max_size=2),
)
def test_the_price_is_that_of_the_plainest_definition(orders, reference, ends):
    found = indicate([Interest(*order) for order in orders], reference, ends=ends)

    assert (found.price, found.volume, found.surplus) == naive_auction(orders, reference, ends=ends)


def test_where_all_prices_do_the_nearest_to_the_reference_is_taken_or_the_middle():
    book = [Interest("BUY", 103, 5), Interest("SELL", 98, 5)]

    assert indicate(book, 100).price == 100
    assert indicate(book, 110).price == 103
    assert indicate(book, 90).price == 98
    assert indicate(book, None).price == 101  # 100.5: the higher of two that are equally near


def test_a_book_of_market_orders_alone_has_a_price_only_by_the_reference():
    book = [Interest("BUY", 120, 5, at_market=True), Interest("SELL", 80, 3, at_market=True)]

    assert indicate(book, None) == Indication()
    assert indicate(book, 100) == Indication(100, 3, 2)
    assert indicate(book, 130) == Indication()
