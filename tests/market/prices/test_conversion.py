"""Ratios of speed as published, beside ratios of price as the index says them."""

from fractions import Fraction

from market.prices.conversion import conversions
from market.prices.hardware import hardware
from tests.market.prices.test_index import computed, list_prices, sold

__all__ = ["list_prices"]


def pair(found, one: str, other: str):
    return next(each for each in found if (each.one.code, each.other.code) == (one, other))


def of(*rows):
    day = computed(*rows)
    return conversions({each.gpu_class: each for each in day.classes}, hardware())


def test_every_pair_of_classes_is_there_once():
    found = of()

    assert len(found) == 10
    assert len({frozenset((each.one.code, each.other.code)) for each in found}) == 10
    assert {each.implied for each in found} == {None}


def test_the_published_ratio_is_of_dense_bf16_and_the_implied_one_of_prices():
    found = pair(of(sold("A100-X", *[(191, 100)] * 3), sold("H100-X", *[(314, 100)] * 3)), "A100", "H100")

    assert found.published == Fraction(989, 312)
    assert found.implied == Fraction(314, 191)
    assert found.premium == Fraction(314 * 312, 191 * 989) - 1
    assert [float(each.ratio) for each in found.measured] == [2.93, 1.7225]
    assert found.days == ("2026-11-02",)


def test_on_real_prices_the_market_pays_less_than_the_published_speed(list_prices):
    """From 2023 to 2025 an H100-hour cost 1.4 to 2.5 A100-hours and did 3.17 of them by its data sheet."""
    implied = []
    for prices in list_prices.values():
        if {"A100", "H100"} <= prices.keys():
            rows = [sold(f"{gpu}-X", *[(round(price * 100), 100)] * n) for gpu, (price, n) in prices.items()]
            found = pair(of(*rows), "A100", "H100")
            exact = prices["H100"][0] / prices["A100"][0]
            assert abs(found.implied - exact) < Fraction(1, 50)
            assert -1 < found.premium < 0
            implied.append(float(found.implied))
    print(f"{len(implied)} months, implied from {min(implied):.2f} to {max(implied):.2f}")
    assert 1 < min(implied) < max(implied) < 3.17
