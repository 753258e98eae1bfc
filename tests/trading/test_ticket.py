"""What the ticket says before an order is sent, where there are bands, and which entries it leads to afterwards."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from ledger.entries import parse
from ledger.models import Entry
from market.models import GPU_SECONDS_PER_LOT, Instrument, Order, Trade
from market.orders import place_orders
from tests.ledger.builders import given, the_credits
from tests.market.builders import in_auction, new_order, placed, some_instrument, some_trader, with_rules
from tests.people.builders import Role, some_department, some_person

pytestmark = pytest.mark.django_db(transaction=True)
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def instrument():
    return some_instrument()


@pytest.fixture
def ada(instrument, client):
    """A researcher with 1000 cr and 100 GPU-h, signed in."""
    person = some_person("Ada Byron", (Role.RESEARCHER, some_department()))
    given(person.wallet, the_credits(), 10_000_000)
    given(person.wallet, instrument.asset, 10_000 * GPU_SECONDS_PER_LOT)
    client.force_login(person)
    return person


@pytest.fixture
def banded(instrument):
    """5 % either way of a last trade at 10.00; offers at 10.00, 10.40, 10.60 and 12.00, 0.05 GPU-h each."""
    with_rules(instrument, dynamic_band_bp=500)
    maker, taker = some_trader(instrument), some_trader(instrument, "Bob")
    placed(instrument, maker, "SELL", 1, 1000)
    placed(instrument, taker, "BUY", 1, 1000)
    for price in (1000, 1040, 1060, 1200):
        placed(instrument, maker, "SELL", 5, price)
    return instrument


def ticket(**fields):
    return {
        "side": "BUY", "kind": "LIMIT", "quantity": "0.14", "limit_price": "11.00", "time_in_force": "GTC",
        "client_order_id": "web-1",
    } | fields  # fmt: skip


def preview(client, instrument, **fields):
    """The preview's rows by their name, and its sentences."""
    page = client.post(reverse("preview-order", args=[instrument.code]), ticket(**fields)).content.decode()
    rows = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", page)
    return {name: re.sub("<[^>]*>", "", value).split()[0] for name, value in rows}, re.findall(
        r"<p[^>]*>(.*?)</p>", page
    )


def test_the_ticket_says_where_the_band_ends_and_what_then_waits(client, banded, ada):
    rows, said = preview(client, banded)

    assert rows["Edge of the price band"] == "10.50"
    assert (rows["Fills at once"], rows["Waits for an auction"]) == ("0.10", "0.04")
    assert "begins an auction" in said[0]
    client.post(reverse("place-order", args=[banded.code]), ticket(), **HTMX)
    order = Order.objects.get(wallet=ada.wallet)
    assert (order.filled_quantity, order.open_quantity, order.status) == (10, 4, "OPEN")
    assert Instrument.objects.get().phase == "AUCTION"


def test_a_market_order_says_the_same_of_its_protection_limit(client, banded, ada):
    rows, said = preview(client, banded, kind="MARKET", limit_price="", quantity="0.14")

    # 5 % from the best offer is the band's edge itself.
    assert (rows["Protection limit"], rows["Fills at once"], rows["Is cancelled"]) == ("10.50", "0.10", "0.04")
    assert "Edge of the price band" not in rows
    assert said == []

    with_rules(banded, dynamic_band_bp=300)
    rows, said = preview(client, banded, kind="MARKET", limit_price="", quantity="0.14")

    assert (rows["Protection limit"], rows["Edge of the price band"]) == ("10.50", "10.30")
    assert (rows["Fills at once"], rows["Waits for an auction"]) == ("0.05", "0.09")
    assert "begins an auction" in said[0]
    client.post(
        reverse("place-order", args=[banded.code]), ticket(kind="MARKET", limit_price="", protection="1050"), **HTMX
    )
    order = Order.objects.get(wallet=ada.wallet)
    assert (order.filled_quantity, order.open_quantity, order.status) == (5, 9, "OPEN")


@pytest.mark.parametrize(("time_in_force", "words"), [("IOC", "the rest is cancelled"), ("FOK", "nothing would be")])
def test_what_cannot_wait_is_said_to_be_cancelled(client, banded, ada, time_in_force, words):
    rows, said = preview(client, banded, time_in_force=time_in_force)

    assert rows["Edge of the price band"] == "10.50"
    assert words in said[0]
    assert rows.get("Is cancelled") == {"IOC": "0.04", "FOK": None}[time_in_force]
    client.post(reverse("place-order", args=[banded.code]), ticket(time_in_force=time_in_force), **HTMX)
    order = Order.objects.get(wallet=ada.wallet)
    assert (order.status, order.filled_quantity) == ("CANCELLED", {"IOC": 10, "FOK": 0}[time_in_force])


def test_a_sellers_edge_is_the_lower_one(client, banded, ada):
    placed(banded, some_trader(banded, "Cyd"), "BUY", 5, 940)

    rows, said = preview(client, banded, side="SELL", limit_price="9.00")

    assert (rows["Edge of the price band"], rows["Waits for an auction"]) == ("9.50", "0.14")
    assert "begins an auction" in said[0]


