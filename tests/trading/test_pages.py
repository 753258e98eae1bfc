"""Market list, instrument page, ticket, preview, my orders: what they answer."""

import re

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ledger.wallets import freeze_wallet
from market.instruments import halt_instrument
from market.models import GPU_SECONDS_PER_LOT, Order
from market.phases import begin_auction, change_phase, lock_instrument
from tests.ledger.builders import given, the_credits
from tests.market.builders import in_auction, placed, some_instrument, some_trader
from tests.people.builders import Role, some_department, some_person

pytestmark = pytest.mark.django_db
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


def typed(**fields):
    ticket = {
        "side": "BUY",
        "quantity": "2.50",
        "limit_price": "3.10",
        "time_in_force": "GTC",
        "client_order_id": "web-1",
    }
    return ticket | fields


def test_everybody_sees_the_list_and_the_page_without_a_ticket(client, instrument):
    placed(instrument, some_trader(instrument), "SELL", 150, 310)

    listing = client.get(reverse("market"))
    page = client.get(reverse("instrument", args=[instrument.code]))

    assert instrument.code in listing.content.decode()
    assert b"Sign in to trade" in page.content
    assert b'id="place"' not in page.content
    assert client.get(reverse("instrument", args=["NOTHING"])).status_code == 404


def test_the_lists_queries_do_not_grow_with_the_instruments(client, instrument, django_assert_max_num_queries):
    for number in range(6):
        some_instrument(f"A100-{number}")

    with django_assert_max_num_queries(8):
        client.get(reverse("market"))


def test_book_and_trades_are_json_that_is_never_kept(client, instrument):
    seller, buyer = some_trader(instrument, "Sellwood"), some_trader(instrument, "Buyfield")
    placed(instrument, seller, "SELL", 150, 310)
    placed(instrument, buyer, "BUY", 50, 310)

    book = client.get(reverse("book", args=[instrument.code]))
    trades = client.get(reverse("trades", args=[instrument.code]))

    assert book.json()["asks"] == [[310, 100, 1]]
    assert (book.json()["number"], book["Cache-Control"]) == (2, "no-store")
    assert [row[0:1] + row[2:] for row in trades.json()["trades"]] == [[1, 310, 50, "BUY"]]
    assert b"Sellwood" not in book.content + trades.content


def test_an_order_is_placed_from_the_ticket(client, instrument, ada):
    answer = client.post(reverse("place-order", args=[instrument.code]), typed())

    assert answer.status_code == 302
    order = Order.objects.get()
    assert (order.wallet, order.side, order.limit_price, order.quantity) == (ada.wallet, "BUY", 310, 250)
    assert order.held == 77_500


def test_the_same_ticket_sent_twice_is_one_order(client, instrument, ada):
    for _ in range(2):
        assert client.post(reverse("place-order", args=[instrument.code]), typed()).status_code == 302

    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": ""},
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "0.001"},
        {"quantity": "NaN"},
        {"quantity": "1e400"},
        {"limit_price": "Infinity"},
        {"limit_price": "0"},
        {"side": "HOLD"},
        {"time_in_force": "DAY"},
        {"time_in_force": "GTD"},
        {"time_in_force": "GTD", "last_day": "yesterday"},
        {"time_in_force": "IOC", "post_only": "on"},
        {"self_trade": "ALLOW"},
        {"client_order_id": ""},
        {"client_order_id": "a\x00b"},
        {"client_order_id": "x" * 81},
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_bad_ticket_comes_back_as_422(client, instrument, ada, fields, headers):
    answer = client.post(reverse("place-order", args=[instrument.code]), typed(**fields), **headers)

    assert answer.status_code == 422
    assert b'id="ticket"' in answer.content
    assert not Order.objects.exists()


def test_an_order_that_cannot_be_paid_comes_back_with_the_reason(client, instrument, ada):
    answer = client.post(reverse("place-order", args=[instrument.code]), typed(quantity="99999"), **HTMX)

    assert answer.status_code == 422
    assert b"does not cover this order" in answer.content
    assert Order.objects.get().status == "REJECTED"


def test_a_halted_instrument_and_a_frozen_wallet_say_so(client, instrument, ada):
    halt_instrument(instrument_id=instrument.id, reason="Cooling works.", now=timezone.now())
    halted = client.post(reverse("place-order", args=[instrument.code]), typed(client_order_id="a"), **HTMX)
    freeze_wallet(wallet_id=ada.wallet_id, reason="Asked for.", now=timezone.now())

    assert halted.status_code == 422
    assert b"halted" in halted.content


def test_a_frozen_wallet_is_told(client, instrument, ada):
    freeze_wallet(wallet_id=ada.wallet_id, reason="Asked for.", now=timezone.now())

    frozen = client.post(reverse("place-order", args=[instrument.code]), typed(), **HTMX)

    assert frozen.status_code == 422
    assert b"frozen" in frozen.content


