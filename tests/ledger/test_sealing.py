"""Sealing: an order that replays, nothing left out, and never two roots at one size."""

import base64
import random
import threading
import time
from dataclasses import dataclass, replace

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from ledger.models import Account, Checkpoint, Entry, Leaf, LogState, Wallet
from ledger.proof import notes, numbering, sealing
from ledger.proof.keys import KeyRefused
from ledger.proof.merkle import root_hash
from ledger.proof.notes import CheckpointText, Signer
from ledger.proof.numbering import unsealed_count, waiting_since
from ledger.proof.sealing import seal_entries
from ledger.proof.tiles import Tiles
from ledger.proof.treehead import TreeHead, TreeHeadConflict, TreeHeadFile
from ledger.transfers import move_between
from ledger.verifying.verification import ledger_faults
from ledger.wallets import account_of
from tests import cluster
from tests.full import count
from tests.ledger.builders import given, some_series, some_wallet
from tests.ledger.sealers import as_app, as_superuser, plain_entries, seal_all, sealer, write_plain
from tests.waiting import somebody_waits_for_a_lock, wait_until

__all__ = ["sealer"]
pytestmark = pytest.mark.django_db(transaction=True)


def by_transaction(state: LogState, limit: int) -> tuple[list[numbering._Waiting], str]:
    """The order of before: by the transactions' numbers."""
    found, snapshot = waiting_by_id(state, limit)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM ledger_entry ORDER BY xid, id")
        place = {row[0]: number for number, row in enumerate(cursor.fetchall())}
    return sorted(found, key=lambda entry: place[entry.entry_id]), snapshot


waiting_by_id = numbering._waiting


@pytest.mark.parametrize("planted", [False, True], ids=["by id", "planted: by transaction"])
def test_a_transaction_that_began_first_and_waited_for_its_money_is_sealed_behind_it(sealer, monkeypatch, planted):
    """By the order in which transactions began, Ada would spend before she has anything."""
    series, ada, bob, carol = some_series(), some_wallet(), some_wallet("Bob"), some_wallet("Carol")
    given(carol, series, 100)
    adas = account_of(wallet_id=ada.id, asset_id=series.id)
    account_of(wallet_id=bob.id, asset_id=series.id)
    seal_all(sealer)
    made: dict[str, int] = {}
    began, funded = threading.Event(), threading.Event()

    def move(kind: str, giver: Wallet, taker: Wallet) -> int:
        return move_between(
            kind=kind, asset_id=series.id, from_wallet_id=giver.id, to_wallet_id=taker.id, amount=60, now=timezone.now()
        ).id

    def spend() -> None:
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")
            began.set()
            funded.wait(20)
            made["spent"] = move("SEND", ada, bob)
        connection.close()

    spender = threading.Thread(target=spend)
    spender.start()
    began.wait(20)
    with transaction.atomic(durable=True):
        made["given"] = move("SEND", carol, ada)
        funded.set()
        wait_until(somebody_waits_for_a_lock)
    spender.join(20)
    if planted:
        monkeypatch.setattr(numbering, "_waiting", by_transaction)
    seal_entries(sealer, now=timezone.now())

    with connection.cursor() as cursor:
        cursor.execute("SELECT id, xid::text::bigint FROM ledger_entry WHERE id = ANY(%s)", [list(made.values())])
        xids = dict(cursor.fetchall())
    place = {what: Leaf.objects.get(entry_id=entry_id).index for what, entry_id in made.items()}
    assert xids[made["spent"]] < xids[made["given"]]
    assert Account.objects.get(id=adas.id).balance == 0
    faults = [fault for fault in ledger_faults([sealer.signer.verifier]) if "below zero" in str(fault)]
    assert (place["given"] < place["spent"], len(faults)) == ((False, 1) if planted else (True, 0))


def test_entries_are_sealed_once_and_without_gaps_in_whatever_order_transactions_end(sealer):
    seed = 20_261
    chance, rounds, open_ones = random.Random(seed), count(400), []
    for _ in range(rounds):
        match chance.randrange(4):
            case 0:
                other = as_app()
                write_plain(other, chance.randint(1, 5))
                open_ones.append(other)
            case 1 if open_ones:
                ended = open_ones.pop(chance.randrange(len(open_ones)))
                ended.commit() if chance.random() < 0.8 else ended.rollback()
                ended.close()
            case 2:
                plain_entries(chance.randint(1, 4))
            case _:
                before, limit = unsealed_count(), chance.randint(1, 6)
                seal_entries(sealer, now=timezone.now(), limit=limit)
                assert unsealed_count() == before - min(before, limit)
    for other in open_ones:
        other.commit()
        other.close()
    size = seal_all(sealer, limit=7).size

    print(f"{rounds} rounds, {size} entries, {Checkpoint.objects.count()} checkpoints, seed {seed}")
    assert size == Entry.objects.count() == Leaf.objects.count()
    assert list(Leaf.objects.order_by("index").values_list("index", flat=True)) == list(range(size))
    assert unsealed_count() == 0


