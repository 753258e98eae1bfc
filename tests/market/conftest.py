"""What most tests of the market begin with."""

import pytest

from ledger.models import Wallet
from market.models import Instrument
from tests.market.builders import some_instrument, some_trader


@pytest.fixture
def market() -> tuple[Instrument, Wallet, Wallet]:
    """An instrument, and Ada and Bob, who have plenty of both sides."""
    instrument = some_instrument()
    return instrument, some_trader(instrument), some_trader(instrument, "Bob")