def test_the_preview_says_cost_worst_price_balance_after_and_expiry(client, instrument, ada):
    bob = some_trader(instrument, "Bob")
    placed(instrument, bob, "SELL", 100, 300)
    placed(instrument, bob, "SELL", 100, 305)

    answer = client.post(reverse("preview-order", args=[instrument.code]), typed(), **HTMX).content.decode()

    for said in ("6.05", "3.05", "0.50", "1.55", "992.40", "2099"):
        assert said in answer, said
    assert not Order.objects.filter(wallet=ada.wallet).exists()


def test_the_preview_says_why_an_order_would_be_rejected(client, instrument, ada):
    # Covered at the price it would get, not at its limit: what is held is the limit.
    placed(instrument, some_trader(instrument, "Bob"), "SELL", 40_000, 200)
    preview, place = (reverse(name, args=[instrument.code]) for name in ("preview-order", "place-order"))

    said = client.post(preview, typed(quantity="400", limit_price="3"), **HTMX)
    done = client.post(place, typed(quantity="400", limit_price="3"), **HTMX)

    assert b"It would be rejected: Your available balance does not cover this order." in said.content
    assert b"does not cover this order" in done.content


def test_a_half_typed_ticket_has_no_preview_yet(client, instrument, ada):
    answer = client.post(reverse("preview-order", args=[instrument.code]), typed(quantity=""), **HTMX)

    assert answer.status_code == 200
    assert b"Type a quantity" in answer.content


def test_an_open_order_is_cancelled_from_the_page(client, instrument, ada):
    client.post(reverse("place-order", args=[instrument.code]), typed())
    order = Order.objects.get()

    answer = client.post(reverse("cancel-order", args=[order.id]), **HTMX)

    assert answer.status_code == 200
    assert Order.objects.get().status == "CANCELLED"


def test_anothers_order_is_not_found(client, instrument, ada):
    theirs = placed(instrument, some_trader(instrument, "Bob"), "SELL", 1, 300)

    assert client.post(reverse("cancel-order", args=[theirs.order_id])).status_code == 404
    assert client.post(reverse("cancel-order", args=[10**9])).status_code == 404
    assert Order.objects.get().status == "OPEN"


@pytest.mark.parametrize("name", ["place-order", "preview-order"])
def test_the_ticket_needs_a_signed_in_person_and_a_post(client, instrument, name):
    url = reverse(name, args=[instrument.code])

    assert client.get(url).status_code == 405
    assert client.post(url, typed()).status_code == 302
    assert client.get(reverse("my-orders", args=[instrument.code])).status_code == 302
    assert not Order.objects.exists()


def test_the_ticket_places_every_kind(client, instrument, ada):
    other = some_trader(instrument, "Bob")
    placed(instrument, other, "SELL", 100, 310)
    place = reverse("place-order", args=[instrument.code])

    client.post(place, typed(client_order_id="fok", time_in_force="FOK"))
    client.post(place, typed(client_order_id="gtd", time_in_force="GTD", last_day="2098-12-31", limit_price="3.00"))
    crossing = client.post(place, typed(client_order_id="post", post_only="on"), **HTMX)

    orders = {order.client_order_id: order for order in Order.objects.filter(wallet=ada.wallet)}
    assert (orders["fok"].status, orders["fok"].reason) == ("CANCELLED", "fill_or_kill")
    assert (orders["gtd"].status, f"{orders['gtd'].expires_at:%Y-%m-%d}") == ("OPEN", "2099-01-01")
    assert crossing.status_code == 422
    assert b"added to the book only" in crossing.content


def amendment_in(answer):
    """Whether the one order's new terms are open to be typed, and what stands in them."""
    terms = answer.content.decode().partition('<details class="amend"')[2].partition("</details>")[0]
    fields = {name: re.search(rf'name="{name}".*? value="(.*?)"', terms)[1] for name in ("quantity", "limit_price")}
    return {"open": " open>" in terms, **fields}


def test_an_order_is_amended_in_place_and_a_refused_one_stays(client, instrument, ada):
    client.post(reverse("place-order", args=[instrument.code]), typed())
    order = Order.objects.get()
    amend = reverse("amend-order", args=[order.id])

    done = client.post(amend, {"quantity": "1.50", "limit_price": "3.00"}, **HTMX)
    assert done.status_code == 200
    order.refresh_from_db()
    assert (order.quantity, order.limit_price) == (150, 300)
    for wrong in ({"quantity": "1.505", "limit_price": "3"}, {"quantity": "99999", "limit_price": "3"}, {}):
        for headers in (HTMX, {}):
            answer = client.post(amend, wrong, **headers)
            assert answer.status_code == 422
            assert b'role="alert"' in answer.content
            terms = amendment_in(answer)
            assert terms == {"open": True, "quantity": "", "limit_price": ""} | wrong, "as typed, to be put right"
    order.refresh_from_db()
    assert (order.quantity, order.limit_price) == (150, 300)
    assert amendment_in(client.get(reverse("instrument", args=[instrument.code]))) == {
        "open": False,
        "quantity": "1.50",
        "limit_price": "3.00",
    }
    assert client.post(amend, {"quantity": "x"}).status_code == 422
    assert client.post(amend, {"quantity": "1.40", "limit_price": "3.00"}).status_code == 302


