"""The patterns by themselves: what is one, and what only looks like it."""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from market.prices.wash import find
from tests.full import count
from tests.market.prices.drawn import drawn_trades


def found(text: str, after: int = 0) -> list[tuple[str, tuple[int, ...]]]:
    return [(finding.kind, finding.trades) for finding in find(drawn_trades(text), after=after)]


def test_one_owner_on_both_sides_is_flagged():
    assert found("0:00 A>A 100 @ 250") == [("SAME_OWNER", (1,))]


def test_there_and_back_of_about_the_same_size_and_price_is_flagged():
    assert found("""
        0:00 A>B 100 @ 250
        4:00 B>A  98 @ 251
    """) == [("ROUND_TRIP", (1, 2))]


def test_another_size_price_or_time_is_trading():
    assert found("0:00 A>B 100 @ 250\n 4:00 B>A 90 @ 250") == []
    assert found("0:00 A>B 100 @ 250\n 4:00 B>A 100 @ 260") == []
    assert found("0:00 A>B 100 @ 250\n 10:01 B>A 100 @ 250") == []
    assert found("0:00 A>B 100 @ 250\n 4:00 A>B 100 @ 250") == []


def test_the_edges_belong_to_the_pattern():
    assert found("0:00 A>B 100 @ 10000\n 10:00 B>A 95 @ 9950") == [("ROUND_TRIP", (1, 2))]
    assert found("0:00 A>B 100 @ 10000\n 10:00 B>A 94 @ 9950") == []
    assert found("0:00 A>B 100 @ 10000\n 10:00 B>A 95 @ 9949") == []


def test_what_comes_back_in_pieces_is_put_together():
    assert found("""
        0:00 A>B 100 @ 250
        1:00 B>A  30 @ 250
        1:30 B>A  70 @ 250
    """) == [("ROUND_TRIP", (1, 2, 3))]
    assert found("""
        0:00 A>B  40 @ 250
        0:10 A>B  60 @ 250
        3:00 B>A 100 @ 250
    """) == [("ROUND_TRIP", (1, 2, 3))]


def test_what_was_traded_with_others_in_between_hides_nothing():
    assert found("""
        0:00 A>B 100 @ 250
        1:00 C>A  70 @ 251
        1:10 B>D  10 @ 250
        2:00 B>A 100 @ 250
    """) == [("ROUND_TRIP", (1, 4))]


def test_a_small_and_busy_market_is_not_flagged_by_chance():
    """Twelve owners, a trade every two seconds, of any size: most of it is trading."""
    chance = random.Random(5)
    lines = []
    for second in range(0, 7200, 2):
        seller, buyer = chance.sample("ABCDEFGHIJKL", 2)
        lines.append(
            f"{second // 60}:{second % 60} {seller}>{buyer} {chance.randint(50, 5000)} @ {chance.randint(245, 255)}"
        )
    numbers = {number for finding in find(drawn_trades("\n".join(lines)), after=0) for number in finding.trades}

    print(f"{len(numbers)} of {len(lines)} random trades flagged")
    assert len(numbers) < len(lines) / 10


def test_a_circle_of_three_is_flagged_in_any_order():
    assert found("""
        0:00 A>B 100 @ 250
        1:00 B>C 100 @ 250
        2:00 C>A 100 @ 250
    """) == [("CIRCLE", (1, 2, 3))]
    assert found("""
        0:00 B>C 100 @ 250
        1:00 A>B 100 @ 250
        2:00 C>A 100 @ 250
    """) == [("CIRCLE", (1, 2, 3))]


def test_a_chain_is_no_circle():
    assert (
        found("""
        0:00 A>B 100 @ 250
        1:00 B>C 100 @ 250
        2:00 C>D 100 @ 250
    """)
        == []
    )
    assert (
        found("""
        0:00 A>B 100 @ 250
        1:00 B>C 100 @ 250
        2:00 C>A  10 @ 250
    """)
        == []
    )


def test_the_facts_say_how_much_went_round_in_which_time():
    finding = find(drawn_trades("0:00 A>B 100 @ 250\n 4:00 B>A 98 @ 251"), after=0)[0]

    assert finding.facts == {"seconds": 240, "quantities": [100, 98], "values": [25_000, 24_598]}


def random_trades(seed: int) -> str:
    chance = random.Random(seed)
    lines, second = [], 0
    for _ in range(60):
        second += chance.randint(0, 120)
        sides = f"{chance.choice('ABCD')}>{chance.choice('ABCD')}"
        lines.append(
            f"{second // 60}:{second % 60} {sides} {chance.choice([50, 98, 100])} @ {chance.choice([250, 251])}"
        )
    return "\n".join(lines)


@settings(max_examples=count(300), deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_in_rounds_the_same_is_found_as_at_once(seed, cuts):
    trades = drawn_trades(random_trades(seed))
    whole = find(trades, after=0)

    edges = [0, *sorted(cuts), 60]
    rounds = [
        finding
        for start, end in pairwise(edges)
        if end > start
        for finding in find([trade for trade in trades if trade.number <= end], after=start)
    ]

    assert rounds == whole
