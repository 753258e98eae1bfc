"""Price alerts: fired by the first trade at the price, never missed, shown until seen, one's own only."""

import pytest
from django.urls import reverse
from django.utils import timezone

from market.orders import place_orders
from portal.trading.alerts import MOST_WAITING, TooManyAlerts, set_alert
from portal.trading.models import PriceAlert
from portal.trading.tasks import fire_alerts
from tests.market.builders import new_order, placed, some_instrument, some_trader
from tests.people.builders import Role, some_department, some_person

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def instrument():
    return some_instrument()


@pytest.fixture
def ada():
    return some_person("Ada Byron", (Role.RESEARCHER, some_department()))


def traded(instrument, maker, *prices):
    for price in prices:
        place_orders([new_order(instrument, maker, "SELL", 1, price)])
        placed(instrument, some_trader(instrument, f"Taker at {price}"), "BUY", 1, price)


def alert(user, instrument, direction, price):
    return set_alert(user=user, instrument_id=instrument.id, direction=direction, price=price, now=timezone.now())


def test_a_spike_between_two_looks_fires_once_at_the_first_trade_beyond_the_price(instrument, ada):
    maker = some_trader(instrument, "Maker")
    traded(instrument, maker, 500)
    above, below = alert(ada, instrument, "ABOVE", 400), alert(ada, instrument, "BELOW", 200)
    assert fire_alerts() == 0  # what was traded before does not count
    traded(instrument, maker, 300, 420, 450, 250)

    assert (fire_alerts(), fire_alerts()) == (1, 0)

    above.refresh_from_db()
    below.refresh_from_db()
    assert (above.fired_price, below.fired_at) == (420, None)
    traded(instrument, maker, 150)
    assert fire_alerts() == 1
    below.refresh_from_db()
    assert below.fired_price == 150


def test_the_site_shows_what_fired_on_every_page_until_it_was_seen(client, instrument, ada):
    other = some_person("Grace Hopper", (Role.RESEARCHER, some_department("Chemistry")))
    client.force_login(ada)
    answer = client.post(
        reverse("set-alert", args=[instrument.code]), {"alert-direction": "ABOVE", "alert-price": "3.10"}, **HTMX
    )
    assert b"3.10" in answer.content
    assert b"fired-alerts" not in client.get(reverse("wallet")).content

    traded(instrument, some_trader(instrument, "Maker"), 315)
    fire_alerts()

    shown = client.get(reverse("wallet")).content.decode()
    assert 'id="fired-alerts"' in shown
    assert "3.15" in shown
    assert b"fired-alerts" in client.get(reverse("instrument", args=[instrument.code])).content
    client.force_login(other)
    assert b"fired-alerts" not in client.get(reverse("market")).content
    client.post(reverse("see-alerts"))  # theirs, not ada's
    client.force_login(ada)
    assert b"fired-alerts" in client.get(reverse("market")).content
    assert client.post(reverse("see-alerts")).status_code == 302
    assert b"fired-alerts" not in client.get(reverse("market")).content


@pytest.mark.parametrize("price", ["", "0", "-1", "3.105", "NaN", "1e99"])
def test_a_bad_price_comes_back_as_422(client, instrument, ada, price):
    client.force_login(ada)

    answer = client.post(
        reverse("set-alert", args=[instrument.code]), {"alert-direction": "BELOW", "alert-price": price}, **HTMX
    )

    assert answer.status_code == 422
    assert not PriceAlert.objects.exists()


def test_anothers_alert_is_not_there(client, instrument, ada):
    theirs = alert(ada, instrument, "ABOVE", 400)
    client.force_login(some_person("Grace Hopper", (Role.RESEARCHER, some_department("Chemistry"))))

    assert client.post(reverse("drop-alert", args=[theirs.id])).status_code == 404
    assert PriceAlert.objects.exists()
    client.force_login(ada)
    assert client.post(reverse("drop-alert", args=[theirs.id]), **HTMX).status_code == 200
    assert not PriceAlert.objects.exists()


def test_one_wish_is_one_alert_and_there_is_a_most(instrument, ada):
    for price in range(1, MOST_WAITING + 1):
        alert(ada, instrument, "ABOVE", price)
    assert alert(ada, instrument, "ABOVE", 1).id

    with pytest.raises(TooManyAlerts):
        alert(ada, instrument, "ABOVE", 10_000)
    assert PriceAlert.objects.count() == MOST_WAITING
