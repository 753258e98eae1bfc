"""How a person comes to be: a user, their address and a wallet, together."""

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import transaction

from ledger.clock import assert_in_transaction
from ledger.models import Wallet
from ledger.wallets import open_wallet
from portal.people.models import Membership, Organisation, User


@transaction.atomic(durable=True)
def sign_up(*, email: str, password: str | None, name: str, now: datetime, verified: bool = False) -> User:
    """Make a person with a wallet. `verified` says their address needs no code: an operator vouches for it."""
    user = User(email=User.objects.normalize_email(email).lower(), name=name)
    user.set_password(password)
    save_with_wallet(user, now=now)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=verified)
    return user


def save_with_wallet(user: User, *, now: datetime) -> User:
    """Save a new person together with their wallet."""
    assert_in_transaction()
    if user.wallet_id is None:
        user.wallet = open_wallet(kind=Wallet.Kind.PERSON, name=wallet_name(user), now=now)
    user.save()
    return user


def wallet_name(user: User) -> str:
    """What other pages call their wallet: never the whole address."""
    return (user.name or user.email.partition("@")[0])[:200]


@transaction.atomic(durable=True)
def rename(*, user_id: int, name: str) -> User:
    """Change what a person and their wallet are called on pages. The log holds no name."""
    user = User.objects.select_for_update().get(id=user_id)
    user.name = name
    user.save(update_fields=["name"])
    if user.wallet_id is not None:
        Wallet.objects.filter(id=user.wallet_id).update(name=wallet_name(user))
    return user


@transaction.atomic(durable=True)
def found_organisation(
    *,
    kind: str,
    name: str,
    slug: str,
    now: datetime,
    description: str = "",
    slurm_account: str = "",
    sponsor: Organisation | None = None,
) -> Organisation:
    """Make a department or an institute with its wallet."""
    wallet_kind = Wallet.Kind.DEPARTMENT if kind == Organisation.Kind.DEPARTMENT else Wallet.Kind.INSTITUTE
    wallet = open_wallet(kind=wallet_kind, name=name, now=now)
    return Organisation.objects.create(
        kind=kind,
        name=name,
        slug=slug,
        description=description,
        slurm_account=slurm_account,
        sponsor=sponsor,
        wallet=wallet,
    )


def add_member(*, user: User, role: str, now: datetime, organisation: Organisation | None = None) -> Membership:
    """Give a person a role; having it already is no error."""
    membership, _ = Membership.objects.get_or_create(
        user=user, role=role, organisation=organisation, defaults={"created_at": now}
    )
    return membership
