"""An older backup restored: seen by the head outside Postgres, and by the witnesses when that file is gone too."""

import os
import shutil
import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ledger.models import Checkpoint, Cosignature, LogState, WitnessState
from ledger.proof.asking import Problem
from ledger.proof.configured import check_before_start, configured_history, configured_sealer
from ledger.proof.cosigning import cosign_newest
from ledger.proof.keys import load_signers, make_key
from ledger.proof.notes import UnverifiedNote, open_note
from ledger.proof.publishing import note_of
from ledger.proof.sealing import Sealer, seal_entries
from ledger.proof.treehead import TreeHead, TreeHeadConflict
from portal.embedded.serve import WEB
from portal.reports.health import parts
from tests import cluster
from tests.ledger.sealers import ORIGIN, as_superuser, cut_database, plain_entries, seal_all, sealer
from tests.ledger.test_cosigning import policy_of
from tests.ledger.witnesses import ROOT, RunningWitness, running_witness, write_config

__all__ = ["sealer"]
pytestmark = pytest.mark.django_db(transaction=True)


def seal_to(sealer: Sealer, size: int, word: str = "entry") -> Checkpoint:
    plain_entries(size - LogState.objects.get_or_create(id=1)[0].size, word)
    return seal_all(sealer)


def starts(module: str, sealer: Sealer, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A process of the site, as a deployment starts it."""
    folder = sealer.head.path.parent
    settings = {
        "DATABASE_URL": cluster.dsn(cluster.database_name(), "hourglass"),
        "LEDGER_SIGNING_KEY_FILE": str(folder / "key.pem"),
        "LEDGER_TREE_HEAD_FILE": str(folder / "head"),
        "LEDGER_ORIGIN": ORIGIN,
    }
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, env=os.environ | settings, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip


def asks(witness: RunningWitness, policy, *, again: bool = True) -> WitnessState:
    if again:
        WitnessState.objects.update(ask_again_at=None)
    cosign_newest(policy, now=timezone.now())
    return WitnessState.objects.get(witness="w1")


def test_a_restored_backup_is_seen_step_by_step(sealer, tmp_path, settings):
    log = sealer.signer.verifier
    with (
        running_witness(tmp_path / "w1", [log], name="witness.test/w1") as one,
        running_witness(tmp_path / "w2", [log], name="witness.test/w2") as two,
    ):
        known = {"w1": (one.verifier, one.url), "w2": (two.verifier, two.url)}
        policy = policy_of(log, known, "group g all w1 w2\nquorum g")
        settings.LEDGER_POLICY_FILE = str(tmp_path / "policy")
        (tmp_path / "policy").write_text(
            f"log {log}\nwitness w1 {one.verifier} {one.url}\nwitness w2 {two.verifier} {two.url}\n"
            "group g all w1 w2\nquorum g\n"
        )

        # 1. A log of 1,000, cosigned by both; the file outside Postgres says so.
        seal_to(sealer, 900)
        seal_to(sealer, 1000)
        assert cosign_newest(policy, now=timezone.now()) == 2
        root = bytes(Checkpoint.objects.get(size=1000).root_hash)
        assert sealer.head.read() == TreeHead(1000, root)

        # 2. Postgres comes back with 900: nothing starts, and nothing is signed.
        cut_database(900)
        with pytest.raises(TreeHeadConflict, match="1000 entries were signed"):
            check_before_start()
        assert {part.name: part.tone for part in parts(now=timezone.now())}["Ledger"] == "fault"
        plain_entries(50, "instead")
        with pytest.raises(CommandError, match="1000 long"):
            call_command("seal_ledger")
        assert LogState.objects.get().size == 900
        assert Checkpoint.objects.latest("size").size == 900

        # 3. The file is gone too: that alone stops the sealer, and where somebody writes another, the witness sees it.
        sealer.head.path.unlink()
        with pytest.raises(TreeHeadConflict, match="missing"):
            check_before_start()
        with pytest.raises(TreeHeadConflict, match="missing"):
            seal_entries(sealer, now=timezone.now())
        checkpoint = Checkpoint.objects.get(size=900)
        sealer.head.swap(expected=None, new=TreeHead(900, bytes(checkpoint.root_hash)))
        assert seal_all(configured_sealer()).size == 950
        state = asks(one, policy)
        assert (state.problem, state.detail) == (Problem.AHEAD, "1000 > 950")
        assert {part.name: part.tone for part in parts(now=timezone.now())}["Witnesses"] == "fault"

        # 4. Grown to 1,000 and beyond with other entries: a history that was never cosigned.
        for size in (1000, 1100):
            seal_to(sealer, size, "instead")
            assert asks(one, policy).problem == Problem.FORKED
        assert not Cosignature.objects.filter(checkpoint__size__gt=900).exists()

        # What contradicts itself is kept as evidence.
        with sqlite3.connect(tmp_path / "w1" / "state.sqlite") as db:
            assert db.execute("SELECT count(*) FROM evidence").fetchone()[0] >= 2


def documented_statements() -> list[str]:
    """What docs/operations.md tells a superuser to do, as it stands there."""
    text = (ROOT / "docs" / "operations.md").read_text()
    block = text.partition("       BEGIN;\n")[2].partition("       COMMIT;")[0]
    return [line.strip() for line in block.splitlines() if "session_replication_role" not in line]


def test_the_honest_way_on_is_another_log(sealer, tmp_path, settings):
    """The fifth step: everything that is left is sealed again under another name, and witnesses take it as new."""
    log = sealer.signer.verifier
    with running_witness(tmp_path / "w1", [log]) as witness:
        policy = policy_of(log, {"w1": (witness.verifier, witness.url)}, "quorum w1")
        seal_to(sealer, 4)
        call_command("rotate_key", stdout=StringIO())
        seal_to(configured_sealer(), 8)
        seal_to(configured_sealer(), 12)
        old = Checkpoint.objects.get(size=12).note
        cut_database(8)

        assert len(documented_statements()) == 2
        as_superuser(*documented_statements())
        settings.LEDGER_ORIGIN = f"{ORIGIN}2"
        settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key2.pem")
        settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head2")
        make_key(tmp_path / "key2.pem")
        check_before_start()
        plain_entries(2, "made good")
        checkpoint = seal_all(configured_sealer())
        new = configured_sealer().signer.verifier
        write_config(tmp_path / "w1", [log, new], port=witness.port)
        witness.kill()
        witness.start_again()
        policy = policy_of(new, {"w1": (witness.verifier, witness.url)}, "quorum w1")

        assert cosign_newest(policy, now=timezone.now()) == 1
        assert policy.open_checkpoint(note_of(checkpoint, policy)).origin == f"{ORIGIN}2"
        assert checkpoint.size == 10
        # What the old log signed verifies under its keys on.
        with pytest.raises(UnverifiedNote):
            configured_history().open_checkpoint(old)
        assert open_note(old, [signer.verifier for signer in load_signers(tmp_path / "key.pem", origin=ORIGIN)])


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("celery", ("-A", "portal.celery", "worker", "--pool", "solo", "--loglevel", "ERROR")),
        ("gunicorn", (*WEB, "--bind", "127.0.0.1:0")),
    ],
)
def test_neither_worker_nor_web_starts_on_an_older_database(sealer, module, arguments):
    seal_to(sealer, 3)
    seal_to(sealer, 5)
    cut_database(3)

    done = starts(module, sealer, *arguments)

    assert done.returncode != 0
    assert "5 entries were signed, but this database has only 3" in done.stdout + done.stderr


def test_a_process_that_starts_while_a_sealer_is_at_work_starts(sealer, monkeypatch):
    """The head is ahead of the newest checkpoint for a moment; the numbering is not."""
    seal_to(sealer, 3)
    plain_entries(3)
    swap = type(sealer.head).swap

    def cut_off(self, *, expected, new) -> None:
        swap(self, expected=expected, new=new)
        raise KeyboardInterrupt

    with monkeypatch.context() as fault:
        fault.setattr(type(sealer.head), "swap", cut_off)
        with pytest.raises(KeyboardInterrupt):
            seal_entries(sealer, now=timezone.now())
    assert sealer.head.read().size == 6
    assert Checkpoint.objects.latest("size").size == 3

    check_before_start()

    assert seal_all(sealer).size == 6


def test_another_history_of_the_same_length_does_not_start(sealer):
    seal_to(sealer, 5)
    as_superuser("UPDATE ledger_checkpoint SET root_hash = sha256('x')")

    with pytest.raises(TreeHeadConflict, match="another root"):
        check_before_start()


def test_a_quorum_of_two_in_three_outlives_a_witness_restored_from_a_backup(sealer, tmp_path: Path):
    """The one that was restored would cosign what the log did since in another way; the two others do not."""
    log = sealer.signer.verifier
    with (
        running_witness(tmp_path / "a", [log], name="witness.test/a") as one,
        running_witness(tmp_path / "b", [log], name="witness.test/b") as two,
        running_witness(tmp_path / "c", [log], name="witness.test/c") as three,
    ):
        witnesses = {"a": one, "b": two, "c": three}
        policy = policy_of(
            log, {name: (w.verifier, w.url) for name, w in witnesses.items()}, "group g 2 a b c\nquorum g"
        )
        seal_to(sealer, 10)
        cosign_newest(policy, now=timezone.now())
        one.kill()
        shutil.copy(tmp_path / "a" / "state.sqlite", tmp_path / "older")
        one.start_again()
        seal_to(sealer, 20)
        assert cosign_newest(policy, now=timezone.now()) == 3
        one.kill()
        shutil.copy(tmp_path / "older", tmp_path / "a" / "state.sqlite")
        one.start_again()

        cut_database(10)
        sealer.head.path.unlink()
        sealer.head.swap(expected=None, new=TreeHead(10, bytes(Checkpoint.objects.get(size=10).root_hash)))
        seal_to(sealer, 30, "instead")
        assert cosign_newest(policy, now=timezone.now()) == 1

        assert {row.witness for row in Cosignature.objects.filter(checkpoint__size=30)} == {"a"}
        assert LogState.objects.get().published_size == 10
