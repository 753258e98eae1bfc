"""Keys: rotated under load, retired for good, in a file for nobody else's eyes or in a device."""

import os
import shutil
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from ledger.models import Checkpoint, Entry, Leaf
from ledger.proof.configured import configured_history, configured_sealer, configured_verifiers
from ledger.proof.custody import parse_uri, signers_at
from ledger.proof.keyhistory import KeyHistory, history_of, key_json
from ledger.proof.keys import KeyRefused, add_key, load_keys, load_signer, load_signers, make_key
from ledger.proof.notes import (
    BadNote,
    CheckpointText,
    Signer,
    UnverifiedNote,
    open_note,
    parse_note,
    parse_verifier,
    sign_note,
)
from ledger.proof.rotation import rotate_key
from ledger.proof.sealing import seal_entries
from ledger.verifying.verification import ledger_faults
from tests.full import count
from tests.ledger.builders import given, some_series, some_wallet
from tests.ledger.sealers import ORIGIN, plain_entries, seal_all, sealer
from tests.ledger.witnesses import ROOT

__all__ = ["sealer"]
KEYS = [Signer(ORIGIN, Ed25519PrivateKey.generate()) for _ in range(4)]


def note_at(size: int, *signers: Signer) -> str:
    return sign_note(str(CheckpointText(ORIGIN, size, bytes(32))), signers)


def test_each_size_has_the_keys_that_sign_it():
    first, second, third, stranger = KEYS
    history = KeyHistory((first.verifier,), ((5, second.verifier), (6, third.verifier)))

    for size, signers in ((4, [first]), (5, [first, second]), (6, [second, third]), (7, [third])):
        assert history.open_checkpoint(note_at(size, *signers)).size == size
        for missing in signers:
            others = [signer for signer in [*KEYS] if signer != missing]
            with pytest.raises(UnverifiedNote):
                history.open_checkpoint(note_at(size, *others))
    assert history.verifiers == [third.verifier, second.verifier, first.verifier]
    assert stranger.verifier not in history.verifiers


