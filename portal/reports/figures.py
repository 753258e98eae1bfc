"""What the public price pages show: the index by day, its lines, and how its files are proved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from market.models import Instrument
from market.prices.index import ClassPrice, IndexDay
from market.prices.models import ReferencePrice
from market.prices.reference import newest_references
from market.prices.statistics import DayFigures, day_figures

# How anybody proves the files, as the index's page prints it: nothing of ours, only an Ed25519 library.
PROVING = """\
import base64, hashlib, urllib.request
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

def get(path):
    return urllib.request.urlopen("{site}" + path).read()

note = get("/index/index.note").decode()
text, signature = note.rsplit("\\n\\n", 1)
key = get("/log/key").decode().split("\\n")[0].split("+", 2)[2]  # compare it with one you trust
Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(
    base64.b64decode(signature.split()[-1])[4:], (text + "\\n").encode())
for kind in ("json", "csv"):
    digest = hashlib.sha256(get("/index/index." + kind)).hexdigest()
    assert kind + " sha256 " + digest in text
print(text)
"""

# A drawing of so many units; the page stretches it.
WIDTH, HEIGHT, MARGIN = 640, 200, 6
SHOWN_DAYS = 90


@dataclass(frozen=True)
class Line:
    """One class through the days: its points in units of the drawing, and its newest value in 1/10,000 credit."""

    name: str
    points: str
    newest: int


@dataclass(frozen=True)
class Chart:
    """Lines of several classes on one scale; low and high in 1/10,000 credit."""

    lines: list[Line]
    low: int
    high: int
    first: date
    last: date


@dataclass(frozen=True)
class ClassRow:
    """A class on the newest day, with what it was the day before."""

    price: ClassPrice
    change: int | None

    @property
    def basis(self) -> str:
        return self.price.basis


def class_rows(days: Sequence[IndexDay]) -> list[ClassRow]:
    """The newest day's classes. `days` is the newest first."""
    if not days:
        return []
    before = {each.gpu_class: each for each in days[1].classes} if len(days) > 1 else {}
    return [ClassRow(each, _change(each, before.get(each.gpu_class))) for each in days[0].classes]


def _change(now: ClassPrice, before: ClassPrice | None) -> int | None:
    if before is None or now.per_gpu_hour is None or before.per_gpu_hour is None:
        return None
    return now.per_gpu_hour - before.per_gpu_hour


@dataclass(frozen=True)
class SeriesRow:
    """A series: its reference price and what that rests on, and its last 24 hours."""

    instrument: Instrument
    reference: ReferencePrice | None
    day: DayFigures | None

    @property
    def window_hours(self) -> int:
        """How long the window was of which the reference price is."""
        if self.reference is None:
            return 0
        return int((self.reference.window_to - self.reference.window_from).total_seconds() // 3600)


def series_rows(*, now: datetime) -> list[SeriesRow]:
    """The living series, those that expire first before the others, in three statements."""
    living = Instrument.objects.select_related("asset").filter(asset__expires_at__gt=now)
    found = list(living.order_by("asset__expires_at", "code"))
    days, references = day_figures([each.id for each in found], now=now), newest_references()
    return [SeriesRow(each, references.get(each.id), days.get(each.id)) for each in found]


def chart(days: Sequence[IndexDay], value: Callable[[ClassPrice], int | None]) -> Chart | None:
    """The classes' lines, oldest day at the left; None where there are not two days with a price."""
    ordered = list(reversed(days))
    found: dict[str, list[tuple[int, int]]] = {}
    for place, day in enumerate(ordered):
        for each in day.classes:
            if (price := value(each)) is not None:
                found.setdefault(each.gpu_class, []).append((place, price))
    drawn = {name: points for name, points in found.items() if len(points) > 1}
    if not drawn:
        return None
    prices = [price for points in drawn.values() for _, price in points]
    low, high = min(prices), max(prices)
    lines = [
        Line(name, " ".join(_point(place, price, low, high, len(ordered)) for place, price in points), points[-1][1])
        for name, points in drawn.items()
    ]
    return Chart(lines, low, high, ordered[0].day, ordered[-1].day)


def _point(place: int, price: int, low: int, high: int, count: int) -> str:
    across = place * WIDTH / (count - 1)
    inner = HEIGHT - 2 * MARGIN
    down = MARGIN + (inner / 2 if high == low else inner * (high - price) / (high - low))
    return f"{across:.1f},{down:.1f}"
