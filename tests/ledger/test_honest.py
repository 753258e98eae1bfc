"""No false alarm: whatever the site lets happen verifies, by the outsider's verifier and inside the database."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from ledger.entries import ParsedEntry, parse
from ledger.models import Entry
from ledger.proof.configured import configured_verifiers
from ledger.proof.export import export_log
from ledger.verifying.verification import ledger_faults
from ledger.verifying.verify import verify_export
from tests.conftest import empty_database
from tests.full import count
from tests.ledger.living import Life
from tests.ledger.sealers import sealer

__all__ = ["sealer"]
pytestmark = pytest.mark.django_db(transaction=True)

RUNS = 1_000
# So many runs go on from each other before the ledger begins anew.
LIVES = 20
EVERY_KIND = {
    "ASSET", "POLICY", "CAPACITY", "KEY", "PLACED", "CAPTURED", "RELEASED", "EXPIRED", "ORDERS", "ISSUE", "GRANT",
    "SEND", "TRADE", "REDEEM", "EXPIRE", "CORRECT", "FORCE", "RECOVER",
}  # fmt: skip


def test_a_thousand_honest_runs_with_crashes_and_rotations_raise_no_alarm(sealer, tmp_path: Path):
    runs, killed, refused, kinds = 0, 0, 0, Counter[str]()
    for seed in range(max(1, count(RUNS) // LIVES)):
        empty_database()
        (tmp_path / "head").unlink(missing_ok=True)
        life = Life(seed)
        for run in range(LIVES):
            life.go_on(15)
            life.relax()
            if run == LIVES - 1:
                life.end()
            life.seal()
            shutil.rmtree(tmp_path / "export", ignore_errors=True)
            export_log(tmp_path / "export")
            verify_export(tmp_path / "export", configured_verifiers())
            assert list(ledger_faults(configured_verifiers())) == [], f"seed {seed}, run {runs}"
            runs += 1
        killed, refused = killed + life.killed, refused + life.refused
        kinds += Counter(kind_of(parse(bytes(entry.body))) for entry in Entry.objects.iterator())
    print(f"{runs} honest runs, {killed} steps killed, {refused} refused, no alarm: {dict(kinds.most_common())}")

    assert runs == count(RUNS)
    assert killed > runs // 20
    assert kinds.keys() >= EVERY_KIND


def kind_of(entry: ParsedEntry) -> str:
    return entry.transfer_kind or entry.action or entry.kind
