"""Concentration by beneficial owner, against the textbook's formulas and a history with known days."""

import random
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from ledger.clock import database_now
from ledger.models import Entry
from ledger.transfers import grant
from market.prices.concentration import IDLE_DAYS, count_concentrations, newest_concentrations, shares
from market.prices.models import Concentration
from tests.full import count
from tests.ledger.builders import given, ruled, some_series, some_wallet
from tests.market.prices.aging import made_older

db = pytest.mark.django_db(transaction=True)


def textbook_gini(values: list[int]) -> Fraction:
    """Half the mean absolute difference over the mean."""
    apart = sum(abs(one - other) for one in values for other in values)
    return Fraction(apart, 2 * len(values) * sum(values))


def test_known_distributions():
    assert (shares([100]).hhi, shares([100]).gini, shares([100]).top_five) == (10_000, 0, 10_000)
    assert (shares([5] * 10).hhi, shares([5] * 10).gini, shares([5] * 10).top_five) == (1_000, 0, 5_000)
    assert (shares([30, 70]).hhi, shares([30, 70]).gini) == (5_800, 2_000)
    assert shares([]).owners == 0


def test_random_distributions_agree_with_the_textbook():
    chance, rounds = random.Random(11), count(500)
    for _ in range(rounds):
        values = [chance.randint(1, 10**12) for _ in range(chance.randint(1, 40))]
        found, total = shares(values), sum(values)
        assert abs(found.hhi - 10_000 * sum(Fraction(each, total) ** 2 for each in values)) <= Fraction(1, 2)
        assert abs(found.gini - 10_000 * textbook_gini(values)) <= Fraction(1, 2)
        assert abs(found.top_five - 10_000 * Fraction(sum(sorted(values)[-5:]), total)) <= Fraction(1, 2)
    print(f"{rounds} random distributions agree")


@db
def test_wallets_of_one_owner_count_as_one_and_the_system_not_at_all():
    series, ada, ben = some_series(), some_wallet("Ada"), some_wallet("Ben")
    second = some_wallet("Ada's second")
    ruled(second, owner=str(ada.public_id))
    for wallet, amount in ((ada, 3600), (second, 3600), (ben, 7200)):
        given(wallet, series, amount)

    assert count_concentrations(now=database_now()) == 1

    found = Concentration.objects.get()
    assert (found.owners, found.held, found.hhi, found.gini, found.top_five) == (2, 14_400, 5_000, 0, 10_000)
    assert (found.idle, found.idle_days) == (0, 30)


@db
def test_idle_is_what_neither_moved_nor_was_redeemed_for_thirty_days():
    series, ada, ben, cleo = some_series(), some_wallet("Ada"), some_wallet("Ben"), some_wallet("Cleo")
    given(ada, series, 1000)
    given(ben, series, 500)
    made_older("ledger_entry", "recorded_at", seconds=(IDLE_DAYS + 1) * 86400)
    now = database_now()
    grant(
        asset_id=series.id, from_wallet_id=ada.id, to_wallet_id=cleo.id, amount=300, now=now, scope="test", key="move"
    )
    given(ada, series, 250)

    count_concentrations(now=now)

    # Ada's 700 that stayed and Ben's 500; not what Cleo and Ada have got since.
    found = Concentration.objects.get()
    assert (found.held, found.idle) == (1750, 1200)


@db
def test_figures_are_counted_again_after_an_hour_and_kept_by_the_day(django_assert_num_queries):
    series = some_series()
    given(some_wallet(), series, 3600)
    now = database_now().replace(hour=12)
    assert count_concentrations(now=now) == 1
    assert count_concentrations(now=now + timedelta(minutes=59)) == 0
    given(some_wallet("Ben"), series, 3600)
    assert count_concentrations(now=now + timedelta(hours=2)) == 1
    assert count_concentrations(now=now + timedelta(hours=26)) == 1

    assert [row.owners for row in Concentration.objects.order_by("day")] == [2, 2]
    with django_assert_num_queries(1):
        (newest,) = newest_concentrations(now=now)
    assert newest.day == (now + timedelta(hours=26)).astimezone(UTC).date()


@db
def test_an_expired_series_is_not_counted():
    series = some_series(expires_at=datetime(2099, 1, 1, tzinfo=UTC))
    given(some_wallet(), series, 3600)

    assert count_concentrations(now=datetime(2099, 1, 1, tzinfo=UTC)) == 0
    assert Entry.objects.exists()
