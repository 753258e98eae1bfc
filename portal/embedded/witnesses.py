"""Two witnesses of the demo's log, as two institutes would run them, and the policy file that names them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.proof.keys import load_keys, load_signers, make_key
from ledger.proof.notes import Cosigner, Verifier


@dataclass(frozen=True)
class EmbeddedWitness:
    """A witness's folder: its key, its one file and its record. The record is in no backup of the site's."""

    name: str
    folder: Path
    port: int

    @property
    def config(self) -> Path:
        return self.folder / "witness.toml"

    @property
    def key_name(self) -> str:
        return f"{self.name}.demo/w"

    @property
    def verifier(self) -> Verifier:
        return Cosigner(self.key_name, load_keys(self.folder / "key.pem")[0]).verifier

    def prepare(self, *, log_keys: Sequence[Verifier]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "key.pem").exists():
            make_key(self.folder / "key.pem")
        keys = ", ".join(f'"{key}"' for key in log_keys)
        self.config.write_text(
            f'listen = "127.0.0.1:{self.port}"\nstate = "state.sqlite"\n\n'
            f'[[keys]]\nname = "{self.key_name}"\nfile = "key.pem"\n\n[[logs]]\nkeys = [{keys}]\n'
        )


def prepare_witnesses(witnesses: Sequence[EmbeddedWitness], *, policy: Path, signing_key: Path, origin: str) -> None:
    """Keys and files for all of them. One of the two is enough to publish: the demo goes on while one is stopped."""
    log_keys = [signer.verifier for signer in load_signers(signing_key, origin=origin)]
    for witness in witnesses:
        witness.prepare(log_keys=log_keys)
    lines = [
        *(f"log {key}" for key in log_keys),
        *(f"witness {witness.name} {witness.verifier} http://127.0.0.1:{witness.port}" for witness in witnesses),
        f"group witnesses any {' '.join(witness.name for witness in witnesses)}",
        "quorum witnesses",
    ]
    half = policy.with_suffix(".half")
    half.write_text("".join(f"{line}\n" for line in lines))
    half.replace(policy)
