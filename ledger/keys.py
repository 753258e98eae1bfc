"""The log's signing key: an Ed25519 key in a file of mode 0600. `python -m ledger.keys FILE` makes one."""

import os
import stat
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.notes import Signer


class KeyRefused(RuntimeError):
    """The key file is missing, readable by others, or not an Ed25519 key."""


def make_key(path: Path) -> None:
    """Write a new key; never over an old one."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)


def load_signer(path: Path, *, origin: str) -> Signer:
    """The signer under the log's name."""
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as error:
        raise KeyRefused(f"The signing key cannot be read: {error}.") from error
    if stat.S_IMODE(mode) & 0o077:
        raise KeyRefused(f"The signing key {path} may be read by others: set its mode to 0600.")
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused(f"The signing key {path} is not an Ed25519 key.")
    return Signer(origin, key)


def main(arguments: list[str]) -> int:
    """Make a key where settings do not exist yet: needs no Django and no database."""
    if len(arguments) != 1:
        print("usage: python -m ledger.keys FILE", file=sys.stderr)  # noqa: T201
        return 2
    try:
        make_key(Path(arguments[0]))
    except OSError as error:
        print(f"No key was made: {error}.", file=sys.stderr)  # noqa: T201
        return 1
    print(f"Made {arguments[0]}.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
