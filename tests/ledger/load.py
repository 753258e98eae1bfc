"""Work for a Postgres that is being killed: run as a program, it moves value until told to stop, whatever happens.

    python -m tests.ledger.load setup | work FILE | check FILE

What was committed is acknowledged in FILE by its key; a request whose answer was lost is asked again with its key.
"""

import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import django

CALLERS = 8


def setup() -> None:
    from django.utils import timezone

    from ledger.assets import credits
    from ledger.door.posting import post_batch
    from ledger.door.requests import ISSUER, NewTransfer
    from tests.ledger.builders import some_wallet

    asset = credits(now=timezone.now())
    rows = [
        NewTransfer(
            kind="ISSUE", asset_id=asset.id, from_wallet_id=ISSUER, to_wallet_id=some_wallet(f"W{n}").id, amount=10**6
        )
        for n in range(4)
    ]
    assert all(answer.is_done for answer in post_batch(rows))


def work(file: str) -> None:
    """Each caller goes on until standard input ends."""
    acknowledged = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    end = threading.Event()
    threads = [threading.Thread(target=_call, args=(number, acknowledged, end)) for number in range(CALLERS)]
    threads.append(threading.Thread(target=_seal, args=(Path(file).parent, end)))
    for thread in threads:
        thread.start()
    sys.stdin.read()
    end.set()
    for thread in threads:
        thread.join()


def _call(caller: int, acknowledged: int, end: threading.Event) -> None:
    import random

    from ledger.door.posting import post_single
    from ledger.door.requests import NewHold, NewTransfer
    from ledger.holds import expire_holds
    from ledger.models import Wallet

    chooser = random.Random(caller)
    wallets = list(_retried(lambda: list(Wallet.objects.filter(role=None).values_list("id", flat=True)), end) or [])
    number = 0
    while not end.is_set():
        number += 1
        giver, receiver = chooser.sample(wallets, 2)
        key = f"{os.getpid()}-{caller}-{number}"
        shared = {"asset_id": 1, "amount": chooser.randint(1, 9), "scope": "load", "key": key}
        row = (
            NewHold(wallet_id=giver, timeout=timedelta(seconds=chooser.random()), **shared)
            if number % 5 == 0
            else NewTransfer(kind="SEND", from_wallet_id=giver, to_wallet_id=receiver, **shared)
        )
        answer = _retried(lambda: post_single(row), end)  # noqa: B023
        if answer is not None and answer.is_done:
            os.write(acknowledged, f"{key}\n".encode())
        if caller == 0 and number % 20 == 0:
            _retried(expire_holds, end)


def _seal(folder: Path, end: threading.Event) -> None:
    from django.utils import timezone

    from ledger.proof.sealing import seal_entries

    sealer = _sealer(folder)
    while not end.is_set():
        _retried(lambda: seal_entries(sealer, now=timezone.now()), end)
        end.wait(0.05)


def _retried(act, end: threading.Event):
    """Postgres may be away at any moment: ask again until it is back."""
    from django.db import Error, connection

    while not end.is_set():
        try:
            return act()
        except Error:
            connection.close()
            time.sleep(0.02)
    return None


def _sealer(folder: Path):
    from ledger.proof.keys import load_signer, make_key
    from ledger.proof.sealing import Sealer
    from ledger.proof.treehead import TreeHeadFile

    if not (folder / "key").exists():
        make_key(folder / "key")
    return Sealer(load_signer(folder / "key", origin="test"), TreeHeadFile(folder / "head"))


def check(file: str) -> None:
    """Everything acknowledged is there, and everything else is as it must be; prints the counts."""
    from django.db.models import Count, Max, Min, Sum
    from django.utils import timezone

    from ledger.models import Account, Entry, IdempotencyKey, Leaf
    from ledger.proof.sealing import seal_entries
    from ledger.verifying.verification import ledger_faults

    sealer = _sealer(Path(file).parent)
    while seal_entries(sealer, now=timezone.now()) is not None:
        pass
    said = set(Path(file).read_text().split())
    kept = set(IdempotencyKey.objects.filter(scope="load").values_list("key", flat=True))
    assert said <= kept, f"{len(said - kept)} acknowledged requests are gone"
    assert Account.objects.aggregate(sum=Sum("balance"))["sum"] == 0
    faults = [str(fault) for fault in ledger_faults([sealer.signer.verifier])]
    assert faults == [], faults
    numbers = Leaf.objects.aggregate(count=Count("index"), first=Min("index"), last=Max("index"))
    assert numbers == {"count": Entry.objects.count(), "first": 0, "last": Entry.objects.count() - 1}
    print(f"{len(said)} acknowledged of {len(kept)} done, {numbers['count']} entries sealed")


if __name__ == "__main__":
    django.setup()
    {"setup": setup, "work": work, "check": check}[sys.argv[1]](*sys.argv[2:])
