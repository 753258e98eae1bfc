"""The end of a series: what is left in wallets becomes worth nothing, and the log says so.

The rule for redemptions that run over the expiry: their hold stays until the job has ended. What the job used is
captured as ever; what it gives back is of an expired series, and the next sweep moves it to the expired account.
"""

from django.db import connection, transaction

from ledger.clock import database_now
from ledger.models import Asset, Entry, Wallet
from ledger.transfers import Move, post_transfer
from ledger.wallets import account_of, system_wallet

# Two postings' worth of an entry's bytes stay far below what a bundle holds.
BATCH = 500

_LEFT = """
SELECT a.id FROM ledger_account a JOIN ledger_wallet w ON w.id = a.wallet_id
WHERE a.asset_id = %s AND w.role IS NULL AND a.balance {than}
ORDER BY a.id LIMIT %s
"""


def series_to_sweep(*, limit: int = 100) -> list[int]:
    """Expired series of which something may be left in wallets, the longest expired first."""
    due = Asset.objects.filter(expires_at__lte=database_now(), swept_at=None)
    return list(due.order_by("expires_at", "id").values_list("id", flat=True)[:limit])


@transaction.atomic(durable=True)
def expire_balances(*, asset_id: int, limit: int = BATCH) -> int:
    """Move what up to `limit` wallets have left, beyond what is on hold, to the expired account; answers how many.

    Asked again it goes on where it stopped, and answers 0 when nothing can be moved now. A series of which nothing is
    left, holds included, is marked as swept.
    """
    now = database_now()
    asset = Asset.objects.select_for_update(no_key=True).get(id=asset_id)
    if asset.expires_at is None or asset.expires_at > now or asset.swept_at is not None:
        return 0
    ids = _left(asset_id, "> a.held", limit)
    if not ids:
        _mark_swept(asset)
        return 0
    with connection.cursor() as cursor:
        # Read again under the locks: a redemption may have ended in between.
        cursor.execute("SELECT id, balance - held FROM ledger_lock_accounts(%s::bigint[])", [ids])
        left = [(id_, amount) for id_, amount in cursor.fetchall() if amount > 0]
    if left:
        expired = account_of(wallet_id=system_wallet(Wallet.Role.EXPIRED, now=now).id, asset_id=asset_id)
        moves = [Move(id_, -amount) for id_, amount in left]
        moves.append(Move(expired.id, sum(amount for _, amount in left)))
        post_transfer(kind=Entry.TransferKind.EXPIRE, moves=moves, now=now, reference=f"expiry:{asset.code}")
    return len(ids)


def _mark_swept(asset: Asset) -> None:
    if not _left(asset.id, "> 0", 1):
        asset.swept_at = database_now()
        asset.save(update_fields=["swept_at"])


def _left(asset_id: int, than: str, limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT.format(than=than), [asset_id, limit])
        return [row[0] for row in cursor.fetchall()]
