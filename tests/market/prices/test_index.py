"""The index's method by itself: on drawn days, and on real list prices and measured ratios."""

import csv
import statistics
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from market.prices.hardware import hardware
from market.prices.index import ClassPrice, IndexDay, SeriesDay, csv_lines, index_day, json_line, read_line

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
DAY = date(2026, 11, 2)
TFLOPS = {each.code: each.tflops for each in hardware().classes}


def sold(code: str, *trades: tuple[int, int], excluded: int = 0, tflops: int | None = None) -> SeriesDay:
    """A series' day: (price in ticks, lots) of each clean trade, and how many flagged ones beside them."""
    gpu = code.split("-")[0]
    return SeriesDay(
        code, gpu, tflops or TFLOPS[gpu], len(trades) + excluded, excluded,
        sum(lots for _, lots in trades), sum(price * lots for price, lots in trades),
    )  # fmt: skip


def computed(*rows: SeriesDay, earlier: IndexDay | None = None, day: date = DAY) -> IndexDay:
    before = {each.gpu_class: each for each in earlier.classes} if earlier else {}
    return index_day(day, rows, earlier=before, hardware=hardware(), final=True)


def of(found: IndexDay, gpu: str) -> ClassPrice:
    return next(each for each in found.classes if each.gpu_class == gpu)


def test_a_class_is_the_average_of_its_series_by_volume():
    found = computed(sold("H100-2026Q4", (314, 100), (316, 300)), sold("H100-2027Q1", (300, 200)))

    # (31,400 + 94,800 + 60,000) / 600 ticks = 310.333…
    assert of(found, "H100").per_gpu_hour == 31_033
    assert of(found, "H100").per_pflop_hour == 31_378  # 31,033.33 / 0.989 = 31,378.499
    assert (of(found, "H100").trades, of(found, "H100").volume, of(found, "H100").series) == (
        3, 600, ("H100-2026Q4", "H100-2027Q1"),
    )  # fmt: skip
    assert of(found, "A100").basis == "NONE"


def test_over_all_classes_work_is_what_is_weighed():
    found = computed(
        sold("A100-X", (190, 100), (190, 100), (190, 100)), sold("B200-X", (560, 50), (560, 50), (560, 50))
    )

    value = (190 * 300 + 560 * 150) * 100
    work = Fraction(300 * 312 + 150 * 2250, 1000)
    assert found.all_per_pflop_hour == round(Fraction(value) / work)


def test_too_little_is_carried_for_seven_days_and_says_so():
    first = computed(sold("H100-X", (314, 100), (316, 100), (318, 100)))
    found, days = first, []
    for count in range(1, 10):
        found = computed(sold("H100-X", (900, 50)), earlier=found, day=DAY + timedelta(count))
        days.append((of(found, "H100").basis, of(found, "H100").per_gpu_hour))

    assert days == [("CARRIED", 31_600)] * 7 + [("NONE", None)] * 2
    assert found.all_per_pflop_hour is None


def test_flagged_trades_do_not_help_to_reach_the_minimum():
    assert of(computed(sold("H100-X", (314, 100), (316, 100), excluded=5)), "H100").basis == "NONE"


def test_a_series_of_other_hardware_is_in_no_class():
    found = computed(sold("H100-PCIE", (100, 900), (100, 900), (100, 900), tflops=756))

    assert of(found, "H100").basis == "NONE"


def test_a_day_is_read_back_from_its_line_as_it_was():
    found = computed(sold("H100-X", (314, 100), (316, 100), (318, 101)))

    assert read_line(json_line(found)) == found
    assert json_line(found).isascii()
    rows = list(csv.reader(csv_lines(found).splitlines()))
    assert [row[1] for row in rows] == ["A100", "H100", "H200", "B200", "B300", "ALL"]
    assert rows[1][2:9] == ["3.1601", "3.1952", "3.01", "3", "0", "TRADES", "2026-11-02"]


@pytest.fixture(scope="module")
def list_prices() -> dict[str, dict[str, tuple[Fraction, int]]]:
    """Month by month: the list price of each GPU, and how many providers it is the median of."""
    path = DATA / "gpu-prices" / "monthly_list_prices.csv"
    if not path.exists():
        pytest.skip("the recorded list prices are not here")
    months: dict[str, dict[str, tuple[Fraction, int]]] = {}
    for row in csv.DictReader(path.open()):
        months.setdefault(row["month"], {})[row["gpu"]] = Fraction(row["usd_per_gpu_hour"]), int(row["providers"])
    return months


def test_on_real_list_prices_it_says_what_they_say(list_prices):
    """A month as a day, a provider as a trade of one GPU-hour at list price: the index is that price, to the tick."""
    count, day, found = 0, DAY, None
    for month, prices in sorted(list_prices.items()):
        rows = [
            sold(f"{gpu}-{month}", *[(round(price * 100), 100)] * providers)
            for gpu, (price, providers) in prices.items()
        ]
        day += timedelta(30)
        found = computed(*rows, day=day, earlier=found)
        for gpu, (price, _) in prices.items():
            one = of(found, gpu)
            assert one.basis == "TRADES"
            assert abs(Fraction(one.per_gpu_hour, 10_000) - price) <= Fraction(5, 1000)
            exact = Fraction(round(price * 100), 100) / Fraction(TFLOPS[gpu], 1000)
            assert abs(Fraction(one.per_pflop_hour, 10_000) - exact) <= Fraction(1, 20_000)
            count += 1
        assert {one.basis for one in found.classes if one.gpu_class not in prices} == {"NONE"}
    print(f"{count} list prices of {len(list_prices)} months agree")
    assert count == 47


def test_on_real_list_prices_newer_hardware_is_cheaper_by_the_work_it_does(list_prices):
    """An A100-hour costs less than an H100-hour; a PFLOP-hour costs less on the H100, every month that has both."""
    both = [prices for prices in list_prices.values() if {"A100", "H100"} <= prices.keys()]
    assert len(both) >= 10
    for prices in both:
        found = computed(*(sold(f"{gpu}-X", *[(round(price * 100), 100)] * n) for gpu, (price, n) in prices.items()))
        assert of(found, "A100").per_gpu_hour < of(found, "H100").per_gpu_hour
        assert of(found, "A100").per_pflop_hour > of(found, "H100").per_pflop_hour


def test_the_published_file_says_what_its_sources_say():
    folder = DATA / "gpu-reference"
    if not folder.exists():
        pytest.skip("the reference tables are not here")
    specs = {
        row["gpu"].split("-")[0]: row for row in csv.DictReader((folder / "specs.csv").open()) if "SXM" in row["gpu"]
    }
    for each in hardware().classes:
        assert each.tflops == int(specs[each.code]["dense_bf16_tflops"]), each.code
        assert each.year == int(specs[each.code]["year"])
    rows = list(csv.DictReader((folder / "measured_ratios.csv").open()))
    for said in hardware().measured:
        key = {"lambdal": "Lambda", "MLPerf": "MLPerf", "stas00": "MAMF matmul bf16"}[
            said.source.split("/")[0].split()[0]
        ]
        speeds = [
            Fraction(row["speedup"])
            for row in rows
            if key in row["source"]
            and row["from_gpu"].startswith(said.from_)
            and row["to_gpu"].startswith(said.to)
            and "PCIe" not in row["to_gpu"]
        ]
        assert (len(speeds), statistics.median(speeds)) == (said.runs, said.ratio), said
