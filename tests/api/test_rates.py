"""How often a key may ask: processes take their requests from one count, a share at a time."""

import itertools
import json
import time
from collections import Counter

import pytest
from django.test import Client

from portal.api.throttling import Shares
from tests.full import count
from tests.ledger.races import at_once

# Minutes that no other test counts in, nor an earlier run on the same cache.
_minutes = itertools.count(time.time_ns())
_addresses = itertools.count(1)


@pytest.mark.parametrize("limit", [0, 1, 7, 60, 1200])
def test_one_process_lets_through_as_many_as_the_limit_says(limit):
    shares, minute = Shares(), next(_minutes)

    passed = [shares.allow("key", limit, minute) for _ in range(limit + 70)]

    assert passed == [True] * limit + [False] * 70


def test_two_processes_together_let_through_no_more_and_keep_at_most_a_share_each():
    minute, limit = next(_minutes), 1200
    processes = [Shares(), Shares()]

    first = sum(processes[0].allow("key", limit, minute) for _ in range(30))
    others = sum(processes[1].allow("key", limit, minute) for _ in range(2 * limit))
    rest = sum(processes[0].allow("key", limit, minute) for _ in range(2 * limit))

    assert first == 30
    assert limit - 24 <= first + others < limit
    assert first + others + rest == limit


def test_threads_at_once_let_through_exactly_the_limit():
    for _round in range(count(50)):
        shares, minute, limit = Shares(), next(_minutes), 500

        def ask(_: int, shares: Shares = shares, minute: int = minute, limit: int = limit) -> str:
            return str(sum(shares.allow("key", limit, minute) for _ in range(100)))

        passed = at_once(ask, list(range(16)))

        assert sum(int(each) for each in passed) == limit


def test_what_is_left_of_a_minute_ends_with_it_and_keys_do_not_share():
    shares, limit = Shares(), 100
    minute = next(_minutes)

    passed: Counter[tuple[str, int]] = Counter()
    for name, when in [("a", minute), ("b", minute), ("a", minute), ("a", next(_minutes))]:
        passed[name, when] += sum(shares.allow(name, limit, when) for _ in range(60))

    assert list(passed.values()) == [100, 60, 60]


@pytest.mark.django_db(transaction=True)
def test_saying_another_address_each_time_gets_nobody_past_the_limit_of_logins(settings):
    settings.API_RATES = settings.API_RATES | {"device": 3}
    body = json.dumps({"name": "x", "scopes": ["read"]})

    def statuses(**more):
        return [
            Client(REMOTE_ADDR=f"192.0.2.{next(_addresses)}" if more.get("each") else "192.0.2.250")
            .post(
                "/api/v1/device/", body, content_type="application/json",
                headers={"X-Forwarded-For": more.get("said", "198.51.100.%d") % number},
            )
            .status_code
            for number in range(8)
        ]  # fmt: skip

    # A minute may end in between, and then twice as many pass.
    assert statuses().count(201) <= 6
    assert statuses(each=True).count(201) == 8
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    assert statuses(each=True, said="198.51.100.%d, 203.0.113.9").count(201) <= 6
