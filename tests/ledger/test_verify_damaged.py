"""Damaged and hostile logs: every changed byte is found, and nothing makes the verifier do anything but answer."""

import json
import random
import shutil
from pathlib import Path

from ledger.entries import MalformedEntry, parse
from ledger.verifying.replay import Replay
from ledger.verifying.verify import Fault, verify_export
from tests.full import count
from tests.ledger.forging import canonical, honest_history
from tests.ledger.signing import signer, witness, write_log
from tests.ledger.test_verify import LOG, long_history, policy_of

NASTY = [
    None, True, False, 0, -1, 1, 2**63, 10**400, "", "x", "wallet:x", "0" * 36, "2026-12-01", "2026-12-01T00:00:00",
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", [], [None], ["x"], [1], {}, {"a": 1}, "\ud800", "\x00",
]  # fmt: skip


def test_any_byte_changed_cut_off_or_added_anywhere_in_a_log_is_found(tmp_path: Path):
    both = [witness("alpha"), witness("beta")]
    whole = write_log(tmp_path / "whole", long_history(260), older={7: [signer()], 256: [signer()]}, cosigners=both)
    assert verify_export(whole, LOG, policy_of()).entries > 256
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    rounds, missed = count(3_000), []
    for seed in range(rounds):
        what = random.Random(seed)
        name = what.choice(files)
        data = bytearray((whole / name).read_bytes())
        place, how = what.randrange(len(data)), what.choice(["bit", "byte", "cut", "more", "gone"])
        if how == "bit":
            data[place] ^= 1 << what.randrange(8)
        elif how == "byte":
            data[place] = (data[place] + what.randint(1, 255)) % 256
        elif how == "cut":
            del data[place:]
        elif how == "more":
            data[place:place] = what.randbytes(what.randint(1, 3))
        damaged = tmp_path / "damaged"
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(whole, damaged)
        (damaged / name).write_bytes(bytes(data))
        if how == "gone":
            (damaged / name).unlink()
            if "checkpoints" in str(name):
                continue  # an older checkpoint that is not offered is not missed
        try:
            verify_export(damaged, LOG, policy_of())
            missed.append((seed, str(name), how, place))
        except Fault:
            pass
    print(f"{rounds} damaged logs, {len(missed)} missed")

    assert missed == []


def test_no_entry_makes_the_replay_do_anything_but_answer():
    rounds, faults = count(20_000), 0
    bodies = honest_history()
    for seed in range(rounds):
        what = random.Random(seed)
        place = what.randrange(len(bodies))
        replay = Replay()
        for body in bodies[:place]:
            assert replay.apply(body) is None
        said = replay.apply(changed(bodies[place], what))
        faults += said is not None
        assert said is None or isinstance(said, str)
    print(f"{rounds} changed entries, {faults} of them faults")

    assert faults > rounds // 2


def changed(body: bytes, what: random.Random) -> bytes:
    """Another value in its JSON where it has any, or other bytes in one of its fields."""
    fields = split(body)
    for place, field in enumerate(fields):
        if field[:1] == b"{" and what.random() < 0.8:
            said = json.loads(field)
            said[what.choice([*said, "may_sell", "receivers", "owner", "role", "locked_until"])] = what.choice(NASTY)
            fields[place] = canonical_or_not(said)
            return joined(fields)
    place = what.randrange(1, len(fields))
    field = bytearray(fields[place])
    if field and what.random() < 0.7:
        field[what.randrange(len(field))] = what.randrange(256)
    else:
        field = bytearray(what.randbytes(what.choice([0, 1, 8, 16, 56, 112])))
    fields[place] = bytes(field)
    return joined(fields)


def canonical_or_not(said: object) -> bytes:
    try:
        return canonical(said)
    except UnicodeEncodeError:
        return json.dumps(said).encode()


def split(body: bytes) -> list[bytes]:
    fields, at = [], 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        fields.append(body[at + 4 : at + 4 + length])
        at += 4 + length
    return fields


def joined(fields: list[bytes]) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def test_rubbish_is_no_entry():
    for seed in range(count(5_000)):
        what = random.Random(seed)
        rubbish = what.randbytes(what.randrange(200))
        try:
            parse(rubbish)
        except MalformedEntry:
            continue
        raise AssertionError(rubbish.hex())
