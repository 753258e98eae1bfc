"""A sealer killed at any step, in Postgres and in the file beside it, leaves one root at each size."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from ledger.models import Checkpoint, Entry, Leaf
from ledger.proof import sealing
from ledger.proof.notes import Signer, open_note, parse_checkpoint
from ledger.proof.sealing import Sealer, seal_entries
from ledger.proof.starting import refuse_an_older_database
from ledger.proof.treehead import TreeHeadFile
from tests.full import count
from tests.killing import killed_before_statement
from tests.ledger.sealers import plain_entries, seal_all, sealer

__all__ = ["sealer"]
pytestmark = pytest.mark.django_db(transaction=True)

# Steps that are not statements: each is died before and after.
STEPS: list[tuple[Any, str]] = [
    (os, "fsync"),
    (Path, "replace"),
    (TreeHeadFile, "swap"),
    (Signer, "sign"),
    (sealing, "_checked_root"),
    (sealing, "_head_said_by"),
    (sealing, "_signed"),
]


def killed_at(where: Any, name: str, *, after: bool, act: Callable[[], Any]) -> bool:
    """Fork, and kill -9 the child before or after this step; True when it came to that."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        step = getattr(where, name)

        def dying(*arguments: Any, **named: Any) -> Any:
            if after:
                step(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(where, name, dying)
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def roots_signed(sealer: Sealer) -> dict[int, bytes]:
    """Every checkpoint there is, read from what was signed."""
    notes = [parse_checkpoint(open_note(row.note, [sealer.signer.verifier])) for row in Checkpoint.objects.all()]
    return {note.size: note.root_hash for note in notes}


def test_killed_before_and_after_every_step_it_comes_to_the_same_roots(sealer):
    rounds, kills, seen = count(200), 0, {}
    steps = [(where, name, after) for where, name in STEPS for after in (False, True)]
    for number in range(rounds):
        where, name, after = steps[number % len(steps)]
        plain_entries(1 + number % 3)
        kills += killed_at(where, name, after=after, act=lambda: seal_entries(sealer, now=timezone.now(), limit=2))
        outside = sealer.head.read()
        refuse_an_older_database(sealer.head)
        if outside is not None:
            assert seen.setdefault(outside.size, outside.root_hash) == outside.root_hash
        if number % 5 == 4:
            seal_all(sealer)
    seal_all(sealer)

    signed = roots_signed(sealer)
    print(f"{kills} kills in {rounds} rounds, {len(signed)} checkpoints")
    assert kills == rounds
    for size, root in seen.items():
        assert signed[size] == root, size
    assert Leaf.objects.count() == Entry.objects.count() == max(signed)


def test_killed_before_every_statement_it_comes_to_the_same_roots(sealer):
    rounds, point, kills, seen = count(400), 0, 0, {}
    for number in range(rounds):
        plain_entries(1 + number % 2)
        point += 1
        if killed_before_statement(point, lambda: seal_entries(sealer, now=timezone.now())):
            kills += 1
        else:
            point = 0
        refuse_an_older_database(sealer.head)
        if (outside := sealer.head.read()) is not None:
            assert seen.setdefault(outside.size, outside.root_hash) == outside.root_hash
    seal_all(sealer)

    signed = roots_signed(sealer)
    print(f"{kills} kills in {rounds} rounds, {len(signed)} checkpoints")
    assert kills > rounds * 3 // 4
    assert all(signed[size] == root for size, root in seen.items())
    assert Leaf.objects.count() == Entry.objects.count() == max(signed)
