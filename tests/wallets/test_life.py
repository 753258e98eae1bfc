"""Whatever happens to a series, its page adds up, and says what the log says."""

import pytest
from django.utils import timezone

from ledger.models import Entry
from ledger.verifying.replay import Replay
from ledger.verifying.reporting import summaries
from portal.wallets.life import series_life
from tests.ledger.living import Life
from tests.ledger.sealers import sealer

__all__ = ["sealer"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_life_of_a_series_adds_up_at_any_moment_and_agrees_with_the_log(sealer, seed):
    life = Life(seed)
    for _ in range(6):
        life.go_on(12)
        life.relax()
        replay = Replay()
        faults = [replay.apply(bytes(body)) for body in Entry.objects.order_by("id").values_list("body", flat=True)]
        assert set(faults) == {None}
        booked = {summary.code: summary for summary in summaries(replay)}
        for series in (life.series, life.soon):
            told, said = series_life(series, now=timezone.now()), booked[series.code]
            parts = {part.tone: part.amount for part in told.parts}
            assert told.adds_up
            assert (told.issued, told.held) == (said.issued, said.held)
            assert (parts.pop("redeemed", 0), parts.pop("expired", 0)) == (said.redeemed, said.expired)
            assert sum(parts.values()) == said.circulating
