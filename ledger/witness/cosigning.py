"""What a witness answers to add-checkpoint, in the order and with the statuses of c2sp.org/tlog-witness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.proof.merkle import EMPTY_ROOT, is_consistent
from ledger.proof.notes import Cosigner, UnverifiedNote, Verifier, verified_signatures
from ledger.witness.requests import AddCheckpoint, BadRequest, parse_request
from ledger.witness.state import Cosigned, State

SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """A status, a body and what kind of body it is."""

    status: int
    body: str
    content_type: str = TEXT_TYPE


class Witness:
    """Who cosigns, for which logs, and what was cosigned."""

    def __init__(self, cosigners: Sequence[Cosigner], logs: Mapping[str, Sequence[Verifier]], state: State) -> None:
        self.cosigners = tuple(cosigners)
        # Which keys it trusts for which origin; replaced whole when the configuration is read again.
        self.logs: Mapping[str, Sequence[Verifier]] = logs
        self._state = state

    def add_checkpoint(self, body: bytes, *, at: int) -> Reply:
        """Cosign the checkpoint, or say why not."""
        try:
            request = parse_request(body)
        except BadRequest as error:
            return Reply(400, f"{error}\n")
        verifiers = self.logs.get(request.checkpoint.origin)
        if verifiers is None:
            return Reply(404, "this witness does not know the log\n")
        if not _is_signed(request, verifiers):
            return Reply(403, "no signature by a key that this witness trusts for the log\n")
        if request.old > request.checkpoint.size:
            return Reply(400, "the old size is greater than the checkpoint's\n")
        with self._state.alone():
            refused = self._refusal(request, body, at)
            if refused is None:
                self._state.record(
                    origin=request.checkpoint.origin,
                    size=request.checkpoint.size,
                    root=request.checkpoint.root_hash,
                    text=request.text,
                    at=at,
                )
        # Signed only now: the record is on disk, and cannot be taken back.
        return refused or Reply(200, "".join(cosigner.cosign(request.text, at=at) for cosigner in self.cosigners))

    def cosigned(self) -> dict[str, Cosigned]:
        """How far each log is."""
        with self._state.alone():
            return {origin: self._state.cosigned(origin) for origin in sorted(self.logs)}

    def _refusal(self, request: AddCheckpoint, body: bytes, at: int) -> Reply | None:
        recorded = self._state.cosigned(request.checkpoint.origin)
        if request.old != recorded.size:
            return Reply(409, f"{recorded.size}\n", SIZE_TYPE)
        if not _extends(recorded, request):
            self._state.keep_evidence(origin=request.checkpoint.origin, request=body, at=at)
            return Reply(422, "the proof does not lead from the last cosigned checkpoint to this one\n")
        return None


def _is_signed(request: AddCheckpoint, verifiers: Sequence[Verifier]) -> bool:
    try:
        return request.note is not None and bool(verified_signatures(request.note, verifiers))
    except UnverifiedNote:
        return False


def _extends(recorded: Cosigned, request: AddCheckpoint) -> bool:
    """Does the log go on from what was cosigned? From nothing, any first tree does, without a proof."""
    new = request.checkpoint
    if recorded.size == 0:
        return not request.proof and (new.size > 0 or new.root_hash == EMPTY_ROOT)
    return is_consistent(recorded.size, recorded.root, new.size, new.root_hash, request.proof)
