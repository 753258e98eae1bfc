"""Continuous trading of the kinds that other engines' authors have, drawn (tests.market.drawn says how)."""

import pytest

from tests.market.drawn import Scene

CONTINUOUS = {
    "who came first is served first, and the rest of the second stays": """
        a: sell 5 @ 101
        b: sell 5 @ 101
        c: buy 7 @ 101 -> a 5 @ 101, b 2 @ 101, filled
        book | 101x3
    """,
    "three levels are swept and what is left becomes the best bid": """
        a: sell 2 @ 103
        b: sell 3 @ 101
        c: sell 4 @ 102
        d: buy 10 @ 103 -> b 3 @ 101, c 4 @ 102, a 2 @ 103, open
        book 103x1 |
        e: sell 1 @ 90 -> d 1 @ 103, filled
        book |
    """,
    "a seller takes the best bids first and gets their prices": """
        a: buy 4 @ 95
        b: buy 4 @ 99
        c: buy 4 @ 97
        d: sell 9 @ 96 -> b 4 @ 99, c 4 @ 97, open
        book 95x4 | 96x1
    """,
    "immediate or cancel stops at its limit": """
        a: sell 3 @ 100
        b: sell 3 @ 101
        c: sell 3 @ 102
        d: buy 9 @ 101 ioc -> a 3 @ 100, b 3 @ 101, cancelled immediate_or_cancel
        book | 102x3
    """,
    "immediate or cancel on the other side alone": """
        a: buy 5 @ 100
        b: buy 5 @ 101 ioc -> cancelled immediate_or_cancel
        book 100x5 |
    """,
    "fill or kill: one short is nothing, exactly is all": """
        a: sell 1 @ 100
        b: sell 2 @ 100
        c: sell 3 @ 101
        d: buy 7 @ 101 fok -> cancelled fill_or_kill
        e: buy 6 @ 100 fok -> cancelled fill_or_kill
        book | 100x3 101x3
        f: buy 6 @ 101 fok -> a 1 @ 100, b 2 @ 100, c 3 @ 101, filled
        book |
    """,
    "fill or kill of a seller, within one order": """
        a: buy 10 @ 100
        b: sell 4 @ 99 fok -> a 4 @ 100, filled
        c: sell 7 @ 99 fok -> cancelled fill_or_kill
        book 100x6 |
    """,
    "when the first is cancelled the next is first": """
        a: buy 5 @ 100
        b: buy 5 @ 100
        c: buy 5 @ 100
        cancel a -> cancelled cancelled
        d: sell 6 @ 100 -> b 5 @ 100, c 1 @ 100, filled
        book 100x4 |
    """,
    "what was filled of a cancelled order stays filled, and twice is too late": """
        a: buy 10 @ 100
        b: sell 4 @ 100 -> a 4 @ 100, filled
        cancel a -> cancelled cancelled
        cancel a -> order_not_open
        cancel b -> order_not_open
        amend a 20 -> order_not_open
        book |
    """,
    "less keeps its place, more goes to the end": """
        a: sell 9 @ 100
        b: sell 5 @ 100
        amend a 4 -> open
        c: buy 5 @ 100 -> a 4 @ 100, b 1 @ 100, filled
        amend b 6 -> open
        d: sell 2 @ 100
        amend b 7 -> open
        e: buy 3 @ 100 -> d 2 @ 100, b 1 @ 100, filled
        book | 100x5
    """,
    "away and back again is last in line": """
        a: buy 5 @ 100
        b: buy 5 @ 100
        amend a @ 99 -> open
        amend a @ 100 -> open
        c: sell 5 @ 100 -> b 5 @ 100, filled
        book 100x5 |
    """,
    "moved across the spread it trades at the others' prices, and rests at its own": """
        a: buy 10 @ 98
        b: sell 3 @ 100
        c: sell 3 @ 101
        d: sell 3 @ 103
        amend a @ 102 -> b 3 @ 100, c 3 @ 101, open
        book 102x4 | 103x3
        e: sell 9 @ 98 -> a 4 @ 102, open
        book | 98x5 103x3
    """,
    "a partly filled order that is moved keeps what it has": """
        a: sell 10 @ 105
        b: buy 4 @ 105 -> a 4 @ 105, filled
        c: buy 3 @ 101
        amend a 12 @ 101 -> c 3 @ 101, open
        book | 101x5
        amend a 7 -> cancelled amended
        book |
    """,
    "to what is filled, or below it, closes it": """
        a: sell 10 @ 100
        b: buy 6 @ 100 -> a 6 @ 100, filled
        amend a 6 -> cancelled amended
        c: sell 10 @ 100
        d: buy 6 @ 100 -> c 6 @ 100, filled
        amend c 1 -> cancelled amended
        e: sell 10 @ 100
        amend e 0 -> cancelled amended
        book |
    """,
    "more and dearer in one": """
        a: buy 5 @ 100
        b: buy 5 @ 99
        amend b 8 @ 101 -> open
        book 101x8 100x5 |
        c: sell 10 @ 100 -> b 8 @ 101, a 2 @ 100, filled
    """,
    "a market order takes what its protection lets it and leaves nothing behind": """
        a: sell 5 @ 100
        b: sell 5 @ 106
        c: buy 8 @ 105 market -> a 5 @ 100, cancelled immediate_or_cancel
        d: buy 8 @ 106 market -> b 5 @ 106, cancelled immediate_or_cancel
        e: buy 8 @ 106 market -> cancelled immediate_or_cancel
        book |
    """,
    "a market order that is fill or kill": """
        a: buy 5 @ 100
        b: buy 5 @ 90
        c: sell 8 @ 95 market fok -> cancelled fill_or_kill
        d: sell 8 @ 90 market fok -> a 5 @ 100, b 3 @ 90, filled
        book 90x2 |
    """,
    "post-only: rejected while it would trade, taken when it would not": """
        a: sell 5 @ 100
        b: buy 5 @ 100 post -> rejected would_trade
        c: buy 5 @ 99 post -> open
        cancel a -> cancelled cancelled
        d: buy 5 @ 100 post -> open
        e: sell 5 @ 99 post -> rejected would_trade
        book 100x5 99x5 |
    """,
    "a post-only order is a maker like any other": """
        a: buy 5 @ 99 post
        b: buy 5 @ 99
        c: sell 6 @ 99 -> a 5 @ 99, b 1 @ 99, filled
        amend b @ 100 -> open
        amend b @ 98 -> open
    """,
    "a level that was emptied begins anew": """
        a: sell 5 @ 100
        b: buy 5 @ 100 -> a 5 @ 100, filled
        c: sell 5 @ 100
        d: sell 5 @ 100
        e: buy 5 @ 100 -> c 5 @ 100, filled
        book | 100x5
    """,
    "quantities beyond 32 bits": """
        a: sell 50000000000 @ 100
        b: sell 50000000000 @ 101
        c: buy 70000000000 @ 101 -> a 50000000000 @ 100, b 20000000000 @ 101, filled
        book | 101x30000000000
    """,
    "many small ones for one large": """
        a: buy 1 @ 100
        b: buy 2 @ 100
        c: buy 3 @ 100
        d: buy 4 @ 100
        e: sell 8 @ 100 -> a 1 @ 100, b 2 @ 100, c 3 @ 100, d 2 @ 100, filled
        book 100x2 |
    """,
    "bids and asks that do not meet change nothing of each other": """
        a: buy 3 @ 99
        b: sell 3 @ 100
        c: buy 2 @ 98
        d: sell 2 @ 101
        book 99x3 98x2 | 100x3 101x2
        cancel c
        cancel b
        book 99x3 | 101x2
    """,
    "in the middle of a sweep it meets itself: the newest is cancelled with what it has": """
        a: sell 3 @ 100
        b: sell 3 @ 101 by Ada
        c: sell 3 @ 102
        d: buy 9 @ 102 newest by Ada -> a 3 @ 100, cancelled self_trade
        book | 101x3 102x3
    """,
    "the oldest gives way and the sweep goes on": """
        a: sell 3 @ 100
        b: sell 3 @ 101 by Ada
        c: sell 3 @ 102
        d: buy 9 @ 102 oldest by Ada -> a 3 @ 100, c 3 @ 102, open
        book 102x3 |
    """,
    "both give way": """
        a: sell 3 @ 100
        b: sell 3 @ 101 by Ada
        c: sell 3 @ 102
        d: buy 9 @ 102 both by Ada -> a 3 @ 100, cancelled self_trade
        book | 102x3
    """,
    "each is less by the other": """
        a: sell 3 @ 100
        b: sell 3 @ 101 by Ada
        c: sell 3 @ 102
        d: buy 8 @ 102 decrement by Ada -> a 3 @ 100, c 2 @ 102, filled
        book | 102x1
        e: sell 5 @ 110 by Ada
        f: buy 2 @ 110 decrement by Ada -> c 1 @ 102, cancelled self_trade
        book | 110x4
    """,
    "halted: nothing is taken, everything can go, and it comes back by an auction": """
        a: buy 5 @ 100
        b: sell 5 @ 101
        halt
        c: buy 5 @ 101 -> rejected instrument_halted
        cancel a -> cancelled cancelled
        auction
        d: buy 5 @ 102 -> open
        uncross -> d 5 @ 102 of b, continuous
        book |
    """,
    "to the edge, the rest in the auction, and then the next band": """
        rules static 1000 reference 1000
        a: sell 5 @ 1100
        b: sell 5 @ 1101
        c: buy 8 @ 1101 -> a 5 @ 1100, open, auction
        d: buy 4 @ 1101 ioc -> rejected not_in_auction
        uncross -> c 3 @ 1101 of b, continuous
        book | 1101x2
        e: sell 1 @ 1211
        f: buy 3 @ 1211 -> b 2 @ 1101, e 1 @ 1211, filled
        g: sell 1 @ 1212
        h: buy 1 @ 1212 ioc -> cancelled outside_band
    """,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scene", CONTINUOUS.items(), ids=lambda item: item[0])
def test_a_drawn_scenario(scene):
    Scene().play(scene[1])
