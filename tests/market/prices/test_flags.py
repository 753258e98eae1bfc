"""Flags on trades of the market: found once, resumable, out of prices until a person clears them."""

import pytest
from django.db import DatabaseError, transaction

from market.errors import FlagDecided, ReasonMissing
from market.models import Trade
from market.prices.candles import fold_all
from market.prices.flags import decide_flag, flag_own_with_own, scan_all, scan_trades, why
from market.prices.models import TradeFlag
from tests.ledger.builders import ruled, some_wallet, two_persons
from tests.market.builders import some_instrument, some_trader
from tests.market.prices.drawn import recomputed, stored, traded

pytestmark = pytest.mark.django_db(transaction=True)


def flags() -> list[tuple[int, str, str]]:
    return list(TradeFlag.objects.order_by("number", "id").values_list("number", "kind", "status"))


def looked_through() -> None:
    fold_all()
    scan_all()


def test_there_and_back_is_flagged_and_left_out_of_the_average():
    instrument = some_instrument()
    ada, ben, cleo = (some_trader(instrument, name) for name in ("Ada", "Ben", "Cleo"))
    traded(instrument, ada, cleo, 500, 240)
    traded(instrument, ada, ben, 100, 250)
    traded(instrument, ben, ada, 100, 250)

    looked_through()

    assert flags() == [(2, "ROUND_TRIP", "OPEN"), (3, "ROUND_TRIP", "OPEN")]
    (bar,) = stored(instrument, 86400)
    assert (bar.trades, bar.excluded, bar.volume, bar.average) == (3, 2, 700, 240)
    said = why(TradeFlag.objects.first())
    assert "1.00 → 1.00 GPU-h at 2.50 → 2.50 cr/GPU-h" in said
    assert "Ada" not in said
    assert str(ada.public_id) not in said


def test_owners_count_and_not_wallets():
    """There with one wallet, back with another of the same owner."""
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    second = some_trader(instrument, "Ada's second")
    ruled(second, owner=str(ada.public_id))
    traded(instrument, ada, ben, 100, 250)
    traded(instrument, ben, second, 100, 250)

    looked_through()

    assert [kind for _, kind, _ in flags()] == ["ROUND_TRIP", "ROUND_TRIP"]


def test_a_circle_of_three_is_flagged():
    instrument = some_instrument()
    ada, ben, cleo = (some_trader(instrument, name) for name in ("Ada", "Ben", "Cleo"))
    for seller, buyer in [(ada, ben), (ben, cleo), (cleo, ada)]:
        traded(instrument, seller, buyer, 100, 250)

    looked_through()

    assert flags() == [(1, "CIRCLE", "OPEN"), (2, "CIRCLE", "OPEN"), (3, "CIRCLE", "OPEN")]


def test_two_wallets_that_turn_out_to_be_one_owners_are_flagged_later():
    """While both are unknown to belong together the market lets them trade; said later, the trade is found."""
    instrument = some_instrument()
    ada, shell = some_trader(instrument, "Ada"), some_trader(instrument, "Shell")
    traded(instrument, ada, shell, 100, 250)
    looked_through()
    assert flags() == []

    ruled(shell, owner=str(ada.public_id))
    assert flag_own_with_own() == 1
    assert flag_own_with_own() == 0

    assert flags() == [(1, "SAME_OWNER", "OPEN")]
    assert [bar.excluded for bar in stored(instrument, 60)] == [1]


def test_looking_through_goes_on_where_it_was_and_finds_each_once():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    for number in range(6):
        seller, buyer = (ada, ben) if number % 2 else (ben, ada)
        traded(instrument, seller, buyer, 100 + 40 * (number // 2), 250)
    fold_all()

    rounds = 0
    while scan_trades(instrument.id, most=1):
        rounds += 1

    assert rounds == 6
    assert scan_trades(instrument.id) == 0
    assert [number for number, _, _ in flags()] == [1, 2, 3, 4, 5, 6]
    assert stored(instrument, 60) == recomputed(instrument, 60)


def test_a_decision_is_for_all_that_was_found_together_and_once():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    traded(instrument, ada, ben, 100, 250)
    traded(instrument, ben, ada, 100, 250)
    looked_through()
    first, second = TradeFlag.objects.order_by("number")
    person = two_persons()[0]

    with pytest.raises(ReasonMissing):
        decide_flag(flag_id=first.id, confirm=False, reason="  ", user_id=person)
    decided = decide_flag(flag_id=first.id, confirm=False, reason="a market maker", user_id=person)

    assert [each.id for each in decided] == [first.id, second.id]
    assert flags() == [(1, "ROUND_TRIP", "CLEARED"), (2, "ROUND_TRIP", "CLEARED")]
    assert stored(instrument, 60) == recomputed(instrument, 60)
    assert sum(bar.excluded for bar in stored(instrument, 60)) == 0
    with pytest.raises(FlagDecided):
        decide_flag(flag_id=second.id, confirm=True, reason="after all", user_id=person)
    looked_through()
    assert len(flags()) == 2


def test_confirmed_trades_stay_out_and_so_does_one_with_another_flag():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    for seller, buyer in [(ada, ben), (ben, ada), (ada, ben)]:
        traded(instrument, seller, buyer, 100, 250)
    looked_through()
    assert [number for number, _, _ in flags()] == [1, 2, 2, 3]
    person = two_persons()[0]

    decide_flag(flag_id=TradeFlag.objects.get(number=1).id, confirm=False, reason="known", user_id=person)

    assert stored(instrument, 60) == recomputed(instrument, 60)
    assert sum(bar.excluded for bar in stored(instrument, 60)) == 2
    decide_flag(flag_id=TradeFlag.objects.get(number=3).id, confirm=True, reason="seen it", user_id=person)
    assert sum(bar.excluded for bar in stored(instrument, 60)) == 2


def test_a_flag_is_never_deleted_and_its_trade_never_another():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    traded(instrument, ada, ben, 100, 250)
    traded(instrument, ben, ada, 100, 250)
    looked_through()

    with pytest.raises(DatabaseError), transaction.atomic():
        TradeFlag.objects.all().delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        TradeFlag.objects.update(number=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        Trade.objects.update(price=1)


def test_unrelated_wallets_with_owners_are_left_alone():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    ruled(some_wallet("Ada's second"), owner=str(ada.public_id))
    traded(instrument, ada, ben, 100, 250)
    fold_all()

    assert flag_own_with_own() == 0