def test_of_what_one_look_shows_the_lowest_ids_come_first(sealer):
    slow = as_app()
    early = write_plain(slow)
    later = plain_entries(5)
    seal_entries(sealer, now=timezone.now(), limit=3)
    slow.commit()
    more = plain_entries(2)
    seal_entries(sealer, now=timezone.now(), limit=2)
    seal_all(sealer)

    assert list(Leaf.objects.order_by("index").values_list("entry_id", flat=True)) == [
        *later[:3], *early, *later[3:], *more,
    ]  # fmt: skip


def test_stragglers_that_do_not_fit_into_one_batch_are_not_forgotten(sealer):
    slow = as_app()
    early = write_plain(slow, 10)
    plain_entries(1)
    seal_all(sealer)
    slow.commit()

    sizes = []
    while (checkpoint := seal_entries(sealer, now=timezone.now(), limit=4)) is not None:
        sizes.append(checkpoint.size)

    assert sizes == [5, 9, 11]
    assert list(Leaf.objects.filter(index__gt=0).order_by("index").values_list("entry_id", flat=True)) == early


def test_after_a_restore_into_another_cluster_everything_is_looked_at_once(sealer):
    """Its transactions are counted from the start again: what is there seems to come from the future."""
    plain_entries(3)
    seal_all(sealer)
    slow = as_app()
    late = write_plain(slow)
    plain_entries(1)
    seal_all(sealer)
    slow.commit()
    as_superuser("UPDATE ledger_entry SET xid = '9000000000000000'", "UPDATE ledger_logstate SET cluster = 'another'")
    plain_entries(1)

    seal_all(sealer)

    assert Leaf.objects.filter(entry_id__in=late).count() == 1
    assert unsealed_count() == 0
    assert LogState.objects.get().size == Entry.objects.count()


def test_sealing_keeps_up_with_a_backlog(sealer):
    """The time for each entry does not grow with how many wait."""
    total = count(300_000)
    with as_app() as other:
        write_plain(other, total)
    start = time.monotonic()
    first = seal_entries(sealer, now=timezone.now())
    took_first = time.monotonic() - start
    last = seal_all(sealer)
    took = time.monotonic() - start

    print(f"{total} entries in {took:.1f} s: {total / took:.0f}/s; the first {first.size} in {took_first:.2f} s")
    assert last.size == total
    assert took / total < 3 * took_first / first.size


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1, *data[1:]])


def text_with_a_flipped_bit(self: CheckpointText) -> str:
    return f"{self.origin}\n{self.size}\n{base64.b64encode(flipped(self.root_hash)).decode()}\n"


def signature_of_another_text(self: Signer, text: str) -> str:
    return signed_well(self, text_with_a_flipped_bit(notes.parse_checkpoint(text)))


signed_well = Signer.sign


@dataclass
class Ed25519Key:
    """A private key whose signing may be made to fail."""

    key: Ed25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data)

    def public_key(self) -> Ed25519PublicKey:
        return self.key.public_key()


