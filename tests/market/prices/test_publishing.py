"""What is published is signed by the ledger's key, checked with the public key alone, and stays as it was."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction

from ledger.clock import database_now
from ledger.proof.configured import configured_sealer, configured_verifiers
from ledger.proof.keys import make_key
from ledger.proof.notes import BadNote, UnverifiedNote, open_note, parse_checkpoint, parse_verifier
from ledger.proof.statements import sign_statement
from market.models import Instrument, Trade
from market.prices import index
from market.prices.candles import fold_all
from market.prices.models import IndexPublication
from market.prices.publishing import publish_index, published, published_days
from tests.market.builders import some_instrument
from tests.market.prices.test_candles import copied_trades, flagged

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _key(settings, tmp_path: Path) -> None:
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key.pem")


def noon() -> datetime:
    return database_now().astimezone(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def days_of_trades(days: int = 3, rows: int = 600) -> None:
    instrument = some_instrument()
    copied_trades(instrument, rows, minutes=days * 24 * 60)
    fold_all()


def signed_hashes(note: str, key: str) -> dict[str, str]:
    """What the note says, by a public key as it stands on the site, and nothing else of ours but the note's format."""
    lines = open_note(note, [parse_verifier(key)]).splitlines()
    return {line.split()[0]: line.split()[-1] for line in lines[1:]}


def test_both_files_are_proved_by_the_public_key_alone():
    days_of_trades()
    now = database_now()

    first = Trade.objects.earliest("number").traded_at.astimezone(UTC).date()
    assert publish_index(configured_sealer(), now=now) == (now.astimezone(UTC).date() - first).days + 1

    found, key = published(), str(configured_verifiers()[0])
    said = signed_hashes(found.note, key)
    assert said["json"] == hashlib.sha256(found.json_file).hexdigest()
    assert said["csv"] == hashlib.sha256(found.csv_file).hexdigest()
    changed = found.note.replace(said["json"], "0" * 64)
    with pytest.raises(UnverifiedNote):
        signed_hashes(changed, key)
    with pytest.raises(BadNote):
        parse_checkpoint(open_note(found.note, [parse_verifier(key)]))


def test_a_statement_that_reads_as_a_checkpoint_is_not_signed():
    text = "hourglass.example/log\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

    with pytest.raises(ValueError, match="checkpoint"):
        sign_statement(configured_sealer(), text)


def test_days_become_final_once_and_the_running_one_is_replaced():
    days_of_trades()
    sealer, now = configured_sealer(), noon()
    publish_index(sealer, now=now)
    before = {row.day: (row.final, row.json_line) for row in IndexPublication.objects.all()}
    assert [final for final, _ in before.values()] == [True] * (len(before) - 1) + [False]

    assert publish_index(sealer, now=now + timedelta(minutes=9)) == 0
    assert publish_index(sealer, now=now + timedelta(minutes=10)) == 1
    assert publish_index(sealer, now=now + timedelta(hours=12, minutes=59)) == 2
    assert publish_index(sealer, now=now + timedelta(hours=13)) == 2

    after = {row.day: (row.final, row.json_line) for row in IndexPublication.objects.all()}
    finals = {day: line for day, (final, line) in before.items() if final}
    assert {day: line for day, (_, line) in after.items() if day in finals} == finals
    assert [final for final, _ in after.values()] == [True] * len(before) + [False]


def test_what_is_flagged_later_does_not_change_a_final_day():
    days_of_trades()
    sealer, now = configured_sealer(), noon()
    publish_index(sealer, now=now)
    first = IndexPublication.objects.filter(final=True).earliest("day")
    flagged(Instrument.objects.get(), *range(1, 100))
    publish_index(sealer, now=now + timedelta(minutes=20))

    assert IndexPublication.objects.get(day=first.day).json_line == first.json_line
    with pytest.raises(DatabaseError), transaction.atomic():
        IndexPublication.objects.filter(day=first.day).update(json_line="{}")
    with pytest.raises(DatabaseError), transaction.atomic():
        IndexPublication.objects.all().delete()


def test_every_days_own_note_proves_the_files_up_to_that_day():
    days_of_trades()
    publish_index(configured_sealer(), now=noon())
    key, rows = str(configured_verifiers()[0]), list(IndexPublication.objects.order_by("day"))
    for count, row in enumerate(rows, start=1):
        said = signed_hashes(row.note, key)
        whole = index.json_file(one.json_line for one in rows[:count]).encode()
        assert said["json"] == hashlib.sha256(whole).hexdigest()


def test_nothing_is_published_before_the_first_trade():
    some_instrument()

    assert publish_index(configured_sealer(), now=database_now()) == 0
    assert published() is None
    assert published_days(newest=5) == []


def test_a_series_in_its_last_week_is_left_out():
    now = noon()
    instrument = some_instrument("H100-SOON", expires_at=now + timedelta(days=5))
    copied_trades(instrument, 200, minutes=60)
    fold_all()
    publish_index(configured_sealer(), now=database_now())

    assert {each.basis for one in published_days(newest=9) for each in one.classes} == {"NONE"}
