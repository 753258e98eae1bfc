"""The sealed log: proofs, receipts, both verifiers, and what they say of an edited history."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from ledger.entries import leaf_hash
from ledger.models import Checkpoint, Entry, Leaf
from ledger.proof.configured import configured_sealer, configured_verifiers
from ledger.proof.export import export_log
from ledger.proof.keys import KeyRefused, load_signer, make_key
from ledger.proof.merkle import consistency_proof, is_consistent
from ledger.proof.notes import UnverifiedNote, parse_verifier
from ledger.proof.numbering import unsealed_count
from ledger.proof.publishing import receipt_for
from ledger.proof.receipts import check_receipt, parse_receipt
from ledger.proof.sealing import Sealer, seal_entries
from ledger.proof.tiles import Tiles
from ledger.proof.treehead import TreeHeadConflict, TreeHeadFile
from ledger.transfers import send
from ledger.verifying.verification import ledger_faults
from ledger.verifying.verify import Fault, main, verify_export
from tests import cluster
from tests.ledger.builders import given, some_series, some_wallet
from tests.ledger.test_transfers import held

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sealer(tmp_path: Path, settings) -> Sealer:
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    settings.LEDGER_ORIGIN = "hourglass.test/log"
    make_key(tmp_path / "key.pem")
    return Sealer(load_signer(tmp_path / "key.pem", origin="hourglass.test/log"), TreeHeadFile(tmp_path / "head"))


def seal_all(sealer: Sealer) -> Checkpoint:
    last = None
    while (checkpoint := seal_entries(sealer, now=timezone.now())) is not None:
        last = checkpoint
    return last or Checkpoint.objects.latest("size")


def some_history(transfers: int = 20) -> None:
    ada, bob = given(some_wallet(), some_series(), 10**6), given(some_wallet("Bob"), some_series(), 5)
    for number in range(transfers):
        send(
            asset_id=ada.asset_id, from_wallet_id=ada.wallet_id, to_wallet_id=bob.wallet_id,
            amount=number + 1, now=timezone.now(), scope="history", key=str(number),
        )  # fmt: skip
    held(ada, 7)


def exported(tmp_path: Path) -> Path:
    export_log(tmp_path / "export")
    return tmp_path / "export"


def as_superuser(*statements: str) -> None:
    """Edit history as the database's superuser with triggers off."""
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as other:
        other.execute("SET session_replication_role = replica")
        for statement in statements:
            other.execute(statement)


def test_every_entry_gets_a_place_and_a_receipt_that_verifies(sealer):
    some_history()
    checkpoint = seal_all(sealer)

    assert checkpoint.size == Entry.objects.count() == Leaf.objects.count()
    for entry in Entry.objects.all():
        receipt = receipt_for(entry.id)
        parsed = parse_receipt(str(receipt))
        assert parsed == receipt
        checked = check_receipt(parsed, leaf_hash(bytes(entry.body)), [sealer.signer.verifier])
        assert checked.size == checkpoint.size
    with pytest.raises(UnverifiedNote):
        check_receipt(parsed, leaf_hash(b"another"), [sealer.signer.verifier])


def test_trees_over_tile_borders_are_consistent(sealer):
    some_history(transfers=600)
    roots = {}
    while (checkpoint := seal_entries(sealer, now=timezone.now(), limit=100)) is not None:
        roots[checkpoint.size] = bytes(checkpoint.root_hash)

    assert max(roots) > 600
    nodes = Tiles().node
    for old in roots:
        for new in roots:
            if old <= new:
                proof = consistency_proof(nodes, old, new)
                assert is_consistent(old, roots[old], new, roots[new], proof)


