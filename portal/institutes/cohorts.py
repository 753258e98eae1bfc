"""Cohorts and their join codes: what a lead makes, and who may see them."""

import secrets
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from ledger.errors import BadAmount
from ledger.models import Asset, Wallet
from ledger.wallets import open_wallet
from portal.institutes.models import Cohort, JoinCode
from portal.people.access import Person, institutes_led, is_auditor, organisations_governed
from portal.people.models import Organisation

# No letter or figure that is taken for another.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


def institutes() -> QuerySet[Organisation]:
    """Every institute: their pages are public."""
    return Organisation.objects.filter(kind=Organisation.Kind.INSTITUTE)


def cohorts_led(user: Person) -> QuerySet[Cohort]:
    """The cohorts this person makes codes for."""
    return Cohort.objects.filter(institute__in=institutes_led(user).values("id"))


def cohorts_read(user: Person) -> QuerySet[Cohort]:
    """The cohorts whose roster this person reads: their lead, the sponsoring department's admin, auditors."""
    if is_auditor(user):
        return Cohort.objects.all()
    led, governed = institutes_led(user).values("id"), organisations_governed(user).values("id")
    return Cohort.objects.filter(Q(institute__in=led) | Q(institute__in=governed))


@transaction.atomic(durable=True)
def make_cohort(
    *,
    institute: Organisation,
    name: str,
    asset: Asset,
    allowance: int,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
) -> Cohort:
    """Found a cohort with a wallet of its own."""
    if allowance <= 0:
        raise BadAmount(_("The allowance must be above zero."), field="allowance")
    wallet = open_wallet(kind=Wallet.Kind.COHORT, name=f"{institute.name}: {name}"[:200], now=now)
    return Cohort.objects.create(
        institute=institute,
        name=name,
        wallet=wallet,
        asset=asset,
        allowance=allowance,
        starts_at=starts_at,
        ends_at=ends_at,
        created_at=now,
    )


def new_code() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _letter in range(8))
    return f"{letters[:4]}-{letters[4:]}"


@transaction.atomic(durable=True)
def make_code(*, cohort: Cohort, max_uses: int, expires_at: datetime, now: datetime) -> JoinCode:
    """A code to give to students; 31 to the eighth leaves nothing to guess."""
    return JoinCode.objects.create(
        cohort=cohort, code=new_code(), max_uses=max_uses, expires_at=expires_at, created_at=now
    )


@transaction.atomic(durable=True)
def revoke_code(*, code_id: int, now: datetime) -> JoinCode:
    """Nobody enters with the code any more; those who did stay."""
    code = JoinCode.objects.select_for_update().get(id=code_id)
    if code.revoked_at is None:
        code.revoked_at = now
        code.save(update_fields=["revoked_at"])
    return code