def test_within_the_band_and_in_an_auction_nothing_is_said_of_an_edge(client, banded, ada):
    inside, silent = preview(client, banded, limit_price="10.40")
    in_auction(banded)
    waiting, said = preview(client, banded)

    assert "Edge of the price band" not in inside
    assert "Edge of the price band" not in waiting
    assert silent == said == []
    assert (inside["Rests in the book"], waiting["Waits for an auction"]) == ("0.04", "0.14")


def entries(answer):
    """What a link of the answer says, and the entry to which it leads."""
    found = re.findall(r'<a href="/explorer/(\d+)/">([^<]*)</a>', answer.content.decode())
    return [(said.split(":")[0], Entry.objects.get(id=int(number))) for number, said in found]


def test_an_order_that_waits_leads_to_the_entry_that_set_aside_for_it(client, instrument, ada):
    seller = some_trader(instrument, "Bob")
    placed(instrument, seller, "SELL", 4, 1000)
    place = reverse("place-order", args=[instrument.code])

    part = entries(client.post(place, ticket(), **HTMX))
    rest = entries(client.post(place, ticket(side="SELL", limit_price="12.00", client_order_id="web-2"), **HTMX))
    place_orders([new_order(instrument, seller, "SELL", 1, 1300 + number) for number in range(20)])
    again = entries(client.post(place, ticket(), **HTMX))

    assert [said for said, _ in part] == ["What is set aside", "Trade"]
    held, traded = (entry for _, entry in part)
    order = Order.objects.get(client_order_id="web-1")
    sides = parse(bytes(held.body)).postings
    assert [(side.wallet, side.amount) for side in sides] == [(ada.wallet.public_id.bytes, order.held)]
    assert (order.held, traded.id) == (10 * 1100, Trade.objects.get().transfer_id)
    ((said, sold),) = rest
    assert said == "What is set aside"
    assert [side.amount for side in parse(bytes(sold.body)).postings] == [14 * GPU_SECONDS_PER_LOT]
    assert again == part
    assert client.get(reverse("entry", args=[held.id])).status_code == 200


def test_without_scripts_the_page_that_comes_back_leads_there_too(client, instrument, ada):
    page = client.post(reverse("place-order", args=[instrument.code]), ticket(), follow=True)

    assert [entry.kind for said, entry in entries(page) if said == "What is set aside"] == [Entry.Kind.HOLD]


def test_amending_and_cancelling_lead_to_what_they_changed_of_what_is_set_aside(client, instrument, ada):
    client.post(reverse("place-order", args=[instrument.code]), ticket())
    order = Order.objects.get()

    def changed(answer):
        ((said, entry),) = entries(answer)
        assert said == "What is set aside"
        assert 'id="mine-done"' in answer.content.decode()
        return [side.amount for side in parse(bytes(entry.body)).postings]

    less = changed(
        client.post(reverse("amend-order", args=[order.id]), {"quantity": "0.10", "limit_price": "11.00"}, **HTMX)
    )
    anew = changed(
        client.post(reverse("amend-order", args=[order.id]), {"quantity": "0.10", "limit_price": "12.00"}, **HTMX)
    )
    gone = client.post(reverse("cancel-order", args=[order.id]), **HTMX)
    again = client.post(reverse("cancel-order", args=[order.id]), **HTMX)

    # The log says the differences: what an amendment goes on holding was never given back.
    assert (less, anew, changed(gone)) == ([-4 * 1100], [10 * (1200 - 1100)], [-10 * 1200])
    assert f"Order {order.id} is cancelled" in gone.content.decode()
    assert (again.status_code, entries(again)) == (422, [])
    assert 'role="alert"' in again.content.decode()


def test_cancelling_all_leads_to_what_it_changed_on_either_side(client, instrument, ada):
    for number, (side, price) in enumerate([("BUY", "11.00"), ("BUY", "10.00"), ("SELL", "12.00")]):
        typed = ticket(side=side, limit_price=price, client_order_id=f"all-{number}")
        client.post(reverse("place-order", args=[instrument.code]), typed)
    cancel = reverse("cancel-all", args=[instrument.code])

    done, nothing = client.post(cancel, **HTMX), client.post(cancel, **HTMX)

    sides = [side.amount for _, entry in entries(done) for side in parse(bytes(entry.body)).postings]
    assert sorted(sides) == [-14 * (1100 + 1000), -14 * GPU_SECONDS_PER_LOT]
    assert {said for said, _ in entries(done)} == {"What is set aside"}
    assert (entries(nothing), "0 orders are cancelled" in nothing.content.decode()) == ([], True)


def test_an_order_that_is_done_leads_to_its_trades_alone(client, instrument, ada):
    placed(instrument, some_trader(instrument, "Bob"), "SELL", 14, 1000)

    done = entries(client.post(reverse("place-order", args=[instrument.code]), ticket(), **HTMX))

    assert [(said, entry.id) for said, entry in done] == [("Trade", Trade.objects.get().transfer_id)]
    assert Order.objects.get(wallet=ada.wallet).placed_at <= timezone.now()
