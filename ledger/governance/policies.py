"""Whether a transfer may happen, in sentences: asked by the form before and by the transaction itself.

The rules are ledger.governance.rules; here they are read from rows, and a refusal is put into words.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from ledger.errors import (
    AssetPaused,
    LockedUp,
    PositionLimit,
    ReceiverNotAllowed,
    Refusal,
    SeriesExpired,
    WalletFrozen,
    WalletMayNotSell,
)
from ledger.governance import rules
from ledger.governance.rules import PLAIN, AssetRules, WalletRules, limit_of
from ledger.models import Asset, Wallet

# Reads of (beneficial owner, asset, GPU-seconds) that may still be received; the market adds its open bids.
BIDS_BY_OTHERS: list[str] = []

_POSITIONS = """
SELECT o.id, coalesce(sum(had.amount), 0)::bigint
FROM unnest(%s::bigint[]) AS o (id)
JOIN ledger_wallet w ON w.id = o.id OR w.beneficial_owner_id = o.id
JOIN (SELECT wallet_id, asset_id, balance AS amount FROM ledger_account{bids}) had
    ON had.wallet_id = w.id AND had.asset_id = %s
GROUP BY o.id
"""


def register_bids(query: str) -> None:
    """Tell the position limits of what is bid for: a SELECT of wallet_id, asset_id and an amount above zero."""
    if query not in BIDS_BY_OTHERS:
        BIDS_BY_OTHERS.append(query)


def refusal_for(
    *,
    kind: str,
    asset: Asset,
    wallet: Wallet,
    gives: bool,
    now: datetime,
    other: Wallet | None = None,
    position: int | None = None,
) -> Refusal | None:
    """Why this wallet may not give (or receive) this asset by this kind of transfer now; None when it may.

    `other` is the wallet on the other side, None where nobody knows. `position` is what the beneficial owner would
    have of the series afterwards, bids included (positions_of); it is needed only where position_limit has a limit.
    """
    code = rules.refusal(
        kind,
        rules_of_asset(asset),
        rules_of_wallet(wallet),
        gives=gives,
        now=now,
        wallet_id=wallet.public_id.bytes,
        other=None if other is None else other.public_id.bytes,
        position=position,
    )
    return None if code is None else _SENTENCES[code](asset)


def position_limit(asset: Asset, wallet: Wallet) -> int | None:
    """How much of the series the wallet's beneficial owner may have, in GPU-seconds; None for any amount."""
    return limit_of(rules_of_asset(asset), rules_of_wallet(wallet))


def positions_of(owners: Iterable[int], asset_id: int) -> dict[int, int]:
    """What beneficial owners (wallet ids) have of the series and bid for, in GPU-seconds, over all their wallets.

    Inside an action it first queues with whoever else would change that: to be called after the accounts are locked.
    """
    ids = sorted(set(owners))
    bids = "".join(f" UNION ALL {query}" for query in BIDS_BY_OTHERS)
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('position' || o.id || ' ' || %s, 0))"
                " FROM unnest(%s::bigint[]) AS o (id)",
                [str(asset_id), ids],
            )
        cursor.execute(_POSITIONS.format(bids=bids), [ids, asset_id])
        found: dict[int, int] = dict(cursor.fetchall())
    return {id_: found.get(id_, 0) for id_ in ids}


def owner_of(wallet: Wallet) -> int:
    """The beneficial owner's wallet id."""
    return wallet.beneficial_owner_id or wallet.id


def rules_of_wallet(wallet: Wallet) -> WalletRules:
    """The wallet's newest policy; PLAIN itself for the many that have none."""
    if (
        wallet.frozen_at is None
        and wallet.may_sell
        and wallet.locked_until is None
        and wallet.receivers is None
        and wallet.position_limit is None
        and not wallet.unlimited
    ):
        return PLAIN
    return WalletRules(
        frozen=wallet.frozen_at is not None,
        may_sell=wallet.may_sell,
        locked_until=wallet.locked_until,
        receivers=_ids(wallet.receivers),
        position_limit=wallet.position_limit,
        unlimited=wallet.unlimited,
    )


def rules_of_asset(asset: Asset) -> AssetRules:
    """The asset's newest policy and its expiry."""
    return AssetRules(
        is_credits=asset.kind == Asset.Kind.CREDITS,
        paused=asset.paused_at is not None,
        expires_at=asset.expires_at,
        locked_until=asset.locked_until,
        receivers=_ids(asset.receivers),
        position_limit=asset.position_limit,
    )


def policy_refusal(code: str, asset: Asset) -> Refusal:
    """A rule's code in words."""
    return _SENTENCES[code](asset)


def _ids(wallets: list[str] | None) -> frozenset[bytes] | None:
    return None if wallets is None else frozenset(UUID(wallet).bytes for wallet in wallets)


_SENTENCES: dict[str, Callable[[Asset], Refusal]] = {
    "wallet_frozen": lambda _asset: WalletFrozen(
        _("This wallet is frozen: nothing leaves or enters it until an administrator lifts that.")
    ),
    "asset_paused": lambda asset: AssetPaused(
        _("%(code)s is paused: it moves again when an administrator lifts that.") % {"code": asset.code}
    ),
    "series_expired": lambda asset: SeriesExpired(
        _("%(code)s has expired and is worth nothing any more.") % {"code": asset.code}
    ),
    "wallet_may_not_sell": lambda _asset: WalletMayNotSell(
        _("This wallet holds an allowance: it may be redeemed, not sold or sent on.")
    ),
    "locked_up": lambda asset: LockedUp(
        _("%(code)s may not be given away from this wallet yet: it is locked up. It may be redeemed.")
        % {"code": asset.code}
    ),
    "receiver_not_allowed": lambda asset: ReceiverNotAllowed(
        _("%(code)s may go only to the wallets on an allow-list, and this one is not on it.") % {"code": asset.code}
    ),
    "position_limit": lambda asset: PositionLimit(
        _("This would take the owner above the limit of what one may have of %(code)s, bids included.")
        % {"code": asset.code},
        field="amount",
    ),
}
