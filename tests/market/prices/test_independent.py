"""The index and the concentration again by somebody else's arithmetic, from rows of the tables."""

import base64
import csv
import hashlib
import io
import json
import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection
from django.test import Client

from ledger.assets import define_pool_series
from ledger.clock import database_now
from ledger.proof.configured import configured_sealer
from ledger.proof.keys import make_key
from market.instruments import open_instrument
from market.models import Instrument, Trade
from market.prices.candles import fold_all
from market.prices.concentration import count_concentrations
from market.prices.publishing import publish_index, published
from tests.ledger.builders import FAR, given, ruled, some_wallet
from tests.market.builders import some_instrument
from tests.market.prices.test_candles import flagged

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = 4


@pytest.fixture(autouse=True)
def _key(settings, tmp_path: Path) -> None:
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key.pem")


def an_a100() -> Instrument:
    now = database_now()
    series = define_pool_series(
        code="A100-2026Q4", resource_class="a100-sxm-80gb", gpu_type="a100", gpu_memory_gb=80, network_gbps=200,
        priority="normal", dense_bf16_tflops=312, starts_at=datetime(2026, 1, 1, tzinfo=UTC), expires_at=FAR, now=now,
    )  # fmt: skip
    return open_instrument(asset_id=series.id, now=now)


def with_trades(instrument: Instrument, around: int, chance: random.Random, *, now: datetime, rows: int = 200) -> None:
    """Evenly over the days before `now`: the earlier the first of them begins, the more of them are in it."""
    Trade.objects.bulk_create(
        Trade(
            transfer_id=10**9 + 10**6 * instrument.id + number, instrument=instrument, number=number, maker_id=1,
            taker_id=2, taker_side="BUY", price=around + chance.randint(-9, 9), quantity=chance.randint(1, 900),
            traded_at=now - timedelta(days=DAYS) + (timedelta(days=DAYS) * number) / (rows + 1),
        )
        for number in range(1, rows + 1)
    )  # fmt: skip
    Instrument.objects.filter(id=instrument.id).update(last_trade=rows)
    fold_all()
    flagged(instrument, *chance.sample(range(1, rows + 1), 15))


def rounded(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))


def in_credits(price: int | None) -> str:
    return "" if price is None else f"{price // 10_000}.{price % 10_000:04d}"


def by_hand() -> dict[tuple[str, str], tuple[int, int]]:
    """Prices of a GPU-hour and of a PFLOP-hour in 1/10,000 credit, by day and class, from trades and flags alone.

    No price of fewer than three trades, or of less than a GPU-hour; what a class has no price of is in none of all.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (t.traded_at AT TIME ZONE 'UTC')::date, upper(a.gpu_type), a.dense_bf16_tflops, t.price, t.quantity
            FROM market_trade t
            JOIN market_instrument i ON i.id = t.instrument_id JOIN ledger_asset a ON a.id = i.asset_id
            WHERE NOT EXISTS (
                SELECT 1 FROM market_tradeflag f WHERE f.trade_id = t.transfer_id AND f.status <> 'CLEARED'
            )
            """
        )
        groups: dict[tuple[date, str], list[tuple[int, int, int]]] = defaultdict(list)
        for day, name, tflops, price, quantity in cursor.fetchall():
            groups[day, name].append((tflops, price, quantity))
    for key, rows in list(groups.items()):
        if len(rows) < 3 or sum(quantity for *_, quantity in rows) < 100:
            del groups[key]
        else:
            groups[key[0], "ALL"] += rows
    found = {}
    for (day, name), rows in groups.items():
        credits = sum(Fraction(price * quantity, 10_000) for _, price, quantity in rows)
        hours = sum(Fraction(quantity, 100) for *_, quantity in rows)
        work = sum(Fraction(tflops * quantity, 100_000) for tflops, _, quantity in rows)
        found[day.isoformat(), name] = rounded(credits / hours * 10_000), rounded(credits / work * 10_000)
    return found


