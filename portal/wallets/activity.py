"""What a wallet's pages and statement show: balances, holds and why, and what came and went."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from ledger.models import Account, Asset, Entry, Hold, Leaf, Posting, Wallet
from market.models import Order
from scheduler.models import Redemption


@dataclass(frozen=True)
class HeldFor:
    """An amount set aside, and for what."""

    account: Account
    amount: int
    why: str
    url_name: str
    url_argument: str
    placed_at: datetime


@dataclass(frozen=True)
class Activity:
    """One posting of the wallet, with its transfer and the other side."""

    posting: Posting
    other_side: str
    is_sealed: bool


def balances(wallet: Wallet) -> QuerySet[Account]:
    """Credits first, then series by expiry; accounts that hold nothing are left out."""
    accounts = Account.objects.filter(wallet=wallet).exclude(balance=0, held=0).select_related("asset")
    return accounts.order_by("asset__expires_at", "asset__code", "id")


def held_for(wallet: Wallet) -> list[HeldFor]:
    """Every open order and hold of the wallet."""
    orders = Order.objects.in_book().filter(wallet=wallet).select_related("account__asset", "instrument")
    holds = Hold.objects.filter(account__wallet=wallet, status=Hold.Status.OPEN).select_related("account__asset")
    jobs = {r.hold_id: r for r in Redemption.objects.filter(hold__in=[hold.id for hold in holds])}
    rows = [
        HeldFor(o.account, o.held, _("Order %(id)s") % {"id": o.id}, "instrument", o.instrument.code, o.placed_at)
        for o in orders
    ]
    for hold in holds:
        job = jobs.get(hold.id)
        why = _("Job %(name)s") % {"name": job.job_name} if job else hold.reference
        rows.append(
            HeldFor(
                hold.account,
                hold.amount,
                why,
                "redemption" if job else "",
                str(job.public_id) if job else "",
                hold.placed_at,
            )
        )
    return sorted(rows, key=lambda row: row.placed_at, reverse=True)


def postings_of(wallet: Wallet) -> QuerySet[Posting]:
    """The wallet's postings, newest first, each with what it takes to tell the other side."""
    other = Posting.objects.select_related("account__wallet")
    return (
        Posting.objects.filter(account__wallet=wallet)
        .select_related("account__asset", "transfer")
        .prefetch_related(Prefetch("transfer__postings", queryset=other))
        .order_by("-transfer_id", "account_id")
    )


def activity(wallet: Wallet, postings: Iterable[Posting]) -> Iterator[Activity]:
    """The postings with the other side and whether the log's proof is there."""
    rows = list(postings)
    sealed = set(Leaf.objects.filter(entry_id__in=[row.transfer_id for row in rows]).values_list("entry_id", flat=True))
    for row in rows:
        yield Activity(row, other_side(wallet, row), row.transfer_id in sealed)


def other_side(wallet: Wallet, posting: Posting) -> str:
    """Who gave or got. The market has no names: a trade's other side is the market."""
    if posting.transfer.transfer_kind == Entry.TransferKind.TRADE:
        return _("the market")
    others = {
        side.account.wallet.name for side in posting.transfer.postings.all() if side.account.wallet_id != wallet.id
    }
    return ", ".join(sorted(others))


def in_unit(amount: int, asset: Asset) -> str:
    """An exact figure for a spreadsheet: credits with four decimals, compute in whole GPU-seconds."""
    if asset.kind != Asset.Kind.CREDITS:
        return str(amount)
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 10_000)
    return f"{sign}{whole}.{rest:04d}"


def unit_name(asset: Asset) -> str:
    return "credit" if asset.kind == Asset.Kind.CREDITS else "GPU-second"
