"""What takes two persons: one asks, another approves, and it is carried out in that very transaction.

The database holds that the two differ and that an approval is decided once; the log's entries carry its id.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from ledger.clock import assert_in_transaction
from ledger.errors import ApprovalDecided, BadPolicyChange, NotApproved
from ledger.governance.capacity import attest_capacity
from ledger.governance.corrections import correct_transfer
from ledger.governance.governing import change_asset_policy, change_wallet_policy
from ledger.models import Account, Approval, Asset, Entry, Wallet
from ledger.transfers import move_between
from ledger.wallets import system_wallet

Content = Mapping[str, Any]
Kind = Approval.Kind


@transaction.atomic(durable=True)
def ask_approval(
    *, kind: str, content: Content, reason: str, requester_id: int, now: datetime, public_id: UUID | None = None
) -> Approval:
    """Ask for what takes two persons. Nothing happens until another one approves.

    What would be refused now is refused here already: it is carried out and taken back. The same `public_id` again
    answers the same request.
    """
    known = Approval.objects.filter(public_id=public_id, requester_id=requester_id).first() if public_id else None
    if known is not None:
        return known
    if not reason.strip():
        raise NotApproved(_("Say why, for the person who decides."), field="reason")
    approval = Approval.objects.create(
        public_id=public_id or uuid4(),
        kind=kind,
        content=dict(content),
        reason=reason.strip()[:300],
        requester_id=requester_id,
        requested_at=now,
    )
    with transaction.atomic():
        _CARRY_OUT[Kind(kind)](approval, now)
        transaction.set_rollback(True)
    return approval


@transaction.atomic(durable=True)
def approve(*, approval_id: int, approver_id: int, now: datetime) -> Approval:
    """Carry out what was asked. Raises NotApproved for the one who asked, and whatever refusal stands in the way."""
    approval = _lock_waiting(approval_id, approver_id)
    entry = _CARRY_OUT[Kind(approval.kind)](approval, now)
    return _decide(approval, Approval.Status.APPROVED, approver_id, now, entry)


@transaction.atomic(durable=True)
def reject(*, approval_id: int, approver_id: int, now: datetime) -> Approval:
    """Say no. Nothing has moved."""
    return _decide(_lock_waiting(approval_id, approver_id), Approval.Status.REJECTED, approver_id, now, None)


def _lock_waiting(approval_id: int, approver_id: int) -> Approval:
    approval = Approval.objects.select_for_update().get(id=approval_id)
    if approval.status != Approval.Status.WAITING:
        raise ApprovalDecided(_("This has been decided already."))
    if approval.requester_id == approver_id:
        raise NotApproved(_("Somebody other than the person who asked must decide this."))
    return approval


def _decide(approval: Approval, status: str, approver_id: int, now: datetime, entry: Entry | None) -> Approval:
    approval.status, approval.approver_id, approval.decided_at, approval.entry = status, approver_id, now, entry
    approval.save(update_fields=["status", "approver", "decided_at", "entry"])
    return approval


def _issue(approval: Approval, now: datetime) -> Entry:
    """Content: asset and wallet (ids), amount in the asset's smallest unit."""
    issuer = system_wallet(Wallet.Role.ISSUER, now=now)
    return _moved(approval, Entry.TransferKind.ISSUE, issuer.id, approval.content["wallet"], now)


def _force(approval: Approval, now: datetime) -> Entry:
    """Content: asset, from and to (wallets' ids), amount: what a court or a fraud asks for, frozen or not."""
    return _moved(approval, Entry.TransferKind.FORCE, approval.content["from"], approval.content["to"], now)


def _moved(approval: Approval, kind: str, from_wallet_id: int, to_wallet_id: int, now: datetime) -> Entry:
    return move_between(
        kind=kind, asset_id=approval.content["asset"], from_wallet_id=from_wallet_id, to_wallet_id=to_wallet_id,
        amount=approval.content["amount"], now=now, reference=f"approval:{approval.public_id}",
    )  # fmt: skip


def _recover(approval: Approval, now: datetime) -> Entry:
    """Content: wallet and to (ids). A lost wallet is frozen, and all it has available goes to its holder's new one.

    What is on hold follows when it comes back, by being recovered again; orders are cancelled before.
    """
    assert_in_transaction()
    lost_id, to_id = approval.content["wallet"], approval.content["to"]
    changes = {"frozen": True, "frozen_reason": str(_("recovered into another wallet"))}
    change_wallet_policy(wallet_id=lost_id, changes=changes, now=now, approval=approval)
    entry: Entry | None = None
    for account in Account.objects.filter(wallet_id=lost_id, balance__gt=0).order_by("asset_id"):
        if account.available > 0:
            entry = move_between(
                kind=Entry.TransferKind.RECOVER, asset_id=account.asset_id, from_wallet_id=lost_id, to_wallet_id=to_id,
                amount=account.available, now=now, reference=f"approval:{approval.public_id}",
            )  # fmt: skip
    if entry is None:
        raise NotApproved(_("This wallet has nothing available that could be recovered."), field="wallet")
    return entry


def _capacity(approval: Approval, now: datetime) -> Entry:
    """Content: resource_class, gpus, starts_at and ends_at (ISO 8601), attestation (a version of one said before)."""
    content = approval.content
    starts_at, ends_at = parse_datetime(content["starts_at"]), parse_datetime(content["ends_at"])
    assert starts_at is not None
    assert ends_at is not None
    known = content.get("attestation")
    return attest_capacity(
        resource_class=content["resource_class"],
        gpus=content["gpus"],
        starts_at=starts_at,
        ends_at=ends_at,
        attestation=UUID(known) if known else None,
        approval=approval,
        now=now,
    ).entry


def _policy(approval: Approval, now: datetime) -> Entry:
    """Content: wallet or asset (id), and changes as ledger.governance.governing takes them."""
    content = approval.content
    changed: Wallet | Asset
    if "wallet" in content:
        changed = change_wallet_policy(
            wallet_id=content["wallet"], changes=content["changes"], now=now, approval=approval
        )
    else:
        changed = change_asset_policy(asset_id=content["asset"], changes=content["changes"], now=now, approval=approval)
    made = Entry.objects.filter(policy__approval=approval).order_by("-id").first()
    if made is None:
        raise BadPolicyChange(_("%(name)s has this policy already.") % {"name": changed})
    return made


def _correct(approval: Approval, now: datetime) -> Entry:
    """Content: transfer (its entry's id), and amounts by account id where it is not all of it."""
    amounts = approval.content.get("amounts")
    chosen = None if amounts is None else {int(account): amount for account, amount in amounts.items()}
    return correct_transfer(transfer_id=approval.content["transfer"], reason=approval.reason, amounts=chosen, now=now)


_CARRY_OUT: dict[Kind, Callable[[Approval, datetime], Entry]] = {
    Kind.ISSUE: _issue,
    Kind.FORCE: _force,
    Kind.RECOVER: _recover,
    Kind.CAPACITY: _capacity,
    Kind.POLICY: _policy,
    Kind.CORRECT: _correct,
}
