"""An institute with something to give, a cohort and a code."""

from datetime import datetime, timedelta

from django.utils import timezone

from ledger.models import Account, Asset
from portal.institutes.cohorts import make_code, make_cohort
from portal.institutes.models import Cohort, JoinCode
from portal.people.models import Organisation
from tests.ledger.builders import given, some_series
from tests.people.builders import some_department, some_institute

HOUR = 3600


def some_cohort(
    *, students: int = 10, institute: Organisation | None = None, name: str = "Autumn", ends_at: datetime | None = None
) -> Cohort:
    """A cohort of 20 GPU-hours each, whose institute holds enough for `students`."""
    now = timezone.now()
    institute = institute or some_institute(some_department())
    series = some_series()
    if students:
        given(institute.wallet, series, students * 20 * HOUR)
    return make_cohort(
        institute=institute,
        name=name,
        asset=series,
        allowance=20 * HOUR,
        starts_at=now - timedelta(days=1),
        ends_at=ends_at or now + timedelta(days=60),
        now=now,
    )


def some_code(cohort: Cohort, *, max_uses: int = 30, expires_at: datetime | None = None) -> JoinCode:
    now = timezone.now()
    return make_code(cohort=cohort, max_uses=max_uses, expires_at=expires_at or now + timedelta(days=30), now=now)


def balance(wallet_id: int | None, asset: Asset) -> int:
    account = Account.objects.filter(wallet_id=wallet_id, asset=asset).first()
    return account.balance if account else 0
