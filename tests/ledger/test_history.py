"""The past of any account, and of all of them, is the same from rows and from the log's entries."""

import random
from uuid import uuid4

import pytest
from django.utils import timezone

from ledger.door.posting import post_batch
from ledger.door.requests import NewCapture, NewRelease, Request
from ledger.history import account_history, balance_at, trial_balance_at
from ledger.models import Account, Leaf
from ledger.proof.keys import load_signer, make_key
from ledger.proof.sealing import Sealer, seal_entries
from ledger.proof.treehead import TreeHeadFile
from ledger.verifying.replay import Replay
from ledger.verifying.verification import ledger_faults
from tests import full
from tests.ledger.builders import given, some_series, some_wallet
from tests.ledger.rows import hold, outcomes, send

pytestmark = pytest.mark.django_db(transaction=True)


def random_rows(chooser: random.Random, accounts: list[Account], open_holds: list[object]) -> list[Request]:
    rows: list[Request] = []
    for _ in range(chooser.randint(1, 80)):
        giver, receiver = chooser.sample(accounts, 2)
        chain = (
            chooser.choice([None, None, 1])
            if not rows or rows[-1].chain is None
            else chooser.choice([None, rows[-1].chain])
        )
        match chooser.randint(0, 5):
            case 0:
                name = uuid4()
                open_holds.append(name)
                rows.append(
                    hold(giver, chooser.randint(1, 60), hold=name, to_wallet_id=receiver.wallet_id, chain=chain)
                )
            case 1 if open_holds:
                amount = chooser.choice([None, 0, chooser.randint(1, 60)])
                rows.append(NewCapture(hold=chooser.choice(open_holds), amount=amount, chain=chain))
            case 2 if open_holds:
                rows.append(NewRelease(hold=chooser.choice(open_holds), chain=chain))
            case _:
                rows.append(send(giver, receiver, chooser.randint(1, 150), chain=chain))
    # A chain's number is used once.
    number, fixed = 0, []
    for before, row in zip([None, *rows], rows, strict=False):
        if row.chain is not None:
            number += before is None or before.chain is None
            fixed.append(type(row)(**{name: getattr(row, name) for name in row.__slots__} | {"chain": number}))
        else:
            fixed.append(row)
    return fixed


def test_any_history_is_the_same_from_rows_and_from_entries(tmp_path):
    """Random batches with chains and holds: the trial balance, and any account's balance, at every size of the log."""
    make_key(tmp_path / "key")
    sealer = Sealer(load_signer(tmp_path / "key", origin="test"), TreeHeadFile(tmp_path / "head"))
    chooser, compared = random.Random(20261122), 0
    series = some_series()
    accounts = [given(some_wallet(f"W{n}"), series, 200) for n in range(5)]
    open_holds: list[object] = []
    refused: set[str] = set()
    for _ in range(full.count(100)):
        refused |= set(outcomes(post_batch(random_rows(chooser, accounts, open_holds))))
    while seal_entries(sealer, now=timezone.now()) is not None:
        pass

    replay = Replay()
    leaves = list(Leaf.objects.order_by("index").select_related("entry"))
    checks = set(chooser.sample(range(len(leaves)), min(60, len(leaves)))) | {len(leaves) - 1}
    for leaf in leaves:
        fault = replay.apply(bytes(leaf.entry.body))
        assert fault is None, (leaf.index, fault)
        if leaf.index in checks:
            assert trial_balance_at(leaf.index + 1) == replay.trial_balance()
            account = chooser.choice(accounts)
            place = (account.wallet.public_id.bytes, bytes(account.asset.definition_hash))
            assert balance_at(account.id, entry_id=leaf.entry_id) == replay.balances.get(place, 0)
            compared += 1
    print(f"{len(leaves)} entries, {compared} points compared, refusals met: {sorted(refused)}")
    assert {"chain_failed", "not_enough", "hold_exceeded", "hold_already_captured"} <= refused
    assert list(ledger_faults([sealer.signer.verifier])) == []
    for account in accounts:
        account.refresh_from_db()
        lines = account_history(account.id, limit=1)
        assert (lines[0].balance_after, lines[0].held_after) == (account.balance, account.held)
