"""Many workers at once, decisions in between, and workers that die: candles stay what trades and flags say."""

import contextlib
import random
import threading
from collections import Counter

import pytest
from django.db import DatabaseError, connection, connections

from ledger.clock import database_now
from market.errors import FlagDecided
from market.models import Instrument
from market.prices import candles, flags
from market.prices.candles import INTERVALS, fold_trades
from market.prices.flags import decide_flag, scan_trades
from market.prices.models import PriceProgress, TradeFlag
from market.prices.reference import record_reference, reproduced
from tests.full import count
from tests.ledger.builders import two_persons
from tests.market.builders import some_instrument, some_trader
from tests.market.prices.drawn import recomputed, stored, traded
from tests.market.prices.test_reference import flagged, trades

pytestmark = pytest.mark.django_db(transaction=True)


def busy_trades(instrument: Instrument, rounds: int, *, seed: int = 3) -> None:
    """Four people who trade back and forth, so that there is much to flag."""
    chance = random.Random(seed)
    people = [some_trader(instrument, name) for name in ("Ada", "Ben", "Cleo", "Dan")]
    for _ in range(rounds):
        seller, buyer = chance.sample(people, 2)
        traded(instrument, seller, buyer, chance.choice([100, 150]), chance.choice([250, 251]))


def assert_all_agree(instrument: Instrument) -> None:
    for name, seconds in INTERVALS.items():
        assert stored(instrument, seconds) == recomputed(instrument, seconds), name


def in_threads(*acts, each: int = 2) -> Counter[str]:
    said: Counter[str] = Counter()

    def run(act) -> None:
        try:
            act()
            said["done"] += 1
        except (FlagDecided, DatabaseError) as error:
            said[type(error).__name__] += 1
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts for _ in range(each)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def test_workers_at_once_count_every_trade_once():
    instrument, person = some_instrument(), two_persons()[0]
    busy_trades(instrument, count(600))
    fold_trades(instrument.id, most=count(300))
    scan_trades(instrument.id)

    def fold() -> None:
        while fold_trades(instrument.id, most=7):
            pass

    def scan() -> None:
        for _ in range(20):
            scan_trades(instrument.id, most=5)

    def decide() -> None:
        chance = random.Random(4)
        for _ in range(20):
            one = TradeFlag.objects.filter(status="OPEN").order_by("?").first()
            if one is not None:
                with contextlib.suppress(FlagDecided):
                    decide_flag(flag_id=one.id, confirm=chance.random() < 0.5, reason="x", user_id=person)

    said = in_threads(fold, scan, decide, each=3)
    fold()
    while scan_trades(instrument.id):
        pass

    assert said == {"done": 9}
    assert_all_agree(instrument)
    statuses = Counter(TradeFlag.objects.values_list("status", flat=True))
    print(f"{instrument.price_progress.folded_trade} trades, flags {dict(statuses)}")
    assert {"CLEARED", "CONFIRMED"} <= set(statuses)


def test_one_decision_wins_of_many_at_once():
    instrument, person = some_instrument(), two_persons()[0]
    busy_trades(instrument, 30)
    candles.fold_all()
    flags.scan_all()
    one = TradeFlag.objects.earliest("id")

    said = in_threads(
        *(lambda says=says: decide_flag(flag_id=one.id, confirm=says, reason="x", user_id=person) for says in (0, 1)),
        each=4,
    )

    assert said == {"done": 1, "FlagDecided": 7}
    assert_all_agree(instrument)


def test_a_worker_that_dies_anywhere_leaves_nothing_half_done():
    """Each statement of a fold and of a scan in turn is the last: whatever it was, the next worker does it all."""
    instrument = some_instrument()
    busy_trades(instrument, 24)
    points = 0
    for act in (lambda: fold_trades(instrument.id, most=12), lambda: scan_trades(instrument.id, most=12)):
        for last in range(1, 40):
            before = PriceProgress.objects.filter(instrument=instrument).values_list().first()
            seen = Counter()

            def dying(execute, sql, params, many, context, *, last=last, seen=seen):
                seen["statements"] += 1
                if seen["statements"] == last:
                    raise DatabaseError("killed here")
                return execute(sql, params, many, context)

            try:
                with connection.execute_wrapper(dying):
                    act()
            except DatabaseError:
                points += 1
                assert PriceProgress.objects.filter(instrument=instrument).values_list().first() == before
                assert_all_agree_with_progress(instrument)
            else:
                break
    candles.fold_all()
    flags.scan_all()
    print(f"{points} points")
    assert points >= 8
    assert_all_agree(instrument)


def assert_all_agree_with_progress(instrument: Instrument) -> None:
    """Candles hold exactly the folded trades."""
    progress = PriceProgress.objects.filter(instrument=instrument).first()
    assert sum(bar.trades for bar in stored(instrument, 86400)) == (progress.folded_trade if progress else 0)
    flagged = TradeFlag.objects.filter(instrument=instrument).exclude(status="CLEARED")
    excluded = len(set(flagged.values_list("number", flat=True)))
    assert sum(bar.excluded for bar in stored(instrument, 86400)) == excluded


def test_every_stored_reference_price_is_computed_again_after_a_random_life():
    """Trades come, are flagged, cleared and confirmed; whatever came later, each stored price is what it was."""
    chance, person, instrument = random.Random(9), two_persons()[0], some_instrument()
    for _ in range(count(200)):
        now = database_now()
        ages = sorted((chance.uniform(0, 200) for _ in range(3)), reverse=True)
        trades(instrument, *[(age, chance.randint(240, 260), chance.randint(10, 90)) for age in ages], at=now)
        candles.fold_all()
        flagged(instrument, chance.randint(1, instrument.last_trade))
        one = TradeFlag.objects.filter(status="OPEN").order_by("?").first()
        if one is not None and chance.random() < 0.6:
            decide_flag(flag_id=one.id, confirm=chance.random() < 0.5, reason="x", user_id=person)
        record_reference(instrument.id)

    rows = list(instrument.reference_prices.order_by("id"))
    for row in rows:
        again = reproduced(row)
        assert (again.price, again.basis) == (row.price, row.basis)
        assert (again.window.volume, again.window.excluded) == (row.volume, row.excluded)
    print(f"{len(rows)} stored prices computed again")
    assert len(rows) > count(200) / 4
