"""The trading page in a real Chromium: nothing moves; keys, own orders, steps of prices, market orders, numbers."""

import pytest

from market.models import GPU_SECONDS_PER_LOT, Order, Trade
from market.orders import place_orders
from market.prices.candles import bars
from market.reads import depth
from portal.trading.alerts import fire_alerts
from tests import full
from tests.browser import chromium
from tests.ledger.builders import given, the_credits
from tests.market.builders import new_order, placed, some_instrument, some_trader
from tests.people.builders import Role, some_department, some_person
from tests.trading.events import events_process
from tests.trading.test_browser import at_the_desk
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHIFTS = """
() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      const moved = entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName || "?");
      shifts.push([entry.value, moved]);
    }
  }).observe({ type: "layout-shift" });
}
"""


@pytest.fixture
def desk(live_server, settings):
    """The site with its stream, an instrument with a book, and somebody who can trade."""
    with events_process() as origin:
        settings.EVENTS_ORIGIN = origin
        directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | {"connect-src": ["'self'", origin]}
        settings.CONTENT_SECURITY_POLICY = settings.CONTENT_SECURITY_POLICY | {"DIRECTIVES": directives}
        instrument = some_instrument()
        maker = some_trader(instrument, "Maker")
        for side, quantity, price in [("SELL", 500, 310), ("SELL", 900, 312), ("BUY", 400, 305), ("BUY", 700, 300)]:
            placed(instrument, maker, side, quantity, price)
        ada = some_person("Ada Byron", (Role.RESEARCHER, some_department()))
        given(ada.wallet, the_credits(), 10_000_000)
        given(ada.wallet, instrument.asset, 10_000 * GPU_SECONDS_PER_LOT)
        yield live_server.url, instrument, ada, maker


def proved(page, instrument):
    instrument.refresh_from_db()
    wanted = str(instrument.last_event)
    wait_until(lambda: page.evaluate("document.getElementById('desk').dataset.number") == wanted, seconds=30)


def text_of(page, selector):
    return [row.split() for row in page.locator(selector).all_inner_texts() if row.split()]


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_while_prices_run(desk, width):
    url, instrument, ada, maker = desk
    taker = some_trader(instrument, "Taker")
    for price in (311, 309, 304):
        placed(instrument, ada.wallet, "SELL" if price > 306 else "BUY", 40, price)
    events = full.count(600)
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada, width=width)
        proved(page, instrument)
        # The page has drawn itself once: what is watched is what prices do to it.
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        page.evaluate(SHIFTS)
        for number in range(events):
            who, side, price = (maker, "SELL", 306 + number % 9) if number % 3 else (taker, "BUY", 308 + number % 7)
            place_orders([new_order(instrument, who, side, 1 + number % 60, price)])
        proved(page, instrument)
        wait_until(lambda: page.locator("#mine [data-open]").count() < 3)
        shifts = page.evaluate("shifts")

        assert Trade.objects.count() > events / 10
        print(f"\n{events} orders, {Trade.objects.count()} trades: cumulative layout shift {sum(s[0] for s in shifts)}")
        assert shifts == []
        assert page.faults == []


def test_ladder_tape_and_candles_have_the_numbers_of_the_database(desk):
    url, instrument, ada, _ = desk
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)
        for number in range(12):
            placed(instrument, some_trader(instrument, f"T{number}"), "BUY", 5 + number, 310)
        proved(page, instrument)
        page.locator("details.candles summary").click()
        wait_until(lambda: len(text_of(page, "#tape tr")) == 12)

        snapshot = depth(instrument.id)
        asks = [[f"{price / 100:.2f}", f"{quantity / 100:.2f}"] for price, quantity, _ in reversed(snapshot.asks)]
        minutes = [(b.open, b.high, b.low, b.close, b.volume) for b in reversed(bars(instrument.id, 60))]
        candles = [[f"{figure / 100:.2f}" for figure in minute] for minute in minutes]
        assert [row[1:3] for row in text_of(page, "#asks tr")] == asks
        assert [row[2:] for row in text_of(page, "#candles tr")] == candles
        assert [row[-1] for row in text_of(page, "#tape tr")][:2] == ["0.16", "0.15"]