@pytest.mark.parametrize(("hour", "priced"), [(12, 2 * (DAYS + 1)), (23, 2 * DAYS)], ids=["noon", "before midnight"])
def test_the_published_files_say_what_the_trades_say_and_the_public_key_alone_proves_them(
    client: Client, hour: int, priced: int
):
    # Of the first day an hour was traded, or twelve: too little for a price, or enough.
    now = (database_now() - timedelta(days=1)).replace(hour=hour, minute=0)
    chance = random.Random(20261123)
    with_trades(some_instrument(), 250, chance, now=now)
    with_trades(an_a100(), 120, chance, now=now)
    publish_index(configured_sealer(), now=now)
    expected = by_hand()

    answers = {name: client.get(f"/index/{name}").content for name in ("index.json", "index.csv", "index.note")}
    days, compared = json.loads(answers["index.json"]), 0
    assert len(days) == DAYS + 1
    for one in days:
        for each in one["classes"]:
            prices = expected.get((one["day"], each["gpu_class"]))
            assert (each["basis"] == "TRADES") == (prices is not None)
            if prices is not None:
                assert (each["per_gpu_hour"], each["per_pflop_hour"]) == prices
                compared += 1
        assert one["all_per_pflop_hour"] == expected.get((one["day"], "ALL"), (None, None))[1]
    assert compared == priced
    for row in csv.DictReader(io.StringIO(answers["index.csv"].decode())):
        per_hour, per_work = expected.get((row["day"], row["class"]), (None, None))
        if row["class"] == "ALL":
            assert row["cr_per_pflop_hour"] == in_credits(per_work)
        elif row["basis"] == "TRADES":
            assert row["cr_per_gpu_hour"] == in_credits(per_hour)

    name, _, encoded = client.get("/log/key").content.decode().strip().split("+", 2)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    text, signature = answers["index.note"].decode().split("\n\n")
    signature = base64.b64decode(signature.split("\n")[0].removeprefix(f"\u2014 {name} "))[4:]
    key.verify(signature, f"{text}\n".encode())
    for file in ("json", "csv"):
        assert f"{file} sha256 {hashlib.sha256(answers[f'index.{file}']).hexdigest()}" in text.splitlines()
    with pytest.raises(InvalidSignature):
        key.verify(signature, f"{text} \n".encode())
    assert published().json_file == answers["index.json"]


def test_concentration_is_that_of_the_accounts_by_the_plainest_formulas():
    instrument, chance = some_instrument(), random.Random(7)
    wallets = [some_wallet(f"Owner {n}") for n in range(12)]
    for place, wallet in enumerate(wallets):
        given(wallet, instrument.asset, 36 * chance.randint(1, 5000))
        if place >= 9:
            ruled(wallet, owner=str(wallets[place - 9].public_id))
    count_concentrations(now=database_now())

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(a.balance)::bigint FROM ledger_account a JOIN ledger_wallet w ON w.id = a.wallet_id"
            " WHERE a.asset_id = %s AND w.kind <> 'SYSTEM' AND a.balance > 0"
            " GROUP BY coalesce(w.beneficial_owner_id, w.id)",
            [instrument.asset_id],
        )
        held = sorted(int(row[0]) for row in cursor.fetchall())
        cursor.execute("SELECT owners, held, hhi, gini, top_five, idle FROM market_concentration")
        owners, total, hhi, gini, top_five, idle = cursor.fetchone()

    shares = [Fraction(each, sum(held)) for each in held]
    apart = sum(abs(one - other) for one in held for other in held)
    assert (owners, total, idle) == (9, sum(held), 0)
    assert hhi == rounded(10_000 * sum(share**2 for share in shares))
    assert gini == rounded(10_000 * Fraction(apart, 2 * len(held) * sum(held)))
    assert top_five == rounded(10_000 * sum(shares[-5:]))