@pytest.mark.parametrize(
    ("where", "name", "wrong"),
    [
        (CheckpointText, "__str__", text_with_a_flipped_bit),
        (Signer, "sign", signature_of_another_text),
        (sealing, "leaf_hash", lambda body: flipped(body * 2)[:32]),
        (Ed25519Key, "sign", lambda self, data: flipped(self.key.sign(data))),
    ],
    ids=["in the text", "while signing", "while hashing", "in the signature"],
)
def test_a_bit_flipped_on_the_way_to_the_signature_signs_nothing(sealer, monkeypatch, where, name, wrong):
    sealer = replace(sealer, signer=replace(sealer.signer, private_key=Ed25519Key(sealer.signer.private_key)))
    plain_entries(300)
    seal_all(sealer)
    plain_entries(300)
    with monkeypatch.context() as fault:
        fault.setattr(where, name, wrong)
        with pytest.raises((TreeHeadConflict, KeyRefused, notes.BadNote)):
            seal_entries(sealer, now=timezone.now())
    assert [row.size for row in Checkpoint.objects.all()] == [300]

    checkpoint = seal_all(sealer)

    assert checkpoint.size == 600
    assert sealer.head.read() == TreeHead(600, bytes(checkpoint.root_hash))


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE ledger_tile SET hashes = set_byte(hashes, 9, 1 # get_byte(hashes, 9)) WHERE level = 0 AND index = 1",
        "UPDATE ledger_tile SET hashes = set_byte(hashes, 9, 1 # get_byte(hashes, 9)) WHERE level = 1",
        "UPDATE ledger_entry SET body = set_byte(body, 9, 1 # get_byte(body, 9))"
        " WHERE id = (SELECT max(id) FROM ledger_entry)",
        "UPDATE ledger_entry SET leaf_hash = sha256('x') WHERE id = (SELECT max(id) FROM ledger_entry)",
        "DELETE FROM ledger_entry WHERE id = (SELECT entry_id FROM ledger_leaf WHERE index = 550)",
    ],
)
def test_a_tree_edited_in_postgres_signs_nothing(sealer, edit):
    plain_entries(300)
    seal_all(sealer)
    plain_entries(300)
    if "leaf_hash" in edit:
        as_superuser(edit)
    else:
        sealing._number_entries(sealer.head, limit=1000)
        as_superuser(edit)

    for _ in range(2):
        with pytest.raises(TreeHeadConflict):
            seal_entries(sealer, now=timezone.now())

    assert Checkpoint.objects.count() == 1


def test_without_its_second_way_to_the_root_the_sealer_would_sign_what_the_verifier_finds(sealer, monkeypatch):
    """A planted bug: it shows that the check above is what stops the sealer."""
    plain_entries(300)
    sealing._number_entries(sealer.head, limit=1000)
    as_superuser("UPDATE ledger_tile SET hashes = set_byte(hashes, 9, 1 # get_byte(hashes, 9)) WHERE index = 1")
    monkeypatch.setattr(sealing, "_checked_root", lambda _, size: root_hash(Tiles().node, size))

    assert seal_entries(sealer, now=timezone.now()).size == 300
    said = [str(fault) for fault in ledger_faults([sealer.signer.verifier])]
    assert any("root signed at size 300" in fault for fault in said), said[-3:]


def test_a_sealer_cut_off_after_its_swap_and_another_in_its_place_sign_one_root(sealer, monkeypatch):
    """The first one sleeps, its connection is lost, the second goes on, the first wakes."""
    plain_entries(40)
    sleeping, wake = threading.Event(), threading.Event()
    swap = TreeHeadFile.swap
    failed: list[BaseException] = []

    def sleepy(self: TreeHeadFile, *, expected: TreeHead | None, new: TreeHead) -> None:
        swap(self, expected=expected, new=new)
        if threading.current_thread().name == "first":
            sleeping.set()
            wake.wait(20)

    def first() -> None:
        try:
            seal_entries(sealer, now=timezone.now())
        except OperationalError as error:
            failed.append(error)
        finally:
            connection.close()

    monkeypatch.setattr(TreeHeadFile, "swap", sleepy)
    thread = threading.Thread(target=first, name="first")
    thread.start()
    assert sleeping.wait(20)
    swapped = sealer.head.read()
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            " AND datname = current_database()"
        )
    plain_entries(40)
    second = seal_entries(sealer, now=timezone.now())
    wake.set()
    thread.join(20)

    assert failed
    assert (second.size, bytes(second.root_hash)) == (swapped.size, swapped.root_hash) == (40, swapped.root_hash)
    assert seal_all(sealer).size == 80


def test_a_head_that_is_ahead_of_the_log_stops_the_sealer_before_it_numbers(sealer):
    plain_entries(5)
    seal_all(sealer)
    sealer.head.path.write_text(f"9 {'A' * 43}=\n")
    plain_entries(5)

    with pytest.raises(TreeHeadConflict):
        seal_entries(sealer, now=timezone.now())

    assert LogState.objects.get().size == 5


def test_what_is_numbered_and_not_signed_still_waits(sealer):
    plain_entries(3)
    seal_all(sealer)
    plain_entries(4)
    sealing._number_entries(sealer.head, limit=3)
    late = plain_entries(1)

    assert unsealed_count() == 5
    assert waiting_since() == Entry.objects.get(leaf__index=3).recorded_at
    seal_entries(sealer, now=timezone.now())
    assert (unsealed_count(), waiting_since() <= Entry.objects.get(id=late[0]).recorded_at) == (2, True)
    seal_all(sealer)
    assert (unsealed_count(), waiting_since()) == (0, None)