def test_own_orders_are_marked_and_prices_grouped_as_chosen_and_kept(desk):
    url, instrument, ada, _ = desk
    placed(instrument, ada.wallet, "SELL", 150, 318)
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)
        proved(page, instrument)

        assert text_of(page, "#asks tr.own") == [["S", "3.18", "1.50", "15.50", "1.50"]]
        page.get_by_role("button", name="10×", exact=True).click()
        wait_until(lambda: text_of(page, "#asks tr")[-1][1] == "3.10")
        # 3.10 stays, 3.12 and 3.18 are 3.20 together; bids go down: 3.05 and 3.00 are 3.00.
        assert [row[1:3] for row in text_of(page, "#asks tr")] == [["3.20", "10.50"], ["3.10", "5.00"]]
        assert [row[1:3] for row in text_of(page, "#bids tr")] == [["3.00", "11.00"]]
        page.reload()
        wait_until(lambda: len(text_of(page, "#bids tr")) == 1)
        assert page.locator("[data-group='10']").get_attribute("aria-pressed") == "true"


def test_a_market_order_shows_its_protection_and_what_happened_with_its_entry(desk):
    url, instrument, ada, _ = desk
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)
        page.keyboard.press("m")
        page.keyboard.type("6")
        page.locator("#preview", has_text="3.26").wait_for()
        assert page.locator("#preview", has_text="Protection limit").count() == 1
        assert not page.get_by_label("Limit price").is_visible()
        page.keyboard.press("Enter")
        link = page.locator("#ticket a", has_text="ledger entry").first
        link.wait_for()

        order = Order.objects.get(wallet=ada.wallet)
        assert (order.kind, order.time_in_force, order.limit_price, order.status) == ("MARKET", "IOC", 326, "FILLED")
        assert order.filled_value == 500 * 310 + 100 * 312
        newest = Trade.objects.filter(taker=order).latest("number")
        assert link.get_attribute("href") == f"/explorer/{newest.pk}/"
        page.locator("#mine", has_text="My fills").wait_for()
        assert "3.10" in page.locator("#mine .position").inner_text()  # 3.1033…, the average
        assert page.faults == []


def test_letters_are_keys_until_they_are_switched_off(desk):
    url, instrument, ada, _ = desk
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)

        def focused():
            return page.evaluate("document.activeElement.id")

        page.keyboard.press("s")
        assert (focused(), page.locator("input[name=side][value=SELL]").is_checked()) == ("id_quantity", True)
        page.keyboard.press("p")  # in a field a letter is a letter
        assert focused() == "id_quantity"
        page.keyboard.press("Escape")
        page.keyboard.press("p")
        assert focused() == "id_limit_price"
        page.keyboard.press("Escape")
        page.keyboard.press("a")
        assert focused() == "id_alert-price"
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        assert page.locator("[data-group='10']").get_attribute("aria-pressed") == "true"
        page.keyboard.press("?")
        assert page.locator("#keys").is_visible()
        page.locator("#keys-letters").press("Space")
        page.keyboard.press("Escape")
        assert not page.locator("#keys").is_visible()
        for _ in range(2):
            page.keyboard.press("b")
            page.keyboard.press("?")
            assert not page.locator("#keys").is_visible()
            assert focused() != "id_quantity"
            page.reload()
            page.locator("#place:not([disabled])").wait_for()
        page.locator("#keys-open").press("Enter")
        assert not page.locator("#keys-letters").is_checked()


