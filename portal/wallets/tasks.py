"""What the worker does for the ledger, a few seconds apart."""

from celery import shared_task
from django.utils import timezone

from ledger.holds import expire_holds
from ledger.proof.configured import configured_policy, configured_sealer
from ledger.proof.cosigning import cosign_newest
from ledger.proof.sealing import seal_entries


@shared_task
def seal() -> None:
    """Seal what waits, until nothing does. One too many at once leaves it to the other: no thread stands in a queue."""
    sealer = configured_sealer()
    while seal_entries(sealer, now=timezone.now(), wait=False) is not None:
        pass


@shared_task
def cosign() -> None:
    """Ask the witnesses for their cosignatures of the newest checkpoint."""
    policy = configured_policy()
    if policy is not None:
        cosign_newest(policy, now=timezone.now())


@shared_task
def expire_due_holds() -> None:
    """Release holds whose time is over."""
    while expire_holds():
        pass