def test_all_orders_are_cancelled_with_one_button(client, instrument, ada):
    for number in range(3):
        client.post(reverse("place-order", args=[instrument.code]), typed(client_order_id=f"web-{number}"))

    answer = client.post(reverse("cancel-all", args=[instrument.code]), **HTMX)

    assert b"3 orders are cancelled" in answer.content
    assert not Order.objects.filter(status="OPEN").exists()


def test_anothers_order_is_not_there_to_amend(client, instrument, ada):
    theirs = placed(instrument, some_trader(instrument, "Bob"), "SELL", 100, 310)

    answer = client.post(reverse("amend-order", args=[theirs.order_id]), {"quantity": "1", "limit_price": "3"})

    assert answer.status_code == 404


def test_a_market_order_is_placed_only_with_the_protection_that_was_shown(client, instrument, ada):
    placed(instrument, some_trader(instrument, "Bob"), "SELL", 100, 300)
    place = reverse("place-order", args=[instrument.code])

    first = client.post(place, typed(kind="MARKET", limit_price=""), **HTMX)
    assert first.status_code == 422
    assert b'name="protection" value="315"' in first.content
    assert not Order.objects.filter(wallet=ada.wallet).exists()
    done = client.post(place, typed(kind="MARKET", limit_price="", protection="315"), **HTMX)

    order = Order.objects.get(wallet=ada.wallet)
    assert (order.kind, order.limit_price, order.filled_quantity, order.reason) == (
        "MARKET", 315, 100, "immediate_or_cancel",
    )  # fmt: skip
    assert b"ledger entry" in done.content
    for wrong in ("0", "-5", "x", "99999999999"):
        assert client.post(place, typed(kind="MARKET", protection=wrong), **HTMX).status_code == 422


def test_a_first_time_visitor_reads_what_the_series_is(client, instrument):
    page = client.get(reverse("instrument", args=[instrument.code])).content.decode()

    for said in ("What is this series?", "80 <span", "400 <span", "36 seconds of one GPU", "Redeem", "2099"):
        assert said in page, said


QUERIES = 12


def test_the_markets_pages_ask_no_more_as_trades_orders_and_series_grow(client, instrument, ada):
    desk, listing, own = reverse("instrument", args=[instrument.code]), reverse("market"), reverse("positions")

    def grow(count):
        maker = some_trader(instrument, f"Maker of {count}")
        for number in range(count):
            placed(instrument, maker, "SELL", 10, 400 + number)
            placed(instrument, ada.wallet, "BUY", 5, 400 + number)
            placed(instrument, ada.wallet, "BUY", 5, 100 + number)

    def counted(url):
        with CaptureQueriesContext(connection) as found:
            assert client.get(url).status_code == 200
        return len(found)

    grow(1)
    counted(desk)  # what a process looks up once
    before = {url: counted(url) for url in (desk, listing, own)}
    grow(25)
    for number in range(5):
        some_instrument(f"A100-{number}")
    after = {url: counted(url) for url in (desk, listing, own)}

    print(f"\nqueries signed in: {before}")
    assert after == before
    assert max(after.values()) <= QUERIES
    client.logout()
    counts = [counted(url) for url in (desk, listing)]
    print(f"queries of a visitor: {counts}")
    assert max(counts) <= QUERIES


def test_in_the_last_part_of_an_auction_nothing_is_cancelled_and_the_page_says_so(client):
    instrument = some_instrument()
    ada = some_person("Ada", (Role.RESEARCHER, some_department()))
    given(ada.wallet, the_credits(), 10**9)
    in_auction(instrument, collect=0, no_cancel=3600)
    kept = placed(instrument, ada.wallet, "BUY", 5, 100)
    client.force_login(ada)

    for address in (reverse("cancel-all", args=[instrument.code]), reverse("cancel-order", args=[kept.order_id])):
        page = client.post(address, follow=True)
        assert "about to end" in page.content.decode(), address

    assert client.post(reverse("cancel-all", args=[instrument.code]), HTTP_HX_REQUEST="true").status_code == 422
    assert Order.objects.get(id=kept.order_id).status == "OPEN"


def test_the_page_shows_what_an_auction_would_come_to_and_each_phase_in_words(client, instrument):
    one, other = some_trader(instrument), some_trader(instrument, "Bob")
    with transaction.atomic():
        begin_auction(lock_instrument(instrument.id), cause="PHASE", now=timezone.now())
    placed(instrument, one, "SELL", 100, 300)
    placed(instrument, other, "BUY", 150, 310)

    for url in (reverse("instrument", args=[instrument.code]), reverse("phase", args=[instrument.code])):
        page = client.get(url).content.decode()
        assert "An auction collects orders" in page
        for said in ("Indicative price", "3.10", "1.00", "UTC"):
            assert said in page, said

    for phase, words in (("HALTED", "is halted"), ("POST_ONLY", "nothing trades for now"), ("CANCEL_ONLY", "only be")):
        with transaction.atomic():
            change_phase(lock_instrument(instrument.id), phase, cause="PHASE", now=timezone.now())
        assert words in client.get(reverse("phase", args=[instrument.code])).content.decode()