def test_an_honest_ledger_has_no_faults_and_its_export_verifies(sealer, tmp_path, capsys):
    some_history()
    seal_all(sealer)

    assert list(ledger_faults([sealer.signer.verifier])) == []
    call_command("verify_ledger")
    folder = exported(tmp_path)
    done = subprocess.run(
        [sys.executable, "-S", "-c", _WITHOUT_DJANGO, str(folder), "--key", str(sealer.signer.verifier)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "all as signed" in done.stdout
    assert "H100-2026Q4" in done.stdout


_WITHOUT_DJANGO = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'django', 'psycopg'}:
            raise ImportError('the stand-alone verifier may not need ' + name)
sys.meta_path.insert(0, Refuse())
from ledger.verifying.verify import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_changed_byte_is_found_by_both_verifiers_with_its_position(sealer, tmp_path):
    some_history()
    seal_all(sealer)
    entry_id = Leaf.objects.get(index=9).entry_id

    as_superuser(f"UPDATE ledger_entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE id = {entry_id}")

    assert next(ledger_faults([sealer.signer.verifier])).position == 9
    with pytest.raises(Fault) as caught:
        verify_export(exported(tmp_path), [sealer.signer.verifier])
    assert caught.value.position == 9
    with pytest.raises(CommandError):
        call_command("verify_ledger")


def test_a_changed_byte_with_its_hash_changed_too_is_still_found(sealer, tmp_path):
    some_history()
    seal_all(sealer)
    entry_id = Leaf.objects.get(index=9).entry_id

    as_superuser(
        f"UPDATE ledger_entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE id = {entry_id}",
        f"UPDATE ledger_entry SET leaf_hash = sha256('\\x00'::bytea || body) WHERE id = {entry_id}",
    )

    assert 9 in [fault.position for fault in ledger_faults([sealer.signer.verifier])]
    with pytest.raises(Fault) as caught:
        verify_export(exported(tmp_path), [sealer.signer.verifier])
    assert caught.value.position == 9


def test_a_removed_row_is_found_by_both_verifiers_with_its_position(sealer, tmp_path):
    some_history()
    seal_all(sealer)
    entry_id = Leaf.objects.get(index=9).entry_id

    as_superuser(
        f"DELETE FROM ledger_leaf WHERE entry_id = {entry_id}",
        f"DELETE FROM ledger_idempotencykey WHERE entry_id = {entry_id}",
        f"DELETE FROM ledger_entry WHERE id = {entry_id}",
    )

    assert 9 in [fault.position for fault in ledger_faults([sealer.signer.verifier])]
    with pytest.raises(Fault) as caught:
        verify_export(exported(tmp_path), [sealer.signer.verifier])
    assert caught.value.position == 9


def test_reordered_rows_are_found_by_both_verifiers_with_their_position(sealer, tmp_path):
    some_history()
    seal_all(sealer)
    ninth, tenth = (Leaf.objects.get(index=index).entry_id for index in (9, 10))

    as_superuser(
        "UPDATE ledger_leaf SET entry_id = -1 WHERE index = 9",
        f"UPDATE ledger_leaf SET entry_id = {ninth} WHERE index = 10",
        f"UPDATE ledger_leaf SET entry_id = {tenth} WHERE index = 9",
    )

    assert [fault.position for fault in ledger_faults([sealer.signer.verifier])][:2] == [9, 10]
    with pytest.raises(Fault) as caught:
        verify_export(exported(tmp_path), [sealer.signer.verifier])
    assert caught.value.position == 9


def test_an_edited_posting_balance_and_hold_are_found_in_the_database(sealer):
    some_history()
    seal_all(sealer)
    as_superuser(
        "UPDATE ledger_posting SET amount = amount + 1 WHERE amount > 0"
        " AND transfer_id = (SELECT max(transfer_id) FROM ledger_posting)",
        "UPDATE ledger_account SET held = held - 1 WHERE held > 0",
    )

    said = " ".join(str(fault) for fault in ledger_faults([sealer.signer.verifier]))

    for word in ("other postings", "postings sum to", "open holds sum to", "sum to zero"):
        assert word in said


def test_an_export_cut_or_edited_after_it_was_made_is_found(sealer, tmp_path):
    some_history()
    seal_all(sealer)
    folder = exported(tmp_path)
    (bundle,) = (folder / "tile" / "entries").rglob("[0-9]*.p/*")
    whole = bundle.read_bytes()
    key = str(sealer.signer.verifier)

    bundle.write_bytes(whole[:-1])
    assert main([str(folder), "--key", key]) == 1
    first = int.from_bytes(whole[:2], "big")
    bundle.write_bytes(whole[2 + first :])
    assert main([str(folder), "--key", key]) == 1
    bundle.write_bytes(whole)
    assert main([str(folder), "--key", key]) == 0
    shutil.rmtree(folder / "checkpoints")
    (folder / "checkpoint").write_text((folder / "checkpoint").read_text().replace("hourglass.test", "other.test"))
    assert main([str(folder), "--key", key]) == 1


def test_the_head_outside_postgres_refuses_an_older_database(sealer, tmp_path):
    some_history()
    seal_all(sealer)
    size = Checkpoint.objects.latest("size").size
    (tmp_path / "head").write_text(f"{size + 5} {'A' * 43}=\n")
    some_wallet("New", may_sell=False)

    with pytest.raises(TreeHeadConflict):
        seal_entries(sealer, now=timezone.now())

    assert Checkpoint.objects.latest("size").size == size


def test_a_sealer_killed_after_its_swap_seals_the_same_root_again(sealer, monkeypatch):
    some_history()
    swap = TreeHeadFile.swap

    def killed(self, *, expected, new):
        swap(self, expected=expected, new=new)
        raise KeyboardInterrupt

    monkeypatch.setattr(TreeHeadFile, "swap", killed)
    with pytest.raises(KeyboardInterrupt):
        seal_entries(sealer, now=timezone.now(), limit=10)
    monkeypatch.setattr(TreeHeadFile, "swap", swap)
    swapped = sealer.head.read()
    assert swapped is not None
    assert Checkpoint.objects.count() == 0

    again = seal_entries(sealer, now=timezone.now())

    assert (again.size, bytes(again.root_hash)) == (swapped.size, swapped.root_hash)
    assert list(ledger_faults([sealer.signer.verifier])) == []
    assert seal_all(sealer).size == Entry.objects.count()


def test_two_sealers_at_once_leave_one_root_at_each_size(sealer):
    some_history(transfers=100)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            while seal_entries(sealer, now=timezone.now(), limit=7) is not None:
                pass
        except BaseException as error:  # noqa: BLE001
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
    assert Checkpoint.objects.latest("size").size == Entry.objects.count()
    assert unsealed_count() == 0
    assert list(ledger_faults([sealer.signer.verifier])) == []


def test_entries_whose_transactions_end_out_of_order_are_all_sealed(sealer):
    some_series()
    with psycopg.connect(cluster.dsn(cluster.database_name(), "hourglass")) as slow:
        slow.execute(
            "INSERT INTO ledger_entry (kind, reference, body, leaf_hash, recorded_at)"
            " VALUES ('POLICY', '', '\\x01', sha256('\\x0001'::bytea), now())"
        )
        some_history(transfers=3)
        seal_all_or_nothing = seal_entries(sealer, now=timezone.now())
        before = seal_all_or_nothing.size if seal_all_or_nothing else 0
        slow.commit()
    seal_all(sealer)

    assert before < Entry.objects.count()
    assert Leaf.objects.count() == Entry.objects.count()


def test_a_key_that_others_may_read_is_refused(tmp_path):
    make_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)

    with pytest.raises(KeyRefused):
        load_signer(tmp_path / "key", origin="x")
    with pytest.raises(FileExistsError):
        make_key(tmp_path / "key")


