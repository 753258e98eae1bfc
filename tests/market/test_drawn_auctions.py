"""Call auctions of the kinds that the textbooks have, drawn (tests.market.drawn says how)."""

import pytest

from tests.market.drawn import Scene

AUCTIONS = {
    "the price at which most is traded, and of two with five sellers left over the lower": """
        rules reference 100
        auction
        a: buy 10 @ 104
        b: buy 20 @ 102
        c: buy 30 @ 100
        d: sell 15 @ 99
        e: sell 20 @ 101
        f: sell 40 @ 103
        uncross -> a 10 @ 101 of d, b 5 @ 101 of d, b 15 @ 101 of e, continuous
        book 100x30 | 101x5 103x40
    """,
    "of two with as much the one that leaves less over": """
        rules reference 90
        auction
        a: buy 10 @ 101
        b: buy 5 @ 100
        c: sell 10 @ 99
        uncross -> a 10 @ 101 of c, continuous
        book 100x5 |
    """,
    "buyers left over at all of them: the highest": """
        rules reference 90
        auction
        a: buy 12 @ 105
        b: sell 10 @ 95
        uncross -> a 10 @ 105 of b, continuous
    """,
    "sellers left over at all of them: the lowest": """
        rules reference 110
        auction
        a: buy 10 @ 105
        b: sell 12 @ 95
        uncross -> a 10 @ 95 of b, continuous
    """,
    "nobody left over: the nearest to the reference": """
        rules reference 103
        auction
        a: buy 10 @ 105
        b: sell 10 @ 95
        uncross -> a 10 @ 103 of b, continuous
    """,
    "the reference is below all of them": """
        rules reference 80
        auction
        a: buy 10 @ 105
        b: sell 10 @ 95
        uncross -> a 10 @ 95 of b, continuous
    """,
    "without any reference the middle, and of two the higher": """
        auction
        a: buy 10 @ 104
        b: sell 10 @ 95
        uncross -> a 10 @ 100 of b, continuous
    """,
    "buyers left over below, sellers above: the reference decides": """
        rules reference 99
        auction
        a: buy 10 @ 102
        b: buy 5 @ 99
        c: sell 10 @ 98
        d: sell 5 @ 101
        uncross -> a 10 @ 100 of c, continuous
        book 99x5 | 101x5
    """,
    "at the margin who came first": """
        rules reference 100
        auction
        a: buy 6 @ 100
        b: buy 6 @ 100
        c: buy 6 @ 101
        d: sell 10 @ 100
        uncross -> c 6 @ 100 of d, a 4 @ 100 of d, continuous
        book 100x8 |
    """,
    "nothing meets": """
        rules reference 100
        auction
        a: buy 5 @ 99
        b: sell 5 @ 101
        uncross -> continuous
        book 99x5 | 101x5
    """,
    "one side alone": """
        rules reference 100
        auction
        a: buy 5 @ 99
        b: buy 5 @ 101 market
        uncross -> continuous
        book 99x5 |
    """,
    "nobody at all": """
        auction
        uncross -> continuous
        book |
    """,
    "market orders alone trade at the reference": """
        rules reference 100
        auction
        a: buy 7 @ 120 market
        b: sell 4 @ 80 market
        uncross -> a 4 @ 100 of b, continuous
        book |
    """,
    "a market order stands where its protection puts it": """
        rules reference 100
        auction
        a: buy 5 @ 103
        b: buy 5 @ 102 market
        c: buy 5 @ 101
        d: sell 8 @ 100
        uncross -> a 5 @ 102 of d, b 3 @ 102 of d, continuous
        book 101x5 |
    """,
    "what is left of the auction trades on": """
        rules reference 100
        auction
        a: buy 10 @ 102
        b: sell 4 @ 98
        uncross -> a 4 @ 102 of b, continuous
        c: sell 8 @ 101 -> a 6 @ 102, open
        book | 101x2
    """,
    "amended and cancelled while it collects": """
        rules reference 100
        auction
        a: buy 10 @ 102
        b: buy 5 @ 102
        c: sell 10 @ 98
        amend a 4 -> open
        amend b @ 103 -> open
        d: sell 3 @ 90
        cancel d -> cancelled cancelled
        e: buy 1 @ 102
        uncross -> b 5 @ 100 of c, a 4 @ 100 of c, e 1 @ 100 of c, continuous
        book |
    """,
    "a book that crossed before a halt is uncrossed at one price": """
        rules static 500 reference 1000
        a: sell 5 @ 1060
        b: buy 3 @ 1060 -> open
        halt
        c: buy 5 @ 1060 -> rejected instrument_halted
        auction
        uncross -> b 3 @ 1060 of a, continuous
        book | 1060x2
    """,
    "the last trade and not the first reference is what the next one is near": """
        rules reference 90
        a: sell 1 @ 104
        b: buy 1 @ 104 -> a 1 @ 104, filled
        auction
        c: buy 5 @ 110
        d: sell 5 @ 95
        uncross -> c 5 @ 104 of d, continuous
    """,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scene", AUCTIONS.items(), ids=lambda item: item[0])
def test_a_drawn_auction(scene):
    Scene().play(scene[1])
