"""Kill -9 during settlement: sums stay exact, and what was acknowledged is there."""

import os
from pathlib import Path

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from ledger.holds import capture_hold, place_hold
from ledger.keys import load_signer, make_key
from ledger.models import Account, Entry, Hold, Posting, Wallet
from ledger.sealing import Sealer, seal_entries
from ledger.treehead import TreeHeadFile
from ledger.verification import ledger_faults
from ledger.wallets import account_of, system_wallet
from tests.killing import killed_before_statement
from tests.ledger.builders import given, some_series, some_wallet

pytestmark = pytest.mark.django_db(transaction=True)

POINTS = 300


def settle_one(account_id: int, target_id: int, number: int, acknowledged: int) -> None:
    """A hold, then its capture of a part, each an action of its own; acknowledged after each commit."""
    with transaction.atomic(durable=True):
        hold = place_hold(account_id=account_id, amount=10, reference=f"kill:{number}", now=timezone.now())
    os.write(acknowledged, f"hold {hold.id}\n".encode())
    with transaction.atomic(durable=True):
        transfer = capture_hold(
            hold_id=hold.id, amount=7, to_account_id=target_id, kind=Entry.TransferKind.REDEEM,
            reference=f"kill:{number}", now=timezone.now(),
        )  # fmt: skip
    assert transfer is not None
    os.write(acknowledged, f"transfer {transfer.id}\n".encode())


def test_300_kills_during_settlement_leave_sums_exact_and_every_acknowledged_transfer_present(tmp_path: Path):
    ada, series = given(some_wallet(), some_series(), 100_000), some_series()
    redeemed = system_wallet(Wallet.Role.REDEEMED, now=timezone.now())
    target = account_of(wallet_id=redeemed.id, asset_id=series.id)
    log = os.open(tmp_path / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    killed, finished, point = 0, 0, 0
    while killed < POINTS:
        point += 1
        if killed_before_statement(point, lambda: settle_one(ada.id, target.id, killed, log)):  # noqa: B023
            killed += 1
        else:
            finished, point = finished + 1, 0
    os.close(log)

    said = [line.split() for line in (tmp_path / "acknowledged").read_text().splitlines()]
    transfers = {int(number) for what, number in said if what == "transfer"}
    holds = {int(number) for what, number in said if what == "hold"}
    made = set(Entry.objects.filter(transfer_kind="REDEEM").values_list("id", flat=True))
    print(f"{killed} kills, {finished} whole runs, {len(holds)} holds and {len(transfers)} transfers acknowledged")
    assert finished > 3
    assert transfers <= made
    assert holds <= set(Hold.objects.values_list("id", flat=True))
    ada.refresh_from_db()
    target.refresh_from_db()
    assert target.balance == 7 * len(made)
    assert ada.balance == 100_000 - 7 * len(made)
    assert ada.held == (Hold.objects.filter(status="OPEN").aggregate(sum=Sum("amount"))["sum"] or 0)
    assert Posting.objects.aggregate(sum=Sum("amount"))["sum"] == 0
    assert Account.objects.aggregate(sum=Sum("balance"))["sum"] == 0
    assert list(ledger_faults([])) == []


def test_a_sealer_killed_at_any_statement_leaves_one_root_at_each_size(tmp_path: Path):
    make_key(tmp_path / "key")
    sealer = Sealer(load_signer(tmp_path / "key", origin="test"), TreeHeadFile(tmp_path / "head"))
    series, wallet = some_series(), some_wallet()
    point, kills = 0, 0
    for _ in range(60):
        given(wallet, series, 1)
        point += 1
        if killed_before_statement(point, lambda: seal_entries(sealer, now=timezone.now())):
            kills += 1
        else:
            point = 0
    while seal_entries(sealer, now=timezone.now()) is not None:
        pass

    assert kills > 30
    assert list(ledger_faults([sealer.signer.verifier])) == []
