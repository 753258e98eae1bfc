"""What is kept of an account's life saves reading it again, and is never needed."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger.models import Account
from market.fills import Life, lives_of
from portal.trading import lives as keeping
from tests.market.builders import placed, some_instrument, some_trader

pytestmark = pytest.mark.django_db


@pytest.fixture
def traded(monkeypatch):
    monkeypatch.setattr(keeping, "KEEP_AFTER", 4)
    instrument = some_instrument()
    maker, ada = some_trader(instrument, "Maker"), some_trader(instrument, "Ada", lots=5)
    account = Account.objects.get(wallet=ada, asset=instrument.asset)

    def trade(count):
        for _ in range(count):
            placed(instrument, maker, "SELL", 3, 300)
            placed(instrument, ada, "BUY", 3, 400)

    yield account, trade
    cache.delete(f"life:1:{account.id}")


def test_only_what_came_since_is_read(traded):
    account, trade = traded
    trade(6)
    first = keeping.lives([account.id])
    trade(2)

    kept = keeping._kept([account.id])[account.id]
    assert kept == first[account.id]
    with CaptureQueriesContext(connection) as asked:
        assert keeping.lives([account.id]) == lives_of({account.id: Life()})
    assert str(kept.upto) in asked[0]["sql"]


def test_an_empty_cache_and_one_that_is_away_change_nothing(traded, settings):
    account, trade = traded
    trade(6)
    first = keeping.lives([account.id])
    cache.delete(f"life:1:{account.id}")
    assert keeping.lives([account.id]) == first

    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "unix:///nonexistent/valkey.sock"}}
    assert keeping.lives([account.id]) == first
