"""Where the log's private keys are: in a file of mode 0600, or in a device that never gives them away (PKCS#11)."""

from pathlib import Path

from ledger.keys import load_signers
from ledger.notes import Signer

PKCS11 = "pkcs11:"


def signers_at(place: str, *, origin: str) -> list[Signer]:
    """The log's signers, its first key first: from a file, or from the URIs of one key each, with spaces between."""
    return load_signers(Path(place), origin=origin)
