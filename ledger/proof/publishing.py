"""What is shown of the sealed log: the newest checkpoint that the quorum cosigned, and receipts under it."""

from ledger.models import Checkpoint, Leaf, LogState
from ledger.proof.cosigning import cosignatures_of
from ledger.proof.merkle import inclusion_proof
from ledger.proof.policyfile import Policy
from ledger.proof.receipts import Receipt
from ledger.proof.tiles import Tiles


def newest_checkpoint() -> Checkpoint | None:
    return Checkpoint.objects.order_by("-size").first()


def published_checkpoint(policy: Policy | None) -> Checkpoint | None:
    """The newest checkpoint with the quorum's cosignatures; the newest of all without a policy, or before any has."""
    newest = newest_checkpoint()
    if policy is None or newest is None or policy.is_met_by(()):
        return newest
    size = LogState.objects.values_list("published_size", flat=True).first()
    return Checkpoint.objects.filter(size=size or 0).first() or newest


def note_of(checkpoint: Checkpoint, policy: Policy | None) -> str:
    """The signed checkpoint with the cosignatures of the policy's witnesses."""
    if policy is None:
        return checkpoint.note
    return checkpoint.note + "".join(
        f"{line}\n" for line in cosignatures_of([checkpoint], policy)[checkpoint.size].values()
    )


def receipt_for(entry_id: int, policy: Policy | None = None) -> Receipt | None:
    """The proof that the entry is in the log; None while it is not sealed.

    Under the published checkpoint, and under the newest where that one does not have the entry yet.
    """
    leaf = Leaf.objects.filter(entry_id=entry_id).first()
    checkpoint = published_checkpoint(policy)
    if leaf is not None and checkpoint is not None and leaf.index >= checkpoint.size:
        checkpoint = newest_checkpoint()
    if leaf is None or checkpoint is None or leaf.index >= checkpoint.size:
        return None
    hashes = inclusion_proof(Tiles().node, leaf.index, checkpoint.size)
    return Receipt(leaf.index, tuple(hashes), note_of(checkpoint, policy))
