"""The pages over a real Slurm, as the settings name it: from the form to the entry, and while slurmctld is down."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from ledger.models import Account, Asset
from portal.people.models import User
from portal.redemptions.tasks import follow, reconcile_jobs
from scheduler.models import Reconciliation, Redemption
from tests.redemptions.test_redeem_page import previewed
from tests.scheduler.conftest import slurm_lab  # noqa: F401
from tests.slurm.lab import SlurmLab, wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lab(slurm_lab: SlurmLab, settings: Any) -> Iterator[SlurmLab]:  # noqa: F811
    home = Path(tempfile.mkdtemp(prefix="hg-jobs-", dir="/tmp"))
    home.chmod(0o711)
    settings.HOURGLASS_JOBS_DIR = str(home)
    settings.HOURGLASS_ENGINE = "slurm"
    settings.HOURGLASS_JOB_USER = slurm_lab.job_user
    settings.HOURGLASS_SLURM_ENVIRONMENT = slurm_lab.environment
    yield slurm_lab
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def redeemed_by_page(lab: SlurmLab, ada: User, series: Asset) -> tuple[Client, Redemption]:
    page = Client()
    page.force_login(ada)
    sent = previewed(page, series, script='echo "on $SLURM_JOB_PARTITION"\nsleep 1.1\n')
    assert page.post("/redeem/", sent).status_code == 302
    return page, Redemption.objects.get()


def settled(redemption: Redemption) -> bool:
    follow()
    redemption.refresh_from_db()
    return redemption.is_settled


def test_from_the_form_to_the_entry(redeemed_by_page: tuple[Client, Redemption], ada: User, series: Asset) -> None:
    page, redemption = redeemed_by_page

    wait_until(lambda: settled(redemption), "the settlement", 60)
    reconcile_jobs()

    html = page.get(f"/redemptions/{redemption.public_id}/").content.decode()
    assert "on h100" in html
    assert "COMPLETED" in html
    assert f"/explorer/{redemption.transfer_id}/" in html
    account = Account.objects.get(wallet=ada.wallet, asset=series)
    assert (account.held, account.balance) == (0, 36_000 - (redemption.charged_amount or 0))
    found = Reconciliation.objects.latest()
    assert found.complete
    assert set(found.differences.values()) == {0}


def test_while_slurmctld_is_down_the_page_says_why_it_waits(
    redeemed_by_page: tuple[Client, Redemption], lab: SlurmLab
) -> None:
    page, redemption = redeemed_by_page
    lab.stop_controller()
    try:
        follow()

        html = page.get(f"/redemptions/{redemption.public_id}/").content.decode()
        assert "Why it waits:" in html
        assert "Slurm&#x27;s controller does not answer." in html
        assert "The tokens stay held and nothing is lost." in html
    finally:
        lab.start_controller()

    wait_until(lambda: settled(redemption), "the settlement", 60)
    assert "Why it waits" not in page.get(f"/redemptions/{redemption.public_id}/").content.decode()