@pytest.mark.django_db(transaction=True)
def test_a_rotation_is_an_entry_that_both_keys_sign(sealer):
    plain_entries(5)
    seal_all(sealer)
    said = StringIO()
    call_command("rotate_key", stdout=said)
    plain_entries(5)
    sizes = []
    while (checkpoint := seal_entries(configured_sealer(), now=timezone.now())) is not None:
        sizes.append(checkpoint.size)

    old, new = (signer.verifier for signer in load_signers(Path(sealer.head.path.parent / "key.pem"), origin=ORIGIN))
    assert sizes == [6, 11]
    assert str(new) in said.getvalue()
    signed = {row.size: [s.key_id for s in parse_note(row.note).signatures] for row in Checkpoint.objects.all()}
    assert signed == {5: [old.key_id], 6: [old.key_id, new.key_id], 11: [new.key_id]}
    assert Leaf.objects.get(index=5).entry.kind == "KEY"
    assert configured_verifiers() == [new, old]
    assert bytes(Leaf.objects.get(index=5).entry.body).count(key_json(new, version=2)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_retired_key_cannot_sign_on(sealer):
    """Neither by a sealer that holds it alone, nor in the eyes of a verifier."""
    plain_entries(3)
    seal_all(sealer)
    call_command("rotate_key")
    with pytest.raises(KeyRefused):
        seal_entries(sealer, now=timezone.now())
    seal_all(configured_sealer())
    plain_entries(3)
    with pytest.raises(KeyRefused):
        seal_entries(sealer, now=timezone.now())
    assert Checkpoint.objects.latest("size").size == 4

    checkpoint = seal_all(configured_sealer())

    text = parse_note(checkpoint.note).text
    with pytest.raises(UnverifiedNote):
        configured_history().open_checkpoint(sign_note(text, [sealer.signer]))
    Checkpoint.objects.create(size=8, root_hash=bytes(32), note=note_at(8, sealer.signer), signed_at=timezone.now())
    assert any("at size 8" in str(fault) for fault in ledger_faults(configured_verifiers()))


@pytest.mark.django_db(transaction=True)
def test_keys_rotate_while_transfers_go_on_and_every_checkpoint_verifies(sealer):
    rotations, series = count(30), some_series()
    failed: list[BaseException] = []
    ended = threading.Event()

    def run(act) -> None:
        try:
            while not ended.is_set():
                act()
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
        finally:
            connection.close()

    wallets = [some_wallet(f"W{number}") for number in range(3)]
    threads = [
        threading.Thread(target=run, args=(lambda wallet=wallet: given(wallet, series, 1),)) for wallet in wallets
    ]
    threads += [
        threading.Thread(target=run, args=(lambda: seal_entries(configured_sealer(), now=timezone.now()),))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for _ in range(rotations):
        before = Checkpoint.objects.count()
        call_command("rotate_key", stdout=StringIO())
        while Checkpoint.objects.count() < before + 2 and not failed:
            ended.wait(0.01)
    ended.set()
    for thread in threads:
        thread.join(30)
    seal_all(configured_sealer())

    assert failed == []
    history = configured_history()
    assert len(history.verifiers) == rotations + 1
    for checkpoint in Checkpoint.objects.all():
        assert history.open_checkpoint(checkpoint.note).size == checkpoint.size
    assert not [fault for fault in ledger_faults(configured_verifiers()) if "policy" not in str(fault)]
    assert Checkpoint.objects.latest("size").size == Entry.objects.count()
    print(f"{rotations} rotations, {Entry.objects.count()} entries, {Checkpoint.objects.count()} checkpoints")


@pytest.mark.django_db(transaction=True)
def test_a_rotation_that_was_cut_off_is_taken_up_again(sealer):
    """The key is in the file, its entry was never written."""
    plain_entries(1)
    add_key(sealer.head.path.parent / "key.pem")
    seal_all(configured_sealer())
    assert configured_history().signing(1) == [tuple(signer.verifier for signer in configured_sealer().signers)]

    call_command("rotate_key")
    seal_all(configured_sealer())

    assert len(load_keys(sealer.head.path.parent / "key.pem")) == 2
    assert rotate_key(configured_sealer().signers, now=timezone.now()) is None


@pytest.mark.django_db(transaction=True)
def test_a_retired_private_key_may_be_thrown_away(sealer, settings):
    plain_entries(1)
    seal_all(sealer)
    call_command("rotate_key")
    seal_all(configured_sealer())
    path = sealer.head.path.parent / "key.pem"
    path.write_bytes(b"-----BEGIN " + path.read_bytes().split(b"-----BEGIN ")[2])
    settings.LEDGER_OLD_KEYS = [str(sealer.signer.verifier)]
    call_command("rotate_key")
    plain_entries(1)
    seal_all(configured_sealer())

    history = configured_history()
    assert len(history.verifiers) == 3
    assert [history.open_checkpoint(row.note).size for row in Checkpoint.objects.order_by("size")] == [1, 2, 3, 4]


def test_a_key_file_is_its_owners_alone_and_only_added_to(tmp_path):
    path = tmp_path / "key"
    make_key(path)
    first = path.read_bytes()
    add_key(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(first)
    assert len(load_keys(path)) == 2
    assert load_signer(path, origin="x").verifier == load_signers(path, origin="x")[0].verifier
    path.chmod(0o640)
    for use in (load_keys, add_key):
        with pytest.raises(KeyRefused, match="0600"):
            use(path)


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_refused(tmp_path, text):
    (tmp_path / "key").write_text(text)
    (tmp_path / "key").chmod(0o600)

    with pytest.raises(KeyRefused):
        load_keys(tmp_path / "key")


MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.fixture
def device(tmp_path, monkeypatch) -> str:
    """A token of SoftHSM with two keys in it; answers the URI of one, to be filled in with its label."""
    if not (MODULE.exists() and shutil.which("softhsm2-util")):
        assert os.environ.get("CI") != "true", "softhsm2 must be installed under CI"
        pytest.skip("needs Debian's softhsm2")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\nlog.level = ERROR\n")
    (tmp_path / "pin").write_text("56789\n")
    (tmp_path / "pin").chmod(0o600)
    environment = os.environ | {"SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf")}
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "hourglass", "--so-pin", "12345", "--pin", "56789"],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run([sys.executable, "-c", _MAKE_KEYS, str(MODULE)], env=environment, check=True)
    return f"pkcs11:token=hourglass;object=LABEL?module-path={MODULE}&pin-source=file:{tmp_path}/pin"


_MAKE_KEYS = """
import sys
import pkcs11
from pkcs11.util.ec import encode_named_curve_parameters
token = pkcs11.lib(sys.argv[1]).get_token(token_label="hourglass")
with token.open(user_pin="56789", rw=True) as session:
    for label in ("first", "second"):
        curve = session.create_domain_parameters(
            pkcs11.KeyType.EC_EDWARDS,
            {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("1.3.101.112")}, local=True,
        )
        curve.generate_keypair(mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=label)
"""
# A module is loaded once in a process, with the configuration it finds then: another process asks this token.
_SIGN = """
import sys
from ledger.proof.custody import signers_at
from ledger.proof.notes import sign_note
for signer in signers_at(sys.argv[1], origin="hourglass.test/log"):
    print(signer.verifier)
    sys.stderr.write(sign_note(sys.argv[2], [signer]))
"""


def test_a_key_in_a_device_signs_as_one_in_a_file_does(device, tmp_path):
    text = str(CheckpointText(ORIGIN, 5, bytes(32)))
    uris = " ".join(device.replace("LABEL", label) for label in ("first", "second"))
    environment = os.environ | {"SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf")}

    done = subprocess.run(
        [sys.executable, "-c", _SIGN, uris, text], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    keys = [parse_verifier(line) for line in done.stdout.split()]
    signed = done.stderr.split("hourglass.test/log\n5\n")[1:]
    assert len(set(keys)) == len(signed) == 2
    for key, rest in zip(keys, signed, strict=True):
        assert open_note("hourglass.test/log\n5\n" + rest, [key]) == text


@pytest.mark.django_db(transaction=True)
def test_the_log_is_sealed_and_rotated_with_keys_in_a_device(device, sealer, settings, monkeypatch, tmp_path):
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    settings.LEDGER_SIGNING_KEY_FILE = device.replace("LABEL", "first")
    plain_entries(3)
    seal_all(configured_sealer())
    with pytest.raises(CommandError, match="in the device"):
        call_command("rotate_key")
    settings.LEDGER_SIGNING_KEY_FILE += " " + device.replace("LABEL", "second")
    call_command("rotate_key")
    plain_entries(3)
    seal_all(configured_sealer())

    history = configured_history()
    assert [history.open_checkpoint(row.note).size for row in Checkpoint.objects.order_by("size")] == [3, 4, 7]
    assert len(history.changes) == 1


def test_a_device_that_cannot_be_asked_is_refused(tmp_path):
    (tmp_path / "pin").write_text("1")
    uri = f"pkcs11:token=t;object=o?module-path=/nonexistent.so&pin-source=file:{tmp_path}/pin"
    (tmp_path / "pin").chmod(0o644)
    with pytest.raises(KeyRefused):
        signers_at(uri, origin="x")
    for wrong in ("pkcs11:token=t", uri.replace("pin-source=file:", "pin-value="), uri.replace("object=o", "object")):
        with pytest.raises(KeyRefused, match="URI is"):
            parse_uri(wrong)


def test_a_history_by_entries_that_name_no_key_is_refused():
    with pytest.raises(BadNote):
        history_of([KEYS[0].verifier], [(3, b"nonsense")])
