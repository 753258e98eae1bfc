"""The price index: what a GPU-hour and a PFLOP-hour of each class cost on a day. Pure.

Method 1. A class is a GPU type of the published file; its series are those whose definition names the type and the
file's dense BF16 TFLOPS. Of a UTC day count all trades in these series but flagged ones, and but series that expire
within seven days after it: what runs out is not the price of a GPU-hour. The price is their volume-weighted average,
per GPU-hour, and per PFLOP-hour by dividing by the file's figure. With fewer than 3 trades or less than 1 GPU-hour the
last price of at most seven days before is carried and says so; after that there is none. Over all classes there is a
price per PFLOP-hour alone, of the classes with enough trades of the day itself. Prices are in 1/10,000 credit, rounded
to the nearest, halves up.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from market.prices.candles import nearest
from market.prices.hardware import Hardware

METHOD = 1
MINIMUM_TRADES = 3
MINIMUM_LOTS = 100
CARRIED_DAYS = 7
LAST_DAYS = timedelta(days=7)
UNITS_PER_TICK = 100
GIGA = 1_000
HEAD = "hourglass-index/v1"
CSV_HEAD = "day,class,cr_per_gpu_hour,cr_per_pflop_hour,volume_gpu_hours,trades,excluded,basis,from,final,method\n"


@dataclass(frozen=True)
class SeriesDay:
    """One series' trades of a day: lots and value (1/10,000 credit) of those that are not flagged."""

    code: str
    gpu_class: str
    tflops: int
    trades: int
    excluded: int
    volume: int
    value: int


@dataclass(frozen=True)
class ClassPrice:
    """A class on a day. `basis` is TRADES, CARRIED (from the day `from_day`) or NONE; prices in 1/10,000 credit."""

    gpu_class: str
    tflops: int
    basis: str
    from_day: str | None
    per_gpu_hour: int | None
    per_pflop_hour: int | None
    volume: int
    trades: int
    excluded: int
    series: tuple[str, ...]


@dataclass(frozen=True)
class IndexDay:
    """One day of the index."""

    day: date
    final: bool
    classes: tuple[ClassPrice, ...]
    all_per_pflop_hour: int | None
    hardware: int
    method: int = METHOD


def index_day(
    day: date, rows: Sequence[SeriesDay], *, earlier: Mapping[str, ClassPrice], hardware: Hardware, final: bool
) -> IndexDay:
    """The day's prices. `earlier` has each class's price of the day before, carried ones included."""
    classes = []
    for each in hardware.classes:
        mine = [row for row in rows if row.gpu_class == each.code and row.tflops == each.tflops]
        classes.append(_class_price(day, each.code, each.tflops, mine, earlier.get(each.code)))
    counted = [(row, row.tflops) for row in rows for price in classes if _counts(row, price)]
    work = sum(row.volume * tflops for row, tflops in counted)
    value = sum(row.value for row, _ in counted)
    return IndexDay(day, final, tuple(classes), nearest(value * UNITS_PER_TICK * GIGA, work), hardware.version)


def _counts(row: SeriesDay, price: ClassPrice) -> bool:
    return price.basis == "TRADES" and row.gpu_class == price.gpu_class and row.tflops == price.tflops


def _class_price(day: date, code: str, tflops: int, rows: Sequence[SeriesDay], before: ClassPrice | None) -> ClassPrice:
    volume, value = sum(row.volume for row in rows), sum(row.value for row in rows)
    trades, excluded = sum(row.trades for row in rows), sum(row.excluded for row in rows)
    series = tuple(sorted(row.code for row in rows))
    if trades - excluded >= MINIMUM_TRADES and volume >= MINIMUM_LOTS:
        hour = nearest(value * UNITS_PER_TICK, volume)
        work = nearest(value * UNITS_PER_TICK * GIGA, volume * tflops)
        return ClassPrice(code, tflops, "TRADES", day.isoformat(), hour, work, volume, trades, excluded, series)
    if before is not None and before.from_day and day - date.fromisoformat(before.from_day) <= timedelta(CARRIED_DAYS):
        hour, work = before.per_gpu_hour, before.per_pflop_hour
        return ClassPrice(code, tflops, "CARRIED", before.from_day, hour, work, volume, trades, excluded, series)
    return ClassPrice(code, tflops, "NONE", None, None, None, volume, trades, excluded, series)


def json_line(one: IndexDay) -> str:
    """The day as canonical JSON: sorted keys, no spaces, ASCII."""
    said = asdict(one) | {"day": one.day.isoformat(), "unit": "1/10000 cr"}
    return json.dumps(said, sort_keys=True, separators=(",", ":"))


def read_line(line: str) -> IndexDay:
    said = json.loads(line)
    classes = tuple(ClassPrice(**(each | {"series": tuple(each["series"])})) for each in said["classes"])
    return IndexDay(
        date.fromisoformat(said["day"]), said["final"], classes, said["all_per_pflop_hour"], said["hardware"],
        said["method"],
    )  # fmt: skip


def csv_lines(one: IndexDay) -> str:
    """The day's rows, a class each, and the one over all classes."""
    rows: list[tuple[str | int, ...]] = [
        (
            each.gpu_class, _decimal(each.per_gpu_hour), _decimal(each.per_pflop_hour), f"{_hours(each.volume)}",
            each.trades, each.excluded, each.basis, each.from_day or "",
        )
        for each in one.classes
    ]  # fmt: skip
    rows.append(("ALL", "", _decimal(one.all_per_pflop_hour), "", "", "", "", ""))
    last = "yes" if one.final else "no", one.method
    return "".join(",".join(str(cell) for cell in (one.day.isoformat(), *row, *last)) + "\n" for row in rows)


def json_file(lines: Iterable[str]) -> str:
    """The whole history: one day a line, between brackets."""
    return "[\n" + ",\n".join(lines) + "\n]\n"


def csv_file(lines: Iterable[str]) -> str:
    return CSV_HEAD + "".join(lines)


def statement(*, origin: str, one: IndexDay, json_bytes: bytes, csv_bytes: bytes) -> str:
    """What is signed: whose index it is, its last day and method, and the hashes of both files."""
    return "\n".join(
        (
            HEAD,
            f"origin {origin}",
            f"day {one.day.isoformat()} {'final' if one.final else 'running'}",
            f"method {one.method}",
            f"json sha256 {hashlib.sha256(json_bytes).hexdigest()}",
            f"csv sha256 {hashlib.sha256(csv_bytes).hexdigest()}",
            "",
        )
    )


def _decimal(units: int | None) -> str:
    return "" if units is None else f"{units // 10_000}.{units % 10_000:04d}"


def _hours(lots: int) -> str:
    return f"{lots // 100}.{lots % 100:02d}"
