"""Changing policies: each change is a version, a row and an entry of the log, and counts from its place there on."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from ledger.clock import assert_in_transaction
from ledger.entries import policy_body
from ledger.errors import BadPolicyChange
from ledger.governance import rules
from ledger.log import write_entry
from ledger.models import Approval, Asset, Entry, Policy, Wallet

_WALLET_COLUMNS = {"may_sell", "locked_until", "position_limit", "unlimited", "receivers"}
_ASSET_COLUMNS = {"locked_until", "position_limit", "receivers"}


def change_wallet_policy(
    *, wallet_id: int, changes: Mapping[str, Any], now: datetime, approval: Approval | None = None
) -> Wallet:
    """Change rules of a wallet, by the names ledger.governance.rules gives them; None takes a rule away.

    `frozen` may come with `frozen_reason`, which stays out of the log: it may name a person. Nothing is written where
    nothing changes. Raises BadPolicyChange.
    """
    _lock_policies()
    wallet = Wallet.objects.select_for_update().get(id=wallet_id)
    before = policy_of_wallet(wallet)
    for name, value in changes.items():
        _set_on_wallet(wallet, name, value, now)
    after = _checked(policy_of_wallet(wallet), rules.WalletRules)
    if after != before:
        wallet.save(update_fields=["frozen_at", "frozen_reason", "beneficial_owner", *_WALLET_COLUMNS])
        write_policy(subject_of(wallet), after, now=now, approval=approval)
    return wallet


def change_asset_policy(
    *, asset_id: int, changes: Mapping[str, Any], now: datetime, approval: Approval | None = None
) -> Asset:
    """Change rules of an asset: `paused`, `locked_until`, `position_limit`, `receivers`. Raises BadPolicyChange."""
    _lock_policies()
    asset = Asset.objects.select_for_update().get(id=asset_id)
    before = policy_of_asset(asset)
    for name, value in changes.items():
        if name == "paused":
            asset.paused_at = (asset.paused_at or now) if value else None
        elif name in _ASSET_COLUMNS:
            setattr(asset, name, _column_value(name, value))
        else:
            raise BadPolicyChange(_("An asset has no rule called %(name)s.") % {"name": name}, field=name)
    after = _checked(policy_of_asset(asset), rules.AssetRules)
    if after != before:
        asset.save(update_fields=["paused_at", *_ASSET_COLUMNS])
        write_policy(subject_of(asset), after, now=now, approval=approval)
    return asset


def write_policy(subject: str, policy: Mapping[str, Any], *, now: datetime, approval: Approval | None = None) -> Policy:
    """The next version of the subject's policy, in the log and beside it."""
    assert_in_transaction()
    newest = Policy.objects.filter(subject=subject).aggregate(newest=Max("version"))["newest"] or 0
    versioned = {**policy, "version": newest + 1}
    body = policy_body(subject=subject, policy=canonical_json(versioned), recorded_at=now)
    entry = write_entry(kind=Entry.Kind.POLICY, body=body, now=now, reference=subject)
    return Policy.objects.create(
        subject=subject, version=newest + 1, rules=dict(policy), entry=entry, approval=approval, made_at=now
    )


def subject_of(what: Wallet | Asset) -> str:
    """How the log names whom a policy is for."""
    return f"wallet:{what.public_id}" if isinstance(what, Wallet) else f"asset:{what.code}"


def policy_of_wallet(wallet: Wallet) -> dict[str, Any]:
    """The rules that differ from a plain wallet's, as the log writes them."""
    owner = wallet.beneficial_owner
    return _without_defaults(
        {
            "frozen": wallet.frozen_at is not None,
            "may_sell": wallet.may_sell,
            "locked_until": _iso(wallet.locked_until),
            "position_limit": wallet.position_limit,
            "unlimited": wallet.unlimited,
            "receivers": wallet.receivers,
            "owner": None if owner is None else str(owner.public_id),
            "role": wallet.role,
        }
    )


def policy_of_asset(asset: Asset) -> dict[str, Any]:
    """The rules that differ from a plain asset's, as the log writes them."""
    return _without_defaults(
        {
            "paused": asset.paused_at is not None,
            "locked_until": _iso(asset.locked_until),
            "position_limit": asset.position_limit,
            "receivers": asset.receivers,
        }
    )


def canonical_json(value: object) -> bytes:
    """RFC 8785 for the values we use: text, integers, booleans, lists and objects of them. No floats."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def utc_text(at: datetime) -> str:
    """An instant as definitions and policies write it."""
    return at.astimezone(UTC).isoformat()


def _set_on_wallet(wallet: Wallet, name: str, value: Any, now: datetime) -> None:
    match name:
        case "frozen":
            if value and wallet.kind == Wallet.Kind.SYSTEM:
                raise BadPolicyChange(_("A system wallet cannot be frozen."), field="frozen")
            wallet.frozen_at = (wallet.frozen_at or now) if value else None
            if not value:
                wallet.frozen_reason = ""
        case "frozen_reason":
            wallet.frozen_reason = value
        case "owner":
            wallet.beneficial_owner = None if value is None else _owner(wallet, value)
        case _ if name in _WALLET_COLUMNS:
            setattr(wallet, name, _column_value(name, value))
        case _:
            raise BadPolicyChange(_("A wallet has no rule called %(name)s.") % {"name": name}, field=name)


def _owner(wallet: Wallet, public_id: str) -> Wallet:
    """Beneficial owners are persons' own wallets: one step, so that a limit is summed in one query."""
    owner = Wallet.objects.filter(public_id=public_id, beneficial_owner=None).exclude(id=wallet.id).first()
    if owner is None or wallet.owned.exists():
        raise BadPolicyChange(_("The beneficial owner must be another wallet that has none itself."), field="owner")
    return owner


def _column_value(name: str, value: Any) -> Any:
    if value is None or name not in {"locked_until", "receivers"}:
        return value
    try:
        if name == "locked_until":
            at = value if isinstance(value, datetime) else parse_datetime(value)
            if at is None or at.tzinfo is None:
                raise ValueError("no zone")
            return at
        return sorted(str(UUID(wallet)) for wallet in value)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadPolicyChange(_("%(name)s cannot be read.") % {"name": name}, field=name) from error


def _checked(policy: dict[str, Any], kind: type[rules.WalletRules | rules.AssetRules]) -> dict[str, Any]:
    """What anybody can read back: the log never gets a policy that its verifier does not understand."""
    try:
        if kind is rules.WalletRules:
            rules.wallet_rules(policy)
        else:
            rules.asset_rules(policy, is_credits=False, expires_at=None)
    except rules.BadPolicy as error:
        raise BadPolicyChange(_("This is no policy: %(why)s.") % {"why": error}) from error
    return policy


def _without_defaults(policy: dict[str, Any]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"frozen": False, "may_sell": True, "unlimited": False, "paused": False}
    return {name: value for name, value in policy.items() if value is not None and value != defaults.get(name)}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else utc_text(at)


def _lock_policies() -> None:
    assert_in_transaction()
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_change_policies()")
