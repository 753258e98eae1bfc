"""The public price pages full of figures, in Chromium: nothing spills, axe finds nothing, by day and by night."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.clock import database_now
from ledger.proof.configured import configured_sealer
from ledger.proof.keys import make_key
from market.prices.candles import fold_all
from market.prices.concentration import count_concentrations
from market.prices.hardware import hardware
from market.prices.index import ClassPrice, IndexDay, csv_lines, json_line
from market.prices.models import IndexPublication
from market.prices.publishing import publish_index
from market.prices.reference import record_all
from tests.accessibility.test_axe import violations
from tests.browser import chromium, open_page
from tests.ledger.builders import given, some_wallet
from tests.market.builders import some_instrument
from tests.market.prices.test_candles import copied_trades, flagged

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGES = ("/index/", "/index/conversion/", "/index/concentration/")


def many_days() -> None:
    """A month of every class, as it was published."""
    today = database_now().date()
    for ago in range(30, 4, -1):
        day = today - timedelta(ago)
        classes = tuple(
            ClassPrice(
                each.code, each.tflops, "TRADES", day.isoformat(), 20_000 + 9_000 * place + 100 * ago,
                40_000 - 5_000 * place + 70 * ago, 12_345, 30, 1, (),
            )
            for place, each in enumerate(hardware().classes)
        )  # fmt: skip
        one = IndexDay(day, True, classes, 31_000, 1)
        IndexPublication.objects.create(
            day=day, final=False, method=1, json_line=json_line(one), csv_lines=csv_lines(one), note="",
            published_at=database_now(),
        )  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_spills_and_axe_finds_nothing(live_server, settings, tmp_path: Path, dark, width):
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key.pem")
    many_days()
    instrument = some_instrument()
    copied_trades(instrument, 500)
    for name in ("Ada", "Ben"):
        given(some_wallet(name), instrument.asset, 36_000)
    fold_all()
    flagged(instrument, 490, 491)
    record_all()
    publish_index(configured_sealer(), now=database_now())
    count_concentrations(now=database_now())

    found: dict[str, object] = {}
    with chromium() as browser:
        page = open_page(browser, live_server.url, dark=dark, width=width)
        for path in PAGES:
            page.goto(path)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
                found[f"{path} spills"] = True
            if wrong := violations(page):
                found[path] = wrong
        page.goto("/index/")
        lines = page.locator(".lines polyline").count()
        assert page.faults == []

    assert found == {}, json.dumps(found, indent=1)
    assert lines == 10
