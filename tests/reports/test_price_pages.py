"""The public price pages: what they show with nothing, with a day and with many, and that their files are proved."""

import csv
import html
import io
import json
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.test import Client

from ledger.clock import database_now
from ledger.proof.configured import configured_sealer
from ledger.proof.keys import make_key
from market.models import Instrument
from market.prices.candles import fold_all
from market.prices.concentration import count_concentrations
from market.prices.index import ClassPrice, IndexDay
from market.prices.models import IndexPublication
from market.prices.publishing import publish_index
from market.prices.reference import record_reference
from market.prices.statistics import day_figures
from portal.reports.figures import chart, class_rows
from tests.ledger.builders import given, some_wallet
from tests.market.builders import some_instrument
from tests.market.prices.test_candles import copied_trades

db = pytest.mark.django_db(transaction=True)
PAGES = ("/index/", "/index/conversion/", "/index/concentration/")


@pytest.fixture
def _published(settings, tmp_path: Path) -> None:
    """Three days of H100 trades, published and signed; two wallets that hold some."""
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key.pem")
    instrument = some_instrument()
    copied_trades(instrument, 400)
    for name in ("Ada Byron", "Ben Okri"):
        given(some_wallet(name), instrument.asset, 36_000)
    fold_all()
    publish_index(configured_sealer(), now=database_now())
    count_concentrations(now=database_now())


def words(page: bytes) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.decode())).split())


@db
def test_with_nothing_traded_the_pages_say_what_comes_next():
    visitor = Client()

    said = [words(visitor.get(path).content) for path in PAGES]

    assert "No price has been published yet" in said[0]
    assert "H100 in A100 3.17 A100-h/H100-h" in said[1]
    assert "Nothing has been counted yet" in said[2]
    assert visitor.get("/index/index.json").status_code == 404


@db
@pytest.mark.usefixtures("_published")
def test_the_index_shows_each_class_with_its_units_and_where_the_price_is_from():
    page = words(Client().get("/index/").content)
    newest = json.loads(IndexPublication.objects.latest("day").json_line)
    h100 = next(each for each in newest["classes"] if each["gpu_class"] == "H100")

    assert f" {(h100['per_gpu_hour'] + 50) // 100 / 100:.2f} " in page
    for said in ("cr/GPU-h", "cr/PFLOP-h", "too little traded", "the day so far", "TFLOPS BF16", "version 1", "989"):
        assert said in page


@db
@pytest.mark.usefixtures("_published")
def test_what_the_page_tells_people_to_run_proves_the_files(live_server):
    """The very code on the page, in a Python of its own without this project on its path."""
    page = Client().get("/index/", HTTP_HOST=live_server.url.removeprefix("http://")).content.decode()
    code = html.unescape(re.search(r'<pre class="mono" tabindex="0">(.*?)</pre>', page, re.DOTALL)[1])
    run = [sys.executable, "-I", "-c", code]

    done = subprocess.run(run, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    assert "hourglass-index/v1" in done.stdout

    row = IndexPublication.objects.latest("day")
    IndexPublication.objects.filter(id=row.id).update(json_line=row.json_line.replace('"H100"', '"B100"'))
    forged = subprocess.run(run, capture_output=True, text=True, cwd="/", check=False)
    assert forged.returncode != 0


@db
@pytest.mark.usefixtures("_published")
def test_each_series_is_told_with_its_reference_price_and_what_that_rests_on():
    instrument = Instrument.objects.get()
    stored = record_reference(instrument.id)
    day = day_figures([instrument.id], now=database_now())[instrument.id]

    page = words(Client().get("/index/").content)

    said = page[page.index("Each series") :]
    assert f"H100-2026Q4 {stored.price / 100:.2f}" in said
    hours = (stored.window_to - stored.window_from) // timedelta(hours=1)
    assert f"{stored.trades} trades in {hours} h" in said
    assert f"{day.average / 100:.2f} {day.low / 100:.2f} – {day.high / 100:.2f} {day.volume / 100:,.2f}" in said


@db
@pytest.mark.usefixtures("_published")
def test_both_files_say_the_same():
    visitor = Client()
    days = visitor.get("/index/index.json").json()
    rows = list(csv.DictReader(io.StringIO(visitor.get("/index/index.csv").content.decode())))

    assert len(days) == IndexPublication.objects.count()
    for day in days:
        mine = {row["class"]: row for row in rows if row["day"] == day["day"]}
        for each in day["classes"]:
            said = mine[each["gpu_class"]]["cr_per_gpu_hour"]
            assert (round(float(said) * 10_000) if said else None) == each["per_gpu_hour"]
    again = visitor.get("/index/index.csv", headers={"If-None-Match": visitor.get("/index/index.csv")["ETag"]})
    assert again.status_code == 304


@db
@pytest.mark.usefixtures("_published")
def test_concentration_tells_figures_and_no_names():
    page = words(Client().get("/index/concentration/").content)

    assert "H100-2026Q4" in page
    assert "5000 high" in page
    assert "100.0 %" in page
    assert "Byron" not in page
    assert "Okri" not in page


@db
@pytest.mark.usefixtures("_published")
def test_each_page_is_a_few_statements(django_assert_max_num_queries):
    visitor = Client()
    for path in PAGES:
        with django_assert_max_num_queries(4):
            assert visitor.get(path).status_code == 200


@db
@pytest.mark.usefixtures("_published")
def test_the_conversion_says_what_the_market_implies():
    row = IndexPublication.objects.latest("day")
    said = json.loads(row.json_line)
    for each in said["classes"]:
        if each["gpu_class"] == "A100":
            each |= {"basis": "TRADES", "from_day": said["day"], "per_gpu_hour": 10_000, "per_pflop_hour": 32_051}
        if each["gpu_class"] == "H100":
            each |= {"basis": "TRADES", "from_day": said["day"], "per_gpu_hour": 20_000, "per_pflop_hour": 20_222}
    IndexPublication.objects.filter(id=row.id).update(json_line=json.dumps(said))

    page = words(Client().get("/index/conversion/").content)

    assert "H100 in A100 3.17 A100-h/H100-h" in page
    assert "2.00 A100-h/H100-h −36.9 %" in page


def some_day(day: date, **prices: int) -> IndexDay:
    classes = tuple(
        ClassPrice(name, 989, "TRADES", day.isoformat(), price, price, 100, 3, 0, ()) for name, price in prices.items()
    )
    return IndexDay(day, True, classes, None, 1)


def test_lines_are_drawn_oldest_first_and_the_change_is_on_the_day_before():
    first = date(2026, 11, 1)
    days = [some_day(first + timedelta(2), H100=300, A100=200), some_day(first + timedelta(1), H100=100),
            some_day(first, H100=200)]  # fmt: skip

    drawn = chart(days, lambda price: price.per_gpu_hour)

    assert [(line.name, line.points, line.newest) for line in drawn.lines] == [
        ("H100", "0.0,100.0 320.0,194.0 640.0,6.0", 300)
    ]
    assert (drawn.low, drawn.high, drawn.first, drawn.last) == (100, 300, days[2].day, days[0].day)
    assert [(row.price.gpu_class, row.change) for row in class_rows(days)] == [("H100", 200), ("A100", None)]
    assert chart(days[:1], lambda price: price.per_gpu_hour) is None
