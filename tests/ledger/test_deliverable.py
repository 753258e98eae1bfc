"""Issue never exceeds capacity: the demand bound against two plain ways to the same answer."""

from datetime import UTC, datetime, timedelta

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from ledger.governance.deliverable import shortfall

DAY = datetime(2026, 11, 1, tzinfo=UTC)
HORIZON = 12

seconds = st.integers(0, HORIZON)
spans = st.tuples(seconds, seconds).filter(lambda span: span[0] < span[1])
some_series = st.lists(st.tuples(spans, st.integers(0, 30)), max_size=5)
some_gpus = st.lists(st.tuples(spans, st.integers(0, 4)), max_size=4)


def at(second: int) -> datetime:
    return DAY + timedelta(seconds=second)


def asked(series, gpus, now: int) -> int:
    return shortfall(
        [(at(start), at(end), amount) for (start, end), amount in series],
        [(at(start), at(end), count) for (start, end), count in gpus],
        at(now),
    )


def every_pair(series, gpus, now: int) -> int:
    """The rule as it is said, over every stretch of whole seconds."""
    missing = [0]
    for begin in range(now, HORIZON + 1):
        for end in range(begin + 1, HORIZON + 1):
            due = sum(amount for (start, expiry), amount in series if max(start, now) >= begin and now < expiry <= end)
            made = sum(count for second in range(begin, end) for (a, b), count in gpus if a <= second < b)
            missing.append(due - made)
    return max(missing)


def left_over(series, gpus, now: int) -> int:
    """What is not delivered when each second serves whoever expires first (which is as good as it gets)."""
    waiting = [[expiry, max(start, now), amount] for (start, expiry), amount in series if expiry > now]
    for second in range(now, HORIZON):
        capacity = sum(count for (start, end), count in gpus if start <= second < end)
        for demand in sorted(waiting):
            expiry, start, amount = demand
            if start <= second < expiry:
                demand[2] -= min(capacity, amount)
                capacity -= amount - demand[2]
    return sum(amount for _, _, amount in waiting)


@settings(max_examples=400, deadline=None)
@drawn(some_series, some_gpus, seconds)
def test_the_shortfall_is_that_of_the_worst_stretch_of_time(series, gpus, now):
    assert asked(series, gpus, now) == every_pair(series, gpus, now)


@settings(max_examples=400, deadline=None)
@drawn(some_series, some_gpus, seconds)
def test_nothing_is_short_exactly_when_everything_can_be_delivered(series, gpus, now):
    assert (asked(series, gpus, now) == 0) == (left_over(series, gpus, now) == 0)


def test_gpus_of_next_week_do_not_serve_tokens_that_expire_today():
    next_week = [((8, 12), 100)]

    assert asked([((0, 4), 10)], next_week, now=0) == 10
    assert asked([((0, 12), 10)], next_week, now=0) == 0


def test_two_series_share_what_is_attested_once():
    attested = [((0, 10), 2)]

    assert asked([((0, 10), 12), ((0, 10), 8)], attested, now=0) == 0
    assert asked([((0, 10), 12), ((0, 10), 9)], attested, now=0) == 1


def test_time_that_has_passed_delivers_nothing_and_an_expired_series_demands_nothing():
    attested = [((0, 10), 2)]

    assert asked([((0, 10), 20)], attested, now=4) == 8
    assert asked([((0, 4), 20)], attested, now=4) == 0


def test_a_part_of_a_second_is_rounded_down():
    almost_two_seconds = [(DAY, DAY + timedelta(seconds=2) - timedelta(microseconds=1), 1)]

    assert shortfall([(DAY, at(2), 1)], almost_two_seconds, DAY) == 0
    assert shortfall([(DAY, at(2), 2)], almost_two_seconds, DAY) == 1