def test_the_verifier_key_reads_back(sealer):
    assert parse_verifier(str(sealer.signer.verifier)) == sealer.signer.verifier


def test_after_a_rotation_old_checkpoints_verify_under_the_old_key(sealer, tmp_path, settings):
    some_history(transfers=3)
    seal_all(sealer)
    old = sealer.signer.verifier
    make_key(tmp_path / "new.pem")
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "new.pem")
    with pytest.raises(CommandError):
        call_command("verify_ledger")
    settings.LEDGER_OLD_KEYS = [str(old)]
    given(some_wallet("New"), some_series(), 1)
    seal_all(configured_sealer())

    call_command("verify_ledger")
    report = verify_export(exported(tmp_path), configured_verifiers())

    assert report.checkpoints == Checkpoint.objects.count() >= 2
    assert report.entries == Entry.objects.count()


def test_a_key_is_made_without_django_and_never_over_another(tmp_path):
    made = [
        subprocess.run(
            [sys.executable, "-m", "ledger.proof.keys", str(tmp_path / "made.pem")],
            cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"},
        )
        for _ in range(2)
    ]  # fmt: skip

    assert [done.returncode for done in made] == [0, 1]
    assert "No key was made" in made[1].stderr
    assert load_signer(tmp_path / "made.pem", origin="x").name == "x"
