"""axe-core finds nothing on any main page, by day and by night, wide and narrow."""

import json
from pathlib import Path

import pytest
from django.test import Client

from portal.trading.alerts import fire_alerts
from tests.browser import chromium, in_chinese, open_page
from tests.journeys.test_looks import pages_of
from tests.journeys.world import make, some_alert
from tests.market.builders import placed, some_trader

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = Path(__file__).resolve().parents[1] / "vendor" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SKIPPED = "/admin/"  # Unfold's pages, not ours
OPENED = ("#ticket details.more", "#mine details.amend", "details.candles", "details.desk-about", "#fired-alerts")


def signed_in(browser, live_server, person, *, language, **options):
    page = open_page(browser, live_server.url, **options)
    if language == "zh":
        in_chinese(page, live_server.url)
    if person is not None:
        client = Client()
        client.force_login(person)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        page.context.add_cookies([cookie])
    return page


def violations(page):
    """What axe says is wrong, one line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text() + ";null")
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", RULES
    )
    return [f"{v['id']}: {n['target']} {n['failureSummary']}" for v in found["violations"] for n in v["nodes"]]


EACH = [(language, width, dark) for language in ("en", "zh") for width in (1280, 390) for dark in (False, True)]


# In Chinese the texts change and no colour does: once by day and once by night.
@pytest.mark.parametrize(
    ("language", "width", "dark"), [each for each in EACH if each[0] == "en" or (each[1] == 390) == each[2]]
)
def test_axe_finds_nothing_on_any_main_page(live_server, settings, tmp_path, dark, width, language):
    two = make(settings, tmp_path)
    researcher, instrument = two.people["researcher"], two.here.series.instrument
    some_alert(researcher, instrument)
    maker = some_trader(instrument, "Maker")
    for side, price in (("SELL", 950), ("BUY", 950), ("SELL", 990), ("BUY", 120)):
        placed(instrument, maker if side == "SELL" else some_trader(instrument, f"T{price}"), side, 50, price)
    assert fire_alerts()
    desk = f"/market/{instrument.code}/"
    pages = [(role, path) for role, path in pages_of(two) if not path.startswith(SKIPPED)]
    found = {}
    with chromium() as browser:
        by_role = {}
        for role, path in pages:
            if role not in by_role:
                by_role[role] = signed_in(
                    browser, live_server, two.people[role], language=language, dark=dark, width=width
                )
            by_role[role].goto(path)
            assert by_role[role].evaluate("document.documentElement.lang").startswith(language)
            if wrong := violations(by_role[role]):
                found[f"{role} {path}"] = wrong
        page = by_role["researcher"]
        page.goto(desk)
        for opened in OPENED:
            page.locator(f"{opened} > summary").first.click()
        if wrong := violations(page):
            found["desk, opened"] = wrong
        page.keyboard.press("Escape")
        page.locator("#keys-open").click()
        if wrong := violations(page):
            found["keys"] = wrong

    print(f"\n{len(pages) + 2} pages at {width} px in {language}")
    assert found == {}, json.dumps(found, indent=1)
