"""The stand-alone verifier: `hourglass-verify FOLDER-OR-URL --policy FILE` or `--key VKEY`.

Needs no Django and no database, only the `cryptography` package: a copy of the log (or its address) and public keys.
It checks every signature, cosignature and hash, replays every rule, prints trial balances, and names the first bad
entry. Exit status 0: nothing is wrong; 1: a fault; 2: it could not be asked or the log could not be read.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.entries import leaf_hash
from ledger.proof.keyhistory import KeyHistory
from ledger.proof.merkle import EMPTY_ROOT
from ledger.proof.notes import (
    BadNote,
    CheckpointText,
    UnverifiedNote,
    Verifier,
    parse_checkpoint,
    parse_note,
    parse_verifier,
)
from ledger.proof.policyfile import Policy, PolicyRefused, parse_policy
from ledger.proof.receipts import HEADER as RECEIPT_HEADER
from ledger.proof.receipts import parse_receipt
from ledger.verifying.logsource import Folder, LogFiles, Source, source_of
from ledger.verifying.regrown import WIDTH, Regrown, first_difference
from ledger.verifying.replay import Replay
from ledger.verifying.reporting import Report, as_json, as_text


class Fault(Exception):
    """The first thing that is wrong, and where: `position` is the entry's index in the log."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"entry {position}: {message}")
        self.position = position


@dataclass(frozen=True)
class _Signed:
    """A checkpoint as it was found; its signatures are checked when all of the log's keys are known."""

    name: str
    note: bytes
    text: CheckpointText


def verify_export(folder: Path, verifiers: Sequence[Verifier], policy: Policy | None = None) -> Report:
    """Check an exported log; raises Fault at the first entry that is not as it was signed or breaks a rule."""
    return verify_log(Folder(folder), verifiers, policy)


def verify_log(
    source: Source, verifiers: Sequence[Verifier], policy: Policy | None = None, kept: Iterable[tuple[str, bytes]] = ()
) -> Report:
    """Check a log under its first public keys (and those that its KEY entries name since).

    With a policy, the newest checkpoint must have its quorum's cosignatures. `kept` are names and notes of checkpoints
    that somebody put aside: the log must still be the one that they were of.
    """
    published = source.read("checkpoint")
    if published is None:
        raise Fault(0, "there is no checkpoint")
    signed = [_found("checkpoint", published)]
    signed += [_found(name, note) for name, note in source.older_checkpoints()]
    size = max(checkpoint.text.size for checkpoint in signed)
    for name, note in kept:
        signed.append(_found(name, note))
        if signed[-1].text.size > size:
            raise Fault(size, f"the log ends here, but {name} is of {signed[-1].text.size} entries")
    log, tree = LogFiles(source, size), Regrown()
    replay = Replay(bodies=log.body)
    roots = _replayed(log, tree, replay, signed)
    _check_tiles(log, tree)
    signed += _handovers(source, replay, {checkpoint.text.size for checkpoint in signed})
    witnesses = _check_signatures(signed, roots, _history(verifiers, replay), policy)
    return Report(replay, len({checkpoint.text for checkpoint in signed}), witnesses)


def _found(name: str, note: bytes) -> _Signed:
    try:
        return _Signed(name, note, parse_checkpoint(parse_note(note).text))
    except BadNote as error:
        raise Fault(0, f"{name} cannot be trusted: {error}") from error


