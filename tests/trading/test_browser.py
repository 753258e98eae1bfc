"""Two people at the market in a real Chromium, with the event stream from a real uvicorn."""

import copy
import time

import pytest

from market.models import GPU_SECONDS_PER_LOT, Order
from tests.browser import chromium, open_page, sign_in
from tests.ledger.builders import given, the_credits
from tests.market.builders import placed, some_instrument, some_trader
from tests.people.builders import PASSWORD, Role, some_department, some_person
from tests.trading.events import events_process, free_port

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(live_server, settings):
    """The site with its event stream, an instrument with a book, and two people who can trade."""
    with events_process() as origin:
        settings.EVENTS_ORIGIN = origin
        policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
        policy["DIRECTIVES"]["connect-src"] = ["'self'", origin]
        settings.CONTENT_SECURITY_POLICY = policy
        instrument = some_instrument()
        maker = some_trader(instrument, "Maker")
        for side, quantity, price in [("SELL", 500, 310), ("SELL", 900, 312), ("BUY", 400, 305), ("BUY", 700, 300)]:
            placed(instrument, maker, side, quantity, price)
        department = some_department()
        people = [some_person(name, (Role.RESEARCHER, department)) for name in ("Ada Byron", "Grace Hopper")]
        for person in people:
            given(person.wallet, the_credits(), 10_000_000)
            given(person.wallet, instrument.asset, 10_000 * GPU_SECONDS_PER_LOT)
        yield live_server.url, instrument, people


def at_the_desk(browser, url, instrument, person, **options):
    page = open_page(browser, url, **options)
    sign_in(page, person.email, PASSWORD)
    page.goto(f"/market/{instrument.code}/")
    page.locator("#place:not([disabled])").wait_for()
    page.locator("#asks tr").first.wait_for()
    return page


def test_a_second_browser_sees_a_fill_within_a_second(desk):
    url, instrument, (ada, grace) = desk
    with chromium() as browser:
        ours = at_the_desk(browser, url, instrument, ada)
        theirs = at_the_desk(browser, url, instrument, grace)
        theirs.get_by_label("Quantity").fill("1.23")
        theirs.get_by_label("Limit price").fill("3.10")
        before = ours.locator("#tape tr[data-number]").count()
        # The clock runs in their browser: from the answer to the order until the row is on the other page.
        with theirs.expect_response("**/place/"):
            theirs.get_by_role("button", name="Place order").click()
        start = time.monotonic()
        row = ours.locator("#tape tr", has_text="1.23")
        row.wait_for(timeout=5000)
        seen_after = time.monotonic() - start

        assert before == 0
        assert seen_after < 1.0, f"seen after {seen_after:.2f} s"
        assert "3.10" in row.inner_text()
        assert ours.locator("#last-price").inner_text() == "3.10"
        assert ours.locator("#asks tr").last.inner_text().split()[:3] == ["S", "3.10", "3.77"]
        assert ours.faults == theirs.faults == []


def test_my_own_orders_follow_a_fill_by_another(desk):
    url, instrument, (ada, grace) = desk
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)
        page.get_by_label("Quantity").fill("2")
        page.get_by_label("Limit price").fill("3.08")
        page.get_by_role("button", name="Place order").click()
        page.locator("#mine tbody tr", has_text="3.08").wait_for()

        placed(instrument, grace.wallet, "SELL", 50, 308)

        page.locator("#mine tbody tr", has_text="1.50").wait_for(timeout=5000)
        assert page.faults == []


def test_an_order_is_placed_and_cancelled_by_keyboard_alone(desk):
    url, instrument, (ada, _) = desk
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)

        press_until(page, "input[name=side]")
        page.keyboard.press("ArrowRight")
        press_until(page, "input[name=quantity]")
        page.keyboard.type("4.20")
        press_until(page, "input[name=limit_price]")
        page.keyboard.press("Control+A")
        page.keyboard.type("3.50")
        page.locator("#preview", has_text="Rests in the book").wait_for()
        press_until(page, "#place")
        page.keyboard.press("Enter")
        page.locator("#mine tbody tr", has_text="3.50").wait_for()
        order = Order.objects.get(wallet=ada.wallet)
        assert (order.side, order.quantity, order.limit_price, order.status) == ("SELL", 420, 350, "OPEN")

        press_until(page, f"[aria-label='Cancel order {order.id}']")
        page.keyboard.press("Enter")
        page.get_by_text("No open order").wait_for()
        assert Order.objects.get(wallet=ada.wallet).status == "CANCELLED"
        # The list is fetched anew by every event that touches it: what was said stays.
        with page.expect_response("**/orders/"):
            page.evaluate("document.body.dispatchEvent(new CustomEvent('market-event'))")
        said = page.locator("#mine-done [role=status]", has_text=f"Order {order.id} is cancelled")
        assert said.locator("a").get_attribute("href").startswith("/explorer/")
        assert page.faults == []


def press_until(page, selector, limit=120):
    """Tab on until the element has the focus, and check that it can be seen to have it."""
    for _ in range(limit):
        if page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_a_lost_stream_closes_the_ticket_and_its_return_opens_it(live_server, settings):
    port = free_port()
    instrument = some_instrument()
    ada = some_person("Ada Byron", (Role.RESEARCHER, some_department()))
    settings.EVENTS_ORIGIN = f"http://127.0.0.1:{port}"
    policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
    policy["DIRECTIVES"]["connect-src"] = ["'self'", settings.EVENTS_ORIGIN]
    settings.CONTENT_SECURITY_POLICY = policy
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        with events_process(port):
            sign_in(page, ada.email, PASSWORD)
            page.goto(f"/market/{instrument.code}/")
            page.locator("#place:not([disabled])").wait_for()
            assert page.locator("#stale").is_hidden()
        page.locator("#stale").wait_for(state="visible", timeout=20_000)
        assert page.locator("#place").is_disabled()

        with events_process(port):
            page.locator("#stale").wait_for(state="hidden", timeout=20_000)
            assert page.locator("#place").is_enabled()


def test_a_narrow_page_shows_price_ticket_my_orders_book_and_chart_in_that_order(desk):
    url, instrument, (ada, _) = desk
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada, width=390)
        selectors = ["#last-price", "#ticket", "#mine", "#book", "#price-chart"]
        tops = [page.locator(selector).bounding_box()["y"] for selector in selectors]

        assert tops == sorted(tops)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert page.faults == []