def test_an_alert_set_on_the_desk_rings_there_while_another_is_being_typed(desk):
    url, instrument, ada, _ = desk
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)
        page.locator("#id_alert-price").fill("3.10")
        page.get_by_role("button", name="Set an alert").click()
        page.locator("#alert-list li[data-waits=ABOVE]").wait_for()
        page.locator("#id_alert-price").fill("9.99")

        placed(instrument, some_trader(instrument, "Bob"), "BUY", 5, 310)
        assert fire_alerts() == 1

        page.locator("#alert-list", has_text="traded at 3.10").wait_for(timeout=15_000)
        page.locator("#fired-alerts summary").wait_for()
        assert page.locator("#id_alert-price").input_value() == "9.99"
        page.locator("#fired-alerts summary").click()
        page.get_by_role("button", name="Seen").click()
        page.wait_for_url("**/market/")
        assert page.locator("#fired-alerts").count() == 0
        assert page.faults == []


def test_a_price_is_taken_from_the_book_and_an_order_amended_by_keyboard_alone(desk):
    url, instrument, ada, maker = desk
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)
        proved(page, instrument)

        def walked():
            return page.evaluate("document.activeElement.closest('tr')?.dataset.price ?? null")

        # One price is a stop of Tab, whether letters are keys or not.
        assert page.locator("#book th[tabindex='0']").count() == 1
        page.keyboard.press("t")
        assert walked() == "310"
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert walked() == "312"
        for _ in range(2):
            page.keyboard.press("ArrowDown")
        assert walked() == "305"
        # The price stays under the finger when the rows move.
        placed(instrument, maker, "BUY", 50, 306)
        proved(page, instrument)
        wait_until(lambda: text_of(page, "#bids tr")[0][1] == "3.06")
        assert walked() == "305"
        page.keyboard.press("Enter")
        assert page.locator("#id_limit_price").input_value() == "3.05"
        assert page.evaluate("document.activeElement.id") == "id_quantity"
        page.keyboard.type("2")
        page.keyboard.press("Enter")
        page.locator("#mine tbody tr", has_text="3.05").wait_for()

        page.keyboard.press("Escape")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("o")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Control+A")
        page.keyboard.type("1.50")
        page.keyboard.press("Enter")
        wait_until(lambda: Order.objects.get(wallet=ada.wallet).quantity == 150)
        page.locator("#mine tbody tr", has_text="1.50").first.wait_for()
        assert page.faults == []


def test_new_terms_are_not_taken_from_under_who_types_them(desk):
    url, instrument, ada, _ = desk
    order = placed(instrument, ada.wallet, "BUY", 200, 304).order_id
    with chromium() as browser:
        page = at_the_desk(browser, url, instrument, ada)
        proved(page, instrument)
        amend = page.get_by_label(f"Amend order {order}")
        # A list asked for before the terms are opened is answered while they are typed.
        asked = []
        page.route("**/orders/", lambda route: asked.append(route), times=1)
        page.evaluate("document.body.dispatchEvent(new CustomEvent('market-event'))")
        # Playwright hands over what it holds back while it is asked something.
        wait_until(lambda: page.evaluate("true") and asked)
        amend.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Control+A")
        page.keyboard.type("1.5")
        with page.expect_response("**/orders/"):
            asked[0].continue_()
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        page.keyboard.type("0")
        assert page.locator(f"#amend-{order}-quantity").input_value() == "1.50"

        # Refused, they stay as typed, and the focus with them.
        page.keyboard.press("Control+A")
        page.keyboard.type("99999")
        page.keyboard.press("Enter")
        page.locator("#mine-done [role=alert]").wait_for()
        wait_until(lambda: page.evaluate("document.activeElement.id") == f"amend-{order}-quantity")
        assert page.locator(f"#amend-{order}-quantity").input_value() == "99999"

        # Put away, the list is fetched again as it is.
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == f"amend-{order}"
        page.locator(f"details.amend[open] #amend-{order}").wait_for(state="detached")
        wait_until(lambda: page.locator(f"#amend-{order}-quantity").input_value() == "2.00")
        (noted,) = page.faults
        assert "422" in noted, "the refused terms, which the console notes"