def _replayed(log: LogFiles, tree: Regrown, replay: Replay, signed: Sequence[_Signed]) -> dict[int, bytes]:
    """Take every entry in; answers the roots at the sizes that were signed and where keys changed."""
    wanted: dict[int, bytes] = {checkpoint.text.size: checkpoint.text.root_hash for checkpoint in signed}
    roots, agreed, keys = {0: EMPTY_ROOT}, 0, 0
    for number in range((log.size + WIDTH - 1) // WIDTH):
        first = number * WIDTH
        bodies, sealed = log.bundle(number), log.hashes(0, number)
        if sealed is None:
            raise Fault(first, "the tile with its hash is missing or cut short")
        hashes = [leaf_hash(body) for body in bodies]
        good = len(bodies) if hashes == sealed else first_difference(hashes, sealed)
        for index, hash_ in enumerate(hashes[:good], start=first):
            tree.add(hash_)
            if fault := replay.apply(bodies[index - first], hash_):
                raise Fault(index, fault)
            if index + 1 in wanted or len(replay.books.keys) > keys:
                keys, root = len(replay.books.keys), tree.root()
                roots[index + 1] = root
                if wanted.get(index + 1, root) != root:
                    raise Fault(agreed, f"the root signed at size {index + 1} is another: changed from here to there")
                agreed = index + 1
        if hashes != sealed:
            lacking = (
                "is missing or cut short" if good == len(hashes) else "has other bytes than those that were sealed"
            )
            raise Fault(first + good, lacking)
    return roots


def _check_tiles(log: LogFiles, tree: Regrown) -> None:
    """The tiles above the leaves: nobody's proof must be made from a wrong one."""
    for level, number, hashes in tree.tiles():
        below = WIDTH**level
        sealed = log.hashes(level, number)
        if sealed is None:
            raise Fault(number * WIDTH * below, f"tile {number} of level {level} is missing or cut short")
        place = first_difference(sealed, hashes)
        if place < len(sealed):
            raise Fault((number * WIDTH + place) * below, f"tile {number} of level {level} has another hash")


def _handovers(source: Source, replay: Replay, have: set[int]) -> list[_Signed]:
    """The checkpoints that an old and a new key signed together, where they are not there yet."""
    signed = []
    for index, _ in replay.books.keys:
        if index + 1 not in have:
            note = source.read(f"checkpoints/{index + 1}")
            if note is None:
                raise Fault(index, "no checkpoint of this size shows that the old key handed over to the new one")
            signed.append(_found(f"checkpoints/{index + 1}", note))
    return signed


def _history(verifiers: Sequence[Verifier], replay: Replay) -> KeyHistory:
    changes = []
    for index, key in replay.books.keys:
        try:
            changes.append((index + 1, parse_verifier(key)))
        except BadNote as error:
            raise Fault(index, f"names a key that cannot be read: {error}") from error
    later = {verifier for _, verifier in changes}
    first = tuple(dict.fromkeys(verifier for verifier in verifiers if verifier not in later))
    if changes and not first:
        raise Fault(0, "the keys given are later ones: give the log's first key too")
    return KeyHistory(first, tuple(changes))


def _check_signatures(
    signed: Sequence[_Signed], roots: dict[int, bytes], history: KeyHistory, policy: Policy | None
) -> frozenset[str]:
    """Every signature, in the log's order; answers which witnesses cosigned the published checkpoint."""
    witnesses: frozenset[str] = frozenset()
    origins = {verifier.name for verifier in history.verifiers}
    for checkpoint in sorted(signed, key=lambda checkpoint: checkpoint.text.size):
        text, position = checkpoint.text, max(0, checkpoint.text.size - 1)
        if text.origin not in origins:
            raise Fault(position, f"{checkpoint.name} is of another log, {text.origin}")
        if roots[text.size] != text.root_hash:
            raise Fault(position, f"{checkpoint.name} has another root at size {text.size}")
        try:
            history.open_checkpoint(checkpoint.note)
            cosigned = policy.cosigners(checkpoint.note) if policy else set()
        except (BadNote, UnverifiedNote) as error:
            raise Fault(position, f"{checkpoint.name} cannot be trusted: {error}") from error
        if checkpoint is signed[0]:
            witnesses = frozenset(cosigned)
            if policy is not None and not policy.is_met_by(cosigned):
                raise Fault(position, "the policy's witnesses have not cosigned the newest checkpoint")
    return witnesses


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hourglass-verify", description="Verify a Hourglass log.")
    parser.add_argument("log", help="an export's folder, or the address of a site's log: https://…/log/")
    parser.add_argument("--policy", type=Path, help="a policy file: the log's key, its witnesses, their quorum")
    parser.add_argument("--key", action="append", default=[], help="a public key of the log: name+hash+key")
    parser.add_argument(
        "--kept", type=Path, action="append", default=[], help="a checkpoint or receipt put aside earlier"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    try:
        policy = parse_policy(options.policy.read_bytes()) if options.policy else None
        verifiers = [parse_verifier(key) for key in options.key]
        verifiers += [known.verifier for known in policy.logs] if policy else []
        if not verifiers:
            parser.error("give a --policy with the log's key, or a --key")
        kept = [(str(path), _kept(path.read_bytes())) for path in options.kept]
        report = verify_log(source_of(options.log), verifiers, policy, kept)
    except (PolicyRefused, BadNote, OSError) as error:
        print(f"Not verified: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except Fault as fault:
        print(f"FAULT {fault}", file=sys.stderr)  # noqa: T201
        return 1
    print(json.dumps(as_json(report), indent=2) if options.json else as_text(report))  # noqa: T201
    return 0


def _kept(data: bytes) -> bytes:
    """A receipt carries a checkpoint; whoever kept the one has kept the other."""
    if not data.startswith(RECEIPT_HEADER.encode()):
        return data
    try:
        return parse_receipt(data.decode()).checkpoint.encode()
    except UnicodeDecodeError as error:
        raise BadNote("a receipt is UTF-8") from error


if __name__ == "__main__":
    sys.exit(main())
