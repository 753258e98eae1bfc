"""Credits and compute series. A definition is canonical JSON; its SHA-256 is the asset's identity."""

import hashlib
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ledger.entries import asset_body
from ledger.errors import AlreadyDefined, SeriesExpired
from ledger.governance.governing import canonical_json, utc_text
from ledger.log import write_entry
from ledger.models import Asset, Entry, Wallet
from ledger.wallets import system_wallet

CREDITS_CODE = "CREDITS"


def credits(*, now: datetime) -> Asset:
    """The price unit, counted in 1/10,000 credit; defined when first asked for."""
    found = Asset.objects.filter(code=CREDITS_CODE).first()
    if found is not None:
        return found
    definition = canonical_json({"code": CREDITS_CODE, "kind": "CREDITS", "unit": "1/10000 credit", "version": 1})
    return _define(now, definition, code=CREDITS_CODE, kind=Asset.Kind.CREDITS)


@transaction.atomic(durable=True)
def define_pool_series(
    *,
    code: str,
    resource_class: str,
    gpu_type: str,
    gpu_memory_gb: int,
    network_gbps: int,
    priority: str,
    dense_bf16_tflops: int,
    starts_at: datetime,
    expires_at: datetime,
    now: datetime,
) -> Asset:
    """Define a series that may be redeemed any time from `starts_at` until before `expires_at`.

    Raises SeriesExpired when it would never be worth anything, and AlreadyDefined when the code is taken by another
    definition; the same definition again answers the same asset.
    """
    if expires_at <= max(now, starts_at):
        raise SeriesExpired(_("A series must expire after it starts and after today."), field="expires_at")
    figures = {
        "resource_class": resource_class,
        "gpu_type": gpu_type,
        "gpu_memory_gb": gpu_memory_gb,
        "network_gbps": network_gbps,
        "priority": priority,
        "dense_bf16_tflops": dense_bf16_tflops,
    }
    definition = canonical_json(
        figures
        | {
            "code": code,
            "kind": "POOL",
            "unit": "GPU-second",
            "version": 1,
            "starts_at": utc_text(starts_at),
            "expires_at": utc_text(expires_at),
        }
    )
    found = Asset.objects.filter(code=code).first()
    if found is not None:
        if bytes(found.definition) != definition:
            raise AlreadyDefined(_("%(code)s is already defined, and otherwise.") % {"code": code}, field="code")
        return found
    return _define(
        now, definition, code=code, kind=Asset.Kind.POOL, starts_at=starts_at, expires_at=expires_at, **figures
    )


def _define(now: datetime, definition: bytes, *, code: str, **columns: object) -> Asset:
    with transaction.atomic():
        asset, made = Asset.objects.get_or_create(
            code=code,
            defaults={
                "definition": definition,
                "definition_hash": hashlib.sha256(definition).digest(),
                "created_at": now,
            }
            | columns,
        )
        if made:
            issuer = system_wallet(Wallet.Role.ISSUER, now=now).public_id
            body = asset_body(code=code, definition=definition, issuer=issuer, recorded_at=now)
            write_entry(kind=Entry.Kind.ASSET, body=body, now=now, reference=f"asset:{code}")
    return asset
