"""The tabs of one browser share a stream: whichever of them goes, hangs or sleeps, the others miss nothing."""

import contextlib

import pytest

from market.reads import depth
from tests import full
from tests.browser import chromium, open_page
from tests.market.builders import some_instrument
from tests.trading.events import events_process, free_port
from tests.trading.test_reconnecting import Flow, Line, number_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Longer than the silence after which a tab takes over; with --full as long as the issue says.
QUIET_SECONDS = 30 if full.FULL else 13
LISTENS = """async url => {
    let mine;
    await navigator.locks.request(`me ${Math.random()}`, async ({name}) => {
        mine = (await navigator.locks.query()).held.find(lock => lock.name === name).clientId;
    });
    return (await navigator.locks.query()).held.some(lock => lock.name === url && lock.clientId === mine);
}"""


@pytest.fixture
def world(live_server, settings):
    """The site with its stream behind a line that can fail, and somebody who trades."""
    instrument, port = some_instrument(), free_port()
    line = Line(port)
    settings.EVENTS_ORIGIN = f"http://127.0.0.1:{line.port}"
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | {"connect-src": ["'self'", settings.EVENTS_ORIGIN]}
    settings.CONTENT_SECURITY_POLICY = settings.CONTENT_SECURITY_POLICY | {"DIRECTIVES": directives}
    with events_process(port):
        yield World(live_server.url, instrument, line, f"{settings.EVENTS_ORIGIN}/events/{instrument.code}/")


class World:
    def __init__(self, url, instrument, line, stream):
        self.url, self.instrument, self.line, self.stream = url, instrument, line, stream
        self.flow = Flow(instrument, seed=9)
        self.flow.act(12)
        self.tabs = []

    def open_tabs(self, browser, count):
        first = open_page(browser, self.url)
        self.tabs = [first, *(first.context.new_page() for _ in range(count - 1))]
        for tab in self.tabs:
            tab.goto(f"{self.url}/market/{self.instrument.code}/")
            wait_until(lambda tab=tab: number_of(tab) is not None)
            tab.evaluate("window.seen = []; addEventListener('book-event', ({detail}) => seen.push(detail)); null")
        self.started = self.flow.last()

    def reach(self, tabs=None):
        last = str(self.flow.last())
        for tab in self.tabs if tabs is None else tabs:
            wait_until(lambda tab=tab: number_of(tab) == last, seconds=60)

    def listener(self):
        """The tab that listens to the server."""
        found = []
        wait_until(lambda: found.extend(tab for tab in self.tabs if tab.evaluate(LISTENS, self.stream)) or found)
        assert len(found) == 1
        return found[0]

    def assert_each_saw_every_event_once(self):
        wanted = list(range(self.started + 1, self.flow.last() + 1))
        assert [tab.evaluate("seen") for tab in self.tabs] == [wanted] * len(self.tabs)
        best = str(depth(self.instrument.id).best_bid)
        for tab in self.tabs:
            tab.bring_to_front()  # what is not in front is drawn when the browser likes
            wait_until(lambda tab=tab: tab.locator("#bids tr").first.get_attribute("data-price") == best)
        assert all(tab.locator("#stale").is_hidden() for tab in self.tabs)
        print(f"\n{len(wanted)} events, each seen once by {len(self.tabs)} tabs")


def test_the_tab_that_listens_is_closed_or_crashes_and_another_goes_on(world):
    with chromium() as browser:
        world.open_tabs(browser, 6)
        world.flow.act(8)
        world.reach()
        for end in (close, crash, close):
            listener = world.listener()
            world.tabs.remove(listener)
            end(listener)
            world.flow.act(8)
            world.reach()
        assert len(world.tabs) == 3
        world.assert_each_saw_every_event_once()


def close(tab):
    tab.close()


def crash(tab):
    with contextlib.suppress(Exception):
        tab.goto("chrome://crash", timeout=3000)


def test_the_tab_that_listens_hangs_and_another_takes_over_until_it_is_back(world):
    with chromium() as browser:
        world.open_tabs(browser, 3)
        world.flow.act(5)
        world.reach()
        hung = world.listener()
        others = [tab for tab in world.tabs if tab is not hung]
        debugger = hung.context.new_cdp_session(hung)
        debugger.send("Debugger.enable")
        debugger.send("Debugger.pause")
        world.flow.act(10)
        # Nobody says that it hangs: silence does.
        world.reach(others)
        debugger.send("Debugger.resume")
        debugger.send("Debugger.disable")
        world.reach()
        # The one that hung is in the line again.
        for tab in others:
            tab.close()
        world.tabs = [hung]
        world.flow.act(5)
        world.reach()
        world.assert_each_saw_every_event_once()


def test_a_line_that_is_dead_without_a_word_is_noticed_and_nothing_is_missed_after_it(world):
    with chromium() as browser:
        world.open_tabs(browser, 3)
        world.flow.act(5)
        world.reach()
        world.line.hush()
        world.flow.act(20)
        for tab in world.tabs:
            tab.locator("#stale").wait_for(state="visible", timeout=20_000)
        world.tabs[0].wait_for_timeout((QUIET_SECONDS - 12) * 1000)
        world.line.speak()
        world.reach()
        world.assert_each_saw_every_event_once()


def test_a_tab_that_was_out_of_sight_is_told_what_it_missed_though_nothing_more_happens(world):
    with chromium() as browser:
        world.open_tabs(browser, 2)
        world.flow.act(3)
        world.reach()
        listener = world.listener()
        hidden = next(tab for tab in world.tabs if tab is not listener)
        sight(hidden, is_hidden=True)
        world.flow.act(6)
        world.reach([listener])
        assert number_of(hidden) != number_of(listener)

        sight(hidden, is_hidden=False)
        world.reach()
        # And the other way round: it takes over where the one that listened goes out of sight.
        sight(listener, is_hidden=True)
        world.flow.act(6)
        world.reach([hidden])
        sight(listener, is_hidden=False)
        world.reach()
        assert [tab.locator("#stale").is_hidden() for tab in world.tabs] == [True, True]


def sight(tab, *, is_hidden):
    """As a browser tells a page whether anybody sees it."""
    tab.evaluate(
        """isHidden => {
            Object.defineProperty(document, "hidden", { get: () => isHidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )
