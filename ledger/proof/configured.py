"""The sealer, the public keys and the witnesses as this site's settings name them: what commands and tasks call."""

import logging
from pathlib import Path

from django.conf import settings

from ledger.proof.custody import signers_at
from ledger.proof.keyhistory import KeyHistory, history_of
from ledger.proof.notes import Signer, Verifier, parse_verifier
from ledger.proof.policyfile import Policy, PolicyRefused, parse_policy
from ledger.proof.sealing import Sealer, sealed_key_entries
from ledger.proof.starting import refuse_an_older_database
from ledger.proof.treehead import TreeHeadFile

log = logging.getLogger(__name__)


def configured_sealer() -> Sealer:
    """Raises KeyRefused where a key is missing or readable by others."""

    def read_keys() -> list[Signer]:
        return signers_at(settings.LEDGER_SIGNING_KEY_FILE, origin=settings.LEDGER_ORIGIN)

    first, *later = read_keys()
    return Sealer(first, TreeHeadFile(Path(settings.LEDGER_TREE_HEAD_FILE)), tuple(later), read_keys)


def configured_history() -> KeyHistory:
    """Which key signs at which size: by the log's own entries, the key file and the settings."""
    present = signers_at(settings.LEDGER_SIGNING_KEY_FILE, origin=settings.LEDGER_ORIGIN)
    old = [parse_verifier(key) for key in settings.LEDGER_OLD_KEYS]
    return history_of([*(signer.verifier for signer in present), *old], sealed_key_entries())


def configured_verifiers() -> list[Verifier]:
    """The log's public keys, the present one first, under which its checkpoints verify."""
    return configured_history().verifiers


def configured_policy() -> Policy | None:
    """The witnesses and their quorum; None where the site names none. PolicyRefused where the file is no policy."""
    if not settings.LEDGER_POLICY_FILE:
        return None
    try:
        return parse_policy(Path(settings.LEDGER_POLICY_FILE).read_bytes())
    except OSError as error:
        raise PolicyRefused(f"the policy file cannot be read: {error}") from error


def usable_policy() -> Policy | None:
    """The same for pages, which go on without cosignatures where the file was broken meanwhile."""
    try:
        return configured_policy()
    except PolicyRefused as error:
        log.warning("pages show no cosignatures: %s", error)
        return None


def check_before_start() -> None:
    """Before a process serves or works. Raises KeyRefused, PolicyRefused or TreeHeadConflict.

    Not where the site names no key, as tests and builds of images do.
    """
    if not settings.LEDGER_SIGNING_KEY_FILE or not settings.LEDGER_TREE_HEAD_FILE:
        return
    signers_at(settings.LEDGER_SIGNING_KEY_FILE, origin=settings.LEDGER_ORIGIN)
    configured_policy()
    refuse_an_older_database(TreeHeadFile(Path(settings.LEDGER_TREE_HEAD_FILE)))
