"""Callers of one process clear an instrument together (ledger.door.combining)."""

import os
import threading

from ledger.door.combining import LARGEST_BATCH, Combiner
from market.answers import Answer, NewOrder
from market.clearing import clear

__all__ = ["LARGEST_BATCH", "combiner_for"]

_combiners: dict[int, Combiner[NewOrder, Answer]] = {}
_registry = threading.Lock()


def combiner_for(instrument_id: int) -> Combiner[NewOrder, Answer]:
    combiner = _combiners.get(instrument_id)
    if combiner is None:
        with _registry:
            combiner = _combiners.setdefault(instrument_id, Combiner(lambda orders: clear(instrument_id, orders)))
    return combiner


# A forked child has none of the threads that would hand the lead on.
os.register_at_fork(after_in_child=_combiners.clear)
