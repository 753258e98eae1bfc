"""Whether a transfer may happen: one pure function, asked by the form before and by the transaction itself."""

from datetime import datetime

from django.utils.translation import gettext as _

from ledger.errors import AssetPaused, Refusal, SeriesExpired, WalletFrozen, WalletMayNotSell
from ledger.models import Asset, Entry, Wallet

_Kind = Entry.TransferKind
# What an operator or the end of a job brings about goes through whatever the wallets may do themselves.
_NOT_THE_HOLDERS_ACT = {_Kind.EXPIRE, _Kind.CORRECT, _Kind.REDEEM}


def refusal_for(*, kind: str, asset: Asset, wallet: Wallet, gives: bool, now: datetime) -> Refusal | None:
    """Why this wallet may not give (or receive) this asset by this kind of transfer now; None when it may."""
    if kind in _NOT_THE_HOLDERS_ACT:
        return None
    if wallet.frozen_at is not None:
        return WalletFrozen(_("This wallet is frozen: nothing leaves or enters it until an administrator lifts that."))
    if asset.paused_at is not None:
        return AssetPaused(
            _("%(code)s is paused: it moves again when an administrator lifts that.") % {"code": asset.code}
        )
    if asset.expires_at is not None and asset.expires_at <= now:
        return SeriesExpired(_("%(code)s has expired and is worth nothing any more.") % {"code": asset.code})
    if gives and not wallet.may_sell and asset.kind != Asset.Kind.CREDITS and kind in {_Kind.TRADE, _Kind.SEND}:
        return WalletMayNotSell(_("This wallet holds an allowance: it may be redeemed, not sold or sent on."))
    return None
