"""An account's wallet and asset are checked when it is opened, by the trigger in place of two foreign keys."""

import pytest
from django.db import IntegrityError, transaction

from ledger.models import Account
from tests.ledger.builders import some_series, some_wallet


@pytest.mark.django_db
@pytest.mark.parametrize("missing", ["wallet", "asset"])
def test_an_account_of_nobody_or_of_nothing_is_refused(missing):
    keys = {"wallet_id": some_wallet().id, "asset_id": some_series().id} | {f"{missing}_id": 10**9}

    with pytest.raises(IntegrityError, match="needs a wallet and an asset"), transaction.atomic():
        Account.objects.create(**keys)

    assert not Account.objects.exists()
