"""Publishing the index: each day computed from candles, written down once, and signed with all days before it.

The running day is published too, marked as such, and replaced at most every ten minutes. A day is final an hour after
it ended; what is flagged or cleared later does not change it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Min

from ledger.proof.sealing import Sealer
from ledger.proof.statements import sign_statement
from market.prices import index
from market.prices.hardware import hardware
from market.prices.index import ClassPrice, IndexDay, SeriesDay
from market.prices.models import Candle, IndexPublication

FINAL_AFTER = timedelta(hours=1)
REPLACED_AFTER = timedelta(minutes=10)
DAY = 86_400
# So many days are written in one round; the next round goes on.
MOST_DAYS = 40
_LOCK = 0x1D8F_0001

_SERIES = """
    SELECT i.code, upper(a.gpu_type), coalesce(a.dense_bf16_tflops, 0), c.trades, c.excluded, c.clean_volume,
        c.clean_value
    FROM market_candle c JOIN market_instrument i ON i.id = c.instrument_id JOIN ledger_asset a ON a.id = i.asset_id
    WHERE c.seconds = %s AND c.starts_at = %s AND a.expires_at > %s ORDER BY i.code
"""


@dataclass(frozen=True)
class Published:
    """Both files of all days as they are signed now, and the note over them."""

    json_file: bytes
    csv_file: bytes
    note: str
    day: date


def series_of(day: date) -> list[SeriesDay]:
    """What was traded on a day in the series that count."""
    starts_at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(_SERIES, [DAY, starts_at, starts_at + timedelta(days=1) + index.LAST_DAYS])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [SeriesDay(*figures, int(value)) for *figures, value in rows]  # type: ignore[call-arg]


@transaction.atomic(durable=True)
def publish_index(sealer: Sealer, *, now: datetime) -> int:
    """Write and sign the days that are due; answers how many. Killed anywhere, the next round does what is left."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    written = 0
    for day in _due_days(now):
        _publish(sealer, day, now)
        written += 1
    return written


def published() -> Published | None:
    """The files that the newest note is about; None before the first trade."""
    rows = list(IndexPublication.objects.order_by("day"))
    if not rows:
        return None
    lines = index.json_file(row.json_line for row in rows)
    return Published(
        lines.encode(), index.csv_file(row.csv_lines for row in rows).encode(), rows[-1].note, rows[-1].day
    )


def published_days(*, newest: int) -> list[IndexDay]:
    """The newest days, the newest first."""
    return days_before(None, most=newest)


def days_before(before: date | None, *, most: int) -> list[IndexDay]:
    """Days, the newest first, from before a day on."""
    rows = IndexPublication.objects.order_by("-day")
    if before is not None:
        rows = rows.filter(day__lt=before)
    return [index.read_line(line) for line in rows.values_list("json_line", flat=True)[:most]]


def newest_prices() -> dict[str, ClassPrice]:
    """Each class as the newest published day says it."""
    newest = published_days(newest=1)
    return {each.gpu_class: each for each in newest[0].classes} if newest else {}


def _due_days(now: datetime) -> list[date]:
    """Days after the last final one, up to today; the running day only when it is due again."""
    final = IndexPublication.objects.filter(final=True).order_by("-day").values_list("day", flat=True).first()
    if final is None:
        first: datetime | None = Candle.objects.filter(seconds=DAY).aggregate(at=Min("starts_at"))["at"]
        if first is None:
            return []
        final = first.astimezone(UTC).date() - timedelta(days=1)
    today = now.astimezone(UTC).date()
    days = [final + timedelta(days=count) for count in range(1, min((today - final).days, MOST_DAYS) + 1)]
    known = {row.day: row for row in IndexPublication.objects.filter(day__in=days)}
    due = [day for day in days if day not in known or _is_final(day, now) or _is_old(known[day], now)]
    # A note is about all days up to its own: from the first that changes, all after it are signed anew.
    return [day for day in days if due and day >= due[0]]


def _is_old(row: IndexPublication, now: datetime) -> bool:
    return now - row.published_at >= REPLACED_AFTER


def _is_final(day: date, now: datetime) -> bool:
    return now >= datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) + FINAL_AFTER


def _publish(sealer: Sealer, day: date, now: datetime) -> None:
    one = index.index_day(day, series_of(day), earlier=_earlier(day), hardware=hardware(), final=_is_final(day, now))
    line, rows = index.json_line(one), index.csv_lines(one)
    before = list(IndexPublication.objects.filter(day__lt=day).order_by("day").values_list("json_line", "csv_lines"))
    text = index.statement(
        origin=sealer.signer.name,
        one=one,
        json_bytes=index.json_file([*(said for said, _ in before), line]).encode(),
        csv_bytes=index.csv_file([*(said for _, said in before), rows]).encode(),
    )
    IndexPublication.objects.update_or_create(
        day=day,
        defaults={
            "final": one.final, "method": one.method, "json_line": line, "csv_lines": rows,
            "note": sign_statement(sealer, text), "published_at": now,
        },
    )  # fmt: skip


def _earlier(day: date) -> dict[str, ClassPrice]:
    row = IndexPublication.objects.filter(day=day - timedelta(days=1)).first()
    return {each.gpu_class: each for each in index.read_line(row.json_line).classes} if row else {}
