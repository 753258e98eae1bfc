"""Kill -9 of a process between any two statements: nothing created or lost, every acknowledged thing there, no gap."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import Sum
from django.utils import timezone

from ledger.door.posting import post_batch, post_single
from ledger.door.requests import ISSUER, NewCapture, NewHold, NewRelease, NewTransfer
from ledger.holds import expire_holds
from ledger.models import Account, Entry, Hold, IdempotencyKey, Leaf, Posting, Wallet
from ledger.proof.keys import load_signer, make_key
from ledger.proof.sealing import Sealer, seal_entries
from ledger.proof.treehead import TreeHeadFile
from ledger.verifying.verification import ledger_faults
from ledger.wallets import account_of, system_wallet
from tests import full
from tests.killing import killed_before_statement
from tests.ledger.builders import given, some_series, some_wallet

pytestmark = pytest.mark.django_db(transaction=True)

# Over six kinds of work; with --full two thousand.
POINTS = full.count(2000)


class Settling:
    """The work that is killed. Whatever is committed is acknowledged in a file, by its key."""

    def __init__(self, folder: Path) -> None:
        self.series = some_series()
        self.ada, self.bob = given(some_wallet(), self.series, 10**6), given(some_wallet("Bob"), self.series, 10**6)
        self.redeemed = account_of(
            wallet_id=system_wallet(Wallet.Role.REDEEMED, now=timezone.now()).id, asset_id=self.series.id
        )
        make_key(folder / "key")
        self.sealer = Sealer(load_signer(folder / "key", origin="test"), TreeHeadFile(folder / "head"))
        self.file = folder / "acknowledged"
        self.acknowledged = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(self, key: str) -> None:
        os.write(self.acknowledged, f"{key}\n".encode())

    def issue(self, number: int) -> None:
        key = f"issue-{number}"
        row = NewTransfer(
            kind="ISSUE", asset_id=self.series.id, from_wallet_id=ISSUER, to_wallet_id=self.ada.wallet_id, amount=3,
            scope="kill", key=key,
        )  # fmt: skip
        assert post_single(row).is_done
        self.say(key)

    def transfer(self, number: int) -> None:
        """A batch large enough to be copied, every other time."""
        keys = [f"send-{number}-{part}" for part in range(60 if number % 2 else 1)]
        of = {"asset_id": self.series.id, "from_wallet_id": self.ada.wallet_id, "to_wallet_id": self.bob.wallet_id}
        rows = [NewTransfer(kind="SEND", amount=1, scope="kill", key=key, **of) for key in keys]
        assert all(answer.is_done for answer in post_batch(rows))
        for key in keys:
            self.say(key)

    def place(self, number: int, **fields: object) -> NewHold:
        of = {"asset_id": self.series.id, "wallet_id": self.bob.wallet_id, "amount": 10, "scope": "kill"}
        row = NewHold(**of | {"reference": f"kill:{number}", "key": f"hold-{number}"} | fields)
        assert post_single(row).is_done
        self.say(row.key)
        return row

    def capture(self, number: int) -> None:
        """A hold, then its capture of a part or its release, each an action of its own."""
        hold, key = self.place(number).hold, f"end-{number}"
        if number % 3:
            row = NewCapture(hold=hold, amount=7, to_account_id=self.redeemed.id, kind="REDEEM", scope="kill", key=key)
            assert post_single(row).is_done
        else:
            assert post_single(NewRelease(hold=hold, scope="kill", key=key)).is_done
        self.say(key)

    def expire(self, number: int) -> None:
        self.place(number, timeout=timedelta(0), key=f"short-{number}")
        expire_holds()

    def seal(self, _number: int) -> None:
        seal_entries(self.sealer, now=timezone.now())

    def seal_all(self) -> None:
        while seal_entries(self.sealer, now=timezone.now()) is not None:
            pass


def test_a_process_killed_between_any_two_statements_loses_and_creates_nothing(tmp_path: Path):
    work = Settling(tmp_path)
    acts: list[Callable[[int], None]] = [
        work.issue, work.transfer, lambda n: work.place(n) and None, work.capture, work.expire, work.seal
    ]  # fmt: skip
    killed = [0] * len(acts)
    finished, number = 0, 0
    points = [0] * len(acts)
    while sum(killed) < POINTS:
        which = number % len(acts)
        points[which] += 1
        number += 1
        if killed_before_statement(points[which], lambda: acts[which](number)):  # noqa: B023
            killed[which] += 1
        else:
            finished, points[which] = finished + 1, 0
    os.close(work.acknowledged)
    expire_holds()
    work.seal_all()

    said = set(work.file.read_text().split())
    kept = set(IdempotencyKey.objects.filter(scope="kill").values_list("key", flat=True))
    print(f"{sum(killed)} kills {killed}, {finished} whole runs, {len(said)} acknowledged of {len(kept)} done")
    assert min(killed) > POINTS // 20
    assert finished > 3
    assert said <= kept
    check_books(work)


def test_an_acknowledgement_given_too_early_is_found_missing(tmp_path: Path):
    """A planted bug: said before it is committed. The same kills and the same comparison see it."""
    work = Settling(tmp_path)

    def too_early(number: int) -> None:
        work.say(f"early-{number}")
        row = NewTransfer(
            kind="ISSUE", asset_id=work.series.id, from_wallet_id=ISSUER, to_wallet_id=work.ada.wallet_id, amount=3,
            scope="kill", key=f"early-{number}",
        )  # fmt: skip
        assert post_single(row).is_done

    killed = sum(killed_before_statement(point, lambda: too_early(point)) for point in range(1, 6))  # noqa: B023

    kept = set(IdempotencyKey.objects.filter(scope="kill").values_list("key", flat=True))
    assert killed
    assert not set(work.file.read_text().split()) <= kept


def check_books(work: Settling) -> None:
    """Sums exact, holds counted, the log without a gap, and the replay of it without a fault."""
    assert list(ledger_faults([work.sealer.signer.verifier])) == []
    assert Posting.objects.aggregate(sum=Sum("amount"))["sum"] == 0
    assert Account.objects.aggregate(sum=Sum("balance"))["sum"] == 0
    for account in Account.objects.all():
        held = Hold.objects.filter(account=account, status="OPEN").aggregate(sum=Sum("amount"))["sum"] or 0
        assert account.held == held
    indexes = list(Leaf.objects.order_by("index").values_list("index", flat=True))
    assert indexes == list(range(Entry.objects.count()))
    sent = IdempotencyKey.objects.filter(scope="kill", key__startswith="send-").count()
    issued = IdempotencyKey.objects.filter(scope="kill", key__startswith="issue-").count()
    captured = Hold.objects.filter(status="CAPTURED").count()
    work.ada.refresh_from_db()
    work.bob.refresh_from_db()
    work.redeemed.refresh_from_db()
    assert work.ada.balance == 10**6 + 3 * issued - sent
    assert work.bob.balance == 10**6 + sent - 7 * captured
    assert work.redeemed.balance == 7 * captured


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
