"""Whose redemptions a person may see, and for which Slurm account their jobs are."""

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from ledger.models import Account, Asset, Wallet
from portal.people.access import Person, wallets_of, wallets_readable
from portal.people.models import Organisation, User
from scheduler.models import Redemption


def redemptions_of(user: Person) -> QuerySet[Redemption]:
    """Those of the wallets whose activity the person may read."""
    found = Redemption.objects.filter(wallet__in=wallets_readable(user).values("id"))
    return found.select_related("asset", "wallet", "resource_class", "user", "hold")


def redemptions_to_cancel(user: Person) -> QuerySet[Redemption]:
    """Those of the wallets the person may act for."""
    return Redemption.objects.filter(wallet__in=wallets_of(user).values("id"))


def redeemable(wallet: Wallet, *, now: datetime) -> QuerySet[Account]:
    """The wallet's series that can be redeemed now and have something left, the first to expire first."""
    accounts = Account.objects.filter(
        wallet=wallet, asset__kind=Asset.Kind.POOL, balance__gt=0, asset__starts_at__lte=now, asset__expires_at__gt=now
    )
    return accounts.select_related("asset").order_by("asset__expires_at", "id")


def slurm_account_of(user: User, wallet: Wallet) -> str:
    """The account of the department behind the wallet, or behind the person; else the site's."""
    organisations = Organisation.objects.select_related("sponsor")
    behind = organisations.filter(wallet=wallet).first() or organisations.filter(memberships__user=user).first()
    if behind is None:
        return str(settings.HOURGLASS_SLURM_ACCOUNT)
    named = behind.slurm_account or (behind.sponsor.slurm_account if behind.sponsor else "")
    return named or str(settings.HOURGLASS_SLURM_ACCOUNT)
