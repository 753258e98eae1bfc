"""The stand-alone verifier: `python -m ledger.verify FOLDER --key VKEY`.

Needs no Django and no database: an export of the log and the log's public key. It checks signatures and hashes,
replays the rules of value, prints trial balances, and names the first bad entry. Exit status 1 on any fault.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.entries import leaf_hash
from ledger.merkle import Frontier
from ledger.notes import BadNote, CheckpointText, UnverifiedNote, Verifier, open_note, parse_checkpoint, parse_verifier
from ledger.replay import Replay
from ledger.tilepaths import partial_suffix, tile_path

WIDTH = 256
HASH_BYTES = 32


class Fault(Exception):
    """The first thing that is wrong, and where: `position` is the entry's index in the log."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"entry {position}: {message}")
        self.position = position


@dataclass(frozen=True)
class Report:
    """What was checked, when nothing is wrong."""

    entries: int
    checkpoints: int
    trial_balance: dict[str, dict[str, int]]


def verify_export(folder: Path, verifiers: Sequence[Verifier]) -> Report:
    """Check an exported log; raises Fault at the first entry that is not as it was signed or breaks a rule."""
    checkpoints = {checkpoint.size: checkpoint for checkpoint in _checkpoints(folder, verifiers)}
    size = max(checkpoints, default=0)
    export, frontier, replay, signed = _Export(folder, size), Frontier(_no_node, 0), Replay(), 0
    for index, body in enumerate(export.entries()):
        hash_ = leaf_hash(body)
        if index >= size or hash_ != export.hash_at(index):
            raise Fault(index, "its bytes are not those that were sealed")
        frontier.add(hash_)
        checkpoint = checkpoints.get(index + 1)
        if checkpoint is not None and frontier.root() != checkpoint.root_hash:
            raise Fault(signed, f"the root signed at size {index + 1} is another: changed between here and there")
        if checkpoint is not None:
            signed = index + 1
        if fault := replay.apply(body):
            raise Fault(index, fault)
    if replay.entries != size:
        raise Fault(replay.entries, f"the log ends here, but {size} entries were signed")
    return Report(replay.entries, len(checkpoints), replay.trial_balance())


def _checkpoints(folder: Path, verifiers: Sequence[Verifier]) -> Iterator[CheckpointText]:
    files = [folder / "checkpoint", *(folder / "checkpoints").glob("*")]
    origins = {verifier.name for verifier in verifiers}
    for path in files:
        try:
            checkpoint = parse_checkpoint(open_note(path.read_bytes(), verifiers))
        except (OSError, BadNote, UnverifiedNote) as error:
            raise Fault(0, f"{path.name} cannot be trusted: {error}") from error
        if checkpoint.origin not in origins:
            raise Fault(0, f"{path.name} is of another log, {checkpoint.origin}")
        yield checkpoint


class _Export:
    """An export's entries and hashes, each file read once."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._read: tuple[Path, bytes] | None = None

    def entries(self) -> Iterator[bytes]:
        for start in range(0, self._size, WIDTH):
            data = self._tile("entries", start).read_bytes()
            at, count = 0, 0
            while at < len(data):
                length = int.from_bytes(data[at : at + 2], "big")
                if at + 2 + length > len(data):
                    raise Fault(start + count, "its bytes are cut short")
                yield data[at + 2 : at + 2 + length]
                at, count = at + 2 + length, count + 1
            if count != min(WIDTH, self._size - start):
                raise Fault(start + count, "an entry is missing or one too many")

    def hash_at(self, index: int) -> bytes:
        """The leaf's hash as it was sealed."""
        path = self._tile("0", index)
        if self._read is None or self._read[0] != path:
            self._read = (path, path.read_bytes())
        return self._read[1][index % WIDTH * HASH_BYTES :][:HASH_BYTES]

    def _tile(self, level: str, index: int) -> Path:
        number = index // WIDTH
        width = min(WIDTH, self._size - number * WIDTH)
        path = self._folder / "tile" / level / (tile_path(number) + partial_suffix(width))
        if not path.is_file():
            raise Fault(number * WIDTH, f"{path} is missing")
        return path


def _no_node(_level: int, _index: int) -> bytes:
    raise AssertionError("an empty tree has no nodes")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ledger.verify", description="Verify an exported Hourglass log.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", required=True, action="append", help="the log's public key: name+hash+key")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    try:
        report = verify_export(options.folder, [parse_verifier(key) for key in options.key])
    except (Fault, BadNote) as fault:
        print(f"FAULT {fault}", file=sys.stderr)  # noqa: T201
        return 1
    text = json.dumps(report.trial_balance, indent=2) if options.json else _as_text(report)
    print(text)  # noqa: T201
    return 0


def _as_text(report: Report) -> str:
    lines = [f"{report.entries} entries under {report.checkpoints} checkpoints: all as signed, every rule kept."]
    for code, balances in report.trial_balance.items():
        lines.append(f"{code}: {len(balances)} wallets, in sum {sum(balances.values())}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
