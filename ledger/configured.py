"""The sealer and the public keys as this site's settings name them: the edge that commands and tasks call."""

from pathlib import Path

from django.conf import settings

from ledger.keys import load_signer
from ledger.notes import Verifier, parse_verifier
from ledger.sealing import Sealer
from ledger.treehead import TreeHeadFile


def configured_sealer() -> Sealer:
    """Raises KeyRefused where the key is missing or readable by others."""
    signer = load_signer(Path(settings.LEDGER_SIGNING_KEY_FILE), origin=settings.LEDGER_ORIGIN)
    return Sealer(signer, TreeHeadFile(Path(settings.LEDGER_TREE_HEAD_FILE)))


def configured_verifiers() -> list[Verifier]:
    """The log's public keys, the present one first, under which its checkpoints verify."""
    present = load_signer(Path(settings.LEDGER_SIGNING_KEY_FILE), origin=settings.LEDGER_ORIGIN).verifier
    return [present, *(parse_verifier(key) for key in settings.LEDGER_OLD_KEYS)]
