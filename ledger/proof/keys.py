"""Signing keys: Ed25519 keys in a file of mode 0600, the log's first key first.

python -m ledger.proof.keys FILE                    make a key
python -m ledger.proof.keys --public FILE ORIGIN    print the public keys, a line each

Needs no Django and no database: witnesses use it too.
"""

import os
import stat
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.proof.notes import Signer

_BEGIN = b"-----BEGIN "


class KeyRefused(RuntimeError):
    """The signing key is missing, readable by others, not an Ed25519 key, or not the one in force."""


def make_key(path: Path) -> None:
    """Write a new key; never over an old one."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(_new_pem())


def add_key(path: Path) -> None:
    """Put a new key behind those of the file, which is replaced whole."""
    load_keys(path)
    half = path.with_suffix(".half")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(path.read_bytes().rstrip(b"\n") + b"\n" + _new_pem())
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def load_keys(path: Path) -> list[Ed25519PrivateKey]:
    """The file's keys in their order; at least one."""
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as error:
        raise KeyRefused(f"The signing key cannot be read: {error}.") from error
    if stat.S_IMODE(mode) & 0o077:
        raise KeyRefused(f"The signing key {path} may be read by others: set its mode to 0600.")
    keys = []
    for part in pem.split(_BEGIN)[1:]:
        try:
            key = serialization.load_pem_private_key(_BEGIN + part, password=None)
        except (ValueError, TypeError) as error:
            raise KeyRefused(f"The signing key {path} cannot be read.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyRefused(f"The signing key {path} is not an Ed25519 key.")
        keys.append(key)
    if not keys:
        raise KeyRefused(f"There is no key in {path}.")
    return keys


def load_signers(path: Path, *, origin: str) -> list[Signer]:
    """The signers under the log's name, the first key first."""
    return [Signer(origin, key) for key in load_keys(path)]


def load_signer(path: Path, *, origin: str) -> Signer:
    """The first signer under the log's name."""
    return load_signers(path, origin=origin)[0]


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def main(arguments: list[str]) -> int:
    """Make a key where settings do not exist yet, or say its public half."""
    try:
        match arguments:
            case ["--public", file, origin]:
                for signer in load_signers(Path(file), origin=origin):
                    print(signer.verifier)  # noqa: T201
            case [file] if not file.startswith("-"):
                make_key(Path(file))
                print(f"Made {file}.")  # noqa: T201
            case _:
                print(__doc__, file=sys.stderr)  # noqa: T201
                return 2
    except KeyRefused as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"No key was made: {error}.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
