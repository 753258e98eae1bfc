"""Witnesses for tests: a log of plain leaves, a real witness process, and what one asks of it."""

import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.entries import leaf_hash
from ledger.proof.merkle import EMPTY_ROOT, Nodes, consistency_proof, node_hash, root_hash
from ledger.proof.notes import CheckpointText, Signer, Verifier, parse_verifier, sign_note
from ledger.witness.requests import request_body
from portal.embedded.serve import free_port

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "log.test/of-leaves"


@dataclass
class LeafLog:
    """A log made of leaves, with a key of its own: what a witness sees of any log."""

    leaves: list[bytes] = field(default_factory=list)
    origin: str = ORIGIN
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def signer(self) -> Signer:
        return Signer(self.origin, self.key)

    def grow(self, to: int, word: str = "leaf") -> "LeafLog":
        self.leaves += [leaf_hash(f"{word} {n}".encode()) for n in range(len(self.leaves), to)]
        return self

    def nodes(self) -> Nodes:
        levels = [self.leaves]

        def node(level: int, index: int) -> bytes:
            while len(levels) <= level:
                below = levels[-1]
                levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
            return levels[level][index]

        return node

    def note(self, size: int | None = None, signers: Sequence[Signer] = ()) -> str:
        size = len(self.leaves) if size is None else size
        root = root_hash(self.nodes(), size) if size else EMPTY_ROOT
        return sign_note(str(CheckpointText(self.origin, size, root)), signers or [self.signer])

    def request(self, old: int, size: int | None = None) -> bytes:
        size = len(self.leaves) if size is None else size
        proof = consistency_proof(self.nodes(), old, size) if old <= size else []
        return request_body(old=old, proof=proof, note=self.note(size))


def post(url: str, body: bytes, path: str = "/add-checkpoint") -> tuple[int, str, str]:
    """Status, kind and text of the answer."""
    address = url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


@dataclass
class RunningWitness:
    """A witness process and where it is."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def verifier(self) -> Verifier:
        done = subprocess.run(
            [sys.executable, "-m", "ledger.witness", "--keys", str(self.folder / "witness.toml")],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return parse_verifier(done.stdout.strip())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def start_again(self) -> None:
        self.process = _start(self.folder, self.port)


def make_witness(folder: Path, logs: Sequence[Verifier], *, name: str = "witness.test/w1") -> int:
    """A witness's key and configuration in the folder; answers the port it will listen on."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "ledger.witness", "--new-key", str(folder / "key.pem"), name],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    port = free_port(18100 + os.getpid() % 1000)
    write_config(folder, logs, port=port, name=name)
    return port


def write_config(folder: Path, logs: Sequence[Verifier], *, port: int, name: str = "witness.test/w1") -> None:
    by_origin: dict[str, list[Verifier]] = {}
    for verifier in logs:
        by_origin.setdefault(verifier.name, []).append(verifier)
    tables = "".join(
        f"[[logs]]\nkeys = [{', '.join(repr(str(verifier)) for verifier in verifiers)}]\n"
        for verifiers in by_origin.values()
    )
    (folder / "witness.toml").write_text(
        f'listen = "127.0.0.1:{port}"\nstate = "state.sqlite"\n[[keys]]\nname = "{name}"\nfile = "key.pem"\n{tables}'
    )


@contextmanager
def running_witness(
    folder: Path, logs: Sequence[Verifier], *, name: str = "witness.test/w1"
) -> Iterator[RunningWitness]:
    """A real process; it is killed at the end."""
    port = make_witness(folder, logs, name=name)
    witness = RunningWitness(folder, port, _start(folder, port))
    try:
        yield witness
    finally:
        witness.kill()


# A witness may not need Django or a database driver.
_WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'django', 'psycopg', 'celery'}:
            raise ImportError('a witness may not need ' + name)
sys.meta_path.insert(0, Refuse())
from ledger.witness.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _WITHOUT, str(folder / "witness.toml")], cwd=ROOT, stdout=output, stderr=output
        )
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        except OSError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the witness does not answer"
        else:
            return process
