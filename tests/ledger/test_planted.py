"""Bugs planted in the checkers: with a check taken out, the history it is there for goes through unnoticed.

So every check is needed, and the tests of forged histories would notice if one were lost.
"""

from typing import Any

import pytest

from ledger.verifying import verify
from ledger.verifying.replay import Replay
from ledger.verifying.replaying import attested, holds, transfers
from tests.ledger.forging import ADA, BOB, forgeries, moved
from tests.ledger.signing import signer, write_log
from tests.ledger.test_verify import LOG, fault_of, long_history, policy_of

ANYBODY = frozenset({"", "FEES", "ISSUER", "REDEEMED", "EXPIRED"})


def nothing(*_arguments: Any, **_named: Any) -> None:
    """What a check says when it is not made."""


PLANTED: list[tuple[object, str, object, list[str]]] = [
    (transfers, "_overdrawn", nothing, ["more than is there", "what is held is sent", "beyond 64 bits"]),
    (transfers, "any", lambda _: False, ["sum above zero", "out of nothing"]),
    (transfers, "_wrong_side", nothing, ["minted by a grant", "expired to a friend", "granted to the expired"]),
    (transfers, "_check_policies", nothing, ["after expiry", "frozen", "paused", "above the wallet's limit"]),
    (transfers, "_position", lambda *_: 0, ["above the wallet's limit", "above the limit by two wallets"]),
    (transfers, "_check_capacity", nothing, ["nothing attested", "one second too many", "what was withdrawn"]),
    (transfers, "shortfall", lambda *_: 0, ["GPUs of after its expiry", "another class"]),
    (transfers, "_check_expired", nothing, ["expired before its time"]),
    (transfers, "_check_captured", nothing, ["redeemed without a hold", "moved less than was captured"]),
    (transfers, "_APPROVED", frozenset(), ["forced by nobody", "recovered by nobody"]),
    (holds, "_check_may_give", nothing, ["a hold of a frozen wallet", "an order of a frozen wallet"]),
    (holds, "_change_held", nothing, ["held twice over", "an order beyond what is there"]),
    (attested, "next_version", lambda _before, version, _what: version, ["an edited policy", "a version left out"]),
    (attested, "_check_role", nothing, ["a second issuer", "a role taken away"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name", "replacement", "missed"), PLANTED, ids=[f"{name}" for _, name, _, _ in PLANTED]
)
def test_without_a_check_the_history_it_is_there_for_goes_through(module, name, replacement, missed, monkeypatch):
    forged = {forgery.name: forgery for forgery in forgeries()}
    monkeypatch.setattr(module, name, replacement, raising=False)

    for story in missed:
        replay = Replay()
        assert [fault for body in forged[story].bodies if (fault := replay.apply(body))] == [], story


def a_leaf_edited(folder) -> dict[str, object]:
    """An entry and its tile are rewritten; the signed roots are of what was."""
    bodies = long_history(300)
    write_log(folder, bodies, older={100: [signer()]})
    notes = {path: path.read_bytes() for path in (folder / "checkpoint", folder / "checkpoints" / "100")}
    bodies[50] = moved("SEND", (ADA, -5), (BOB, 5), reference="another")
    write_log(folder, bodies)
    for path, note in notes.items():
        path.write_bytes(note)
    return {}


def a_stranger_signs(folder) -> dict[str, object]:
    write_log(folder, long_history(20), signers=[signer("stranger")])
    return {}


def a_tile_edited(folder) -> dict[str, object]:
    write_log(folder, long_history(300))
    path = folder / "tile" / "1" / "000.p" / "1"
    path.write_bytes(bytes(32))
    return {}


def no_witness(folder) -> dict[str, object]:
    write_log(folder, long_history(20))
    return {"policy": policy_of()}


@pytest.mark.parametrize(
    ("story", "plant"),
    [
        (a_leaf_edited, lambda patch: patch.setattr(verify.Regrown, "root", lambda _self: AnyRoot())),
        (a_stranger_signs, lambda patch: patch.setattr(verify.KeyHistory, "open_checkpoint", nothing)),
        (a_tile_edited, lambda patch: patch.setattr(verify, "_check_tiles", nothing)),
        (no_witness, lambda patch: patch.setattr(verify.Policy, "is_met_by", lambda *_: True)),
    ],
)
def test_without_a_step_of_the_verifier_what_it_is_there_for_goes_through(story, plant, tmp_path, monkeypatch):
    given: dict[str, Any] = story(tmp_path)
    assert fault_of(tmp_path, LOG, given.get("policy"))

    plant(monkeypatch)

    assert verify.verify_export(tmp_path, LOG, given.get("policy")).entries > 20


class AnyRoot(bytes):
    """A root that is every other."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, _other: object) -> bool:
        return True

    def __ne__(self, _other: object) -> bool:
        return False
