"""Statements other than checkpoints, signed as C2SP notes by the log's key: what is published beside the log.

A statement can never be taken for a checkpoint: its second line is no number. Its first line says what it is.
"""

from ledger.models import LogState
from ledger.proof.keyhistory import history_of
from ledger.proof.keys import KeyRefused
from ledger.proof.notes import BadNote, open_note, parse_checkpoint, sign_note
from ledger.proof.sealing import Sealer, sealed_key_entries


def sign_statement(sealer: Sealer, text: str) -> str:
    """The note, signed by the key that is in force now and read back before anybody sees it."""
    if _is_checkpoint(text):
        raise ValueError("a statement must not read as a checkpoint")
    by_key = {signer.verifier: signer for signer in sealer.signers}
    history = history_of(list(by_key), sealed_key_entries())
    state = LogState.objects.first()
    keys = history.signing(state.size if state else 0)[-1]
    signer = next((by_key[key] for key in keys if key in by_key), None)
    if signer is None:
        raise KeyRefused(f"The private key of {keys[-1]} is not here.")
    note = sign_note(text, [signer])
    assert open_note(note, [signer.verifier]) == text
    return note


def _is_checkpoint(text: str) -> bool:
    try:
        parse_checkpoint(text)
    except BadNote:
        return False
    return True
