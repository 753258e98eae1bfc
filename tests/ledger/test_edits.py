"""History edited by the database's superuser with triggers off: every edit is found."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from ledger.models import Checkpoint
from ledger.proof.configured import configured_verifiers
from ledger.proof.export import export_log
from ledger.proof.notes import Verifier
from ledger.verifying.logsource import Folder
from ledger.verifying.verification import ledger_faults
from ledger.verifying.verify import Fault, verify_log
from ledger.wallets import system_wallet
from tests.full import count
from tests.ledger.editing import BESIDE_IT, IN_THE_LOG, Edit, make, put_aside
from tests.ledger.living import Life
from tests.ledger.sealers import sealer

__all__ = ["sealer"]
pytestmark = pytest.mark.django_db(transaction=True)
EDITS = 200


def some_life() -> None:
    """A history with everything in it, under many checkpoints and two keys."""
    from django.utils import timezone

    system_wallet("FEES", now=timezone.now())
    life = Life(7)
    for _ in range(12):
        life.go_on(20)
        life.relax()
        life.seal()
    life.settle()
    life.rotate()
    life.seal()


def found_outside(folder: Path, keys: list[Verifier], kept: str) -> bool:
    """By somebody with nothing but the public keys and a checkpoint they put aside, as every witness does."""
    shutil.rmtree(folder, ignore_errors=True)
    export_log(folder)
    try:
        verify_log(Folder(folder), keys, kept=[("kept", kept.encode())])
    except Fault:
        return True
    return False


def test_200_edits_by_the_superuser_are_all_found(sealer, tmp_path: Path):
    some_life()
    keys, kept = configured_verifiers(), Checkpoint.objects.latest("size").note
    assert list(ledger_faults(keys)) == []
    assert not found_outside(tmp_path / "export", keys, kept)
    done, missed = Counter[str](), []
    with put_aside() as put_back:
        for number, (edit, is_signed) in enumerate(drawn(max(count(EDITS), len(IN_THE_LOG + BESIDE_IT)))):
            what = random.Random(number)
            touched = make(edit, what)
            name = f"{number} {edit.__name__}"
            assert touched, f"{name} changes nothing"
            if next(iter(ledger_faults(keys)), None) is None:
                missed.append(f"{name} by verify_ledger")
            if is_signed and not found_outside(tmp_path / "export", keys, kept):
                missed.append(f"{name} by hourglass-verify")
            done["in the log" if is_signed else "beside it"] += 1
            put_back()
        assert list(ledger_faults(keys)) == []
    print(f"{done.total()} edits, {dict(done)}: {len(missed)} missed")

    assert missed == []


def drawn(number: int) -> list[tuple[Edit, bool]]:
    """Every kind of edit in turn."""
    kinds = [*[(edit, True) for edit in IN_THE_LOG], *[(edit, False) for edit in BESIDE_IT]]
    return [kinds[place % len(kinds)] for place in range(number)]


PLANTED = [
    ("ledger.verifying.verification.books_faults", "wallet: position_limit = 77"),
    ("ledger.verifying.verification.repeated_faults", "policy: deleted"),
    ("ledger.verifying.checking.sealed.row_fault", "entry: leaf_hash = sha256('x')"),
    ("ledger.verifying.checking.sealed.rows_of", "logstate: size = size + 1"),
]


def test_a_checker_with_a_part_taken_out_misses_what_that_part_is_for(sealer, monkeypatch):
    some_life()
    keys, edits = configured_verifiers(), {edit.__name__: edit for edit in BESIDE_IT}
    with put_aside() as put_back:
        for part, name in PLANTED:
            make(edits[name], random.Random(0))
            assert list(ledger_faults(keys)) != []

            with monkeypatch.context() as patch:
                patch.setattr(part, lambda *_: [] if part != "ledger.verifying.checking.sealed.row_fault" else None)  # noqa: B023

                assert list(ledger_faults(keys)) == [], part
            put_back()
