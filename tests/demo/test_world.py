"""The demo world is whole, made once, and absent in production."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from ledger.models import Account, Asset, Entry, Wallet
from ledger.verifying.verification import ledger_faults
from market.auctions.reads import auction_state
from market.models import Instrument, Offering, Order, Trade
from market.offerings.reads import allocations
from portal.demo.people import PASSWORD, SIGN_INS
from portal.demo.series import quarters
from portal.people.models import Membership, User
from scheduler.models import ResourceClass
from tests.market.builders import auction_over

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db(transaction=True)
def test_the_world_is_whole_and_made_once():
    call_command("seed_demo")
    entries = Entry.objects.count()
    call_command("seed_demo")

    assert Entry.objects.count() == entries
    roles = set(Membership.objects.values_list("role", flat=True))
    assert roles == set(Membership.Role.values)
    for _, email in SIGN_INS:
        assert User.objects.get(email=email).check_password(PASSWORD)
    assert ResourceClass.objects.count() == 4
    assert Instrument.objects.count() == 8
    for instrument in Instrument.objects.all():
        assert Trade.objects.filter(instrument=instrument).exists()
        sides = Order.objects.filter(instrument=instrument, status="OPEN").values_list("side", flat=True)
        assert set(sides) == {"BUY", "SELL"}
    assert not Order.objects.filter(status="REJECTED").exists()
    (offering,) = Offering.objects.all()
    assert auction_state(offering.instrument, now=timezone.now()).volume >= offering.quantity // 2
    auction_over(offering.instrument)
    offering.refresh_from_db()
    assert (offering.status, offering.sold_quantity > 0) == ("DONE", True)
    assert {line.why for line in allocations(offering)} >= {"WHOLE", "MARGIN"}
    assert list(ledger_faults([])) == []
    negative = Account.objects.filter(balance__lt=0).exclude(wallet__role=Wallet.Role.ISSUER)
    assert not negative.exists()
    assert Asset.objects.filter(kind=Asset.Kind.POOL).count() == 8


def test_quarters_cross_the_year():
    this, following = quarters(datetime(2026, 11, 22, tzinfo=UTC))

    assert (this.name, this.ends_at) == ("2026Q4", datetime(2027, 1, 1, tzinfo=UTC))
    assert (following.name, following.starts_at) == ("2027Q1", datetime(2027, 1, 1, tzinfo=UTC))


def test_production_has_no_demo(tmp_path):
    key = tmp_path / "key"
    key.write_text("x")
    environment = os.environ | {
        "HOURGLASS_MODE": "production",
        "HOURGLASS_ENGINE": "slurm",
        "SECRET_KEY": "pQ7" + "abcdefghij0123456789" * 3,
        "LEDGER_SIGNING_KEY_FILE": str(key),
        "LEDGER_TREE_HEAD_FILE": str(tmp_path / "head"),
        "EMAIL_URL": "smtp://localhost",
        "ALLOWED_HOSTS": "hourglass.example",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "seed_demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "Unknown command: 'seed_demo'" in done.stderr
