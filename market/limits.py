"""Orders of wallets, or in series, with special rules: lock-ups, allow-lists, limits of positions.

They are few, so what a clearing reads of every wallet says only that there are such rules, and these orders are asked
about one query more.
"""

from collections import defaultdict
from copy import copy

from ledger.governance.policies import owner_of, position_limit, positions_of
from ledger.models import Asset, Wallet
from market.batch import GPU_SECONDS_PER_LOT, Working
from market.loading import Loaded, refusal_code
from market.matching import BUY
from market.models import Instrument


def refuse_special(loaded: Loaded) -> list[Working]:
    """Mark the special orders that their policies refuse; answers those of them that rest in the book.

    A bid counts towards its owner's position as soon as it rests; the waiting ones are added in the order in which
    they came, as if each were accepted. Of resting bids over a limit that was lowered only as many are refused, the
    best first, as it takes for the others to be within it.
    """
    if not loaded.special:
        return []
    asset = Asset.objects.get(instrument__id=loaded.instrument_id)
    wallets = Wallet.objects.in_bulk([order.wallet for order in loaded.special])
    resting = {order.id for order in loaded.resting}
    limited = [
        order
        for order in loaded.special
        if order.side == BUY and position_limit(asset, wallets[order.wallet]) is not None
    ]
    positions: dict[int, int] = defaultdict(int)
    if limited:
        positions.update(positions_of({owner_of(wallets[order.wallet]) for order in limited}, asset.id))
    refused = []
    for order in loaded.special:
        wallet, rests = wallets[order.wallet], order.id in resting
        if order.side == BUY and not rests:
            positions[owner_of(wallet)] += order.open_quantity * GPU_SECONDS_PER_LOT
        order.refusal = order.refusal or _refusal(loaded, order, asset, wallet, positions[owner_of(wallet)], rests)
        if rests and order.refusal:
            refused.append(order)
            if order.side == BUY:
                positions[owner_of(wallet)] -= order.open_quantity * GPU_SECONDS_PER_LOT
    return refused


def _refusal(loaded: Loaded, order: Working, asset: Asset, wallet: Wallet, position: int, rests: bool) -> str:
    # A pause or a halt stops arrivals and leaves the book as it is.
    base, phase = asset, loaded.phase
    if rests:
        base, phase = copy(asset), Instrument.Phase.CONTINUOUS
        base.paused_at = None
    price = Asset(kind=Asset.Kind.CREDITS, paused_at=loaded.now if loaded.credits_paused and not rests else None)
    return refusal_code(
        phase=phase, base=base, price=price, wallet=wallet, buys=order.side == BUY, now=loaded.now, position=position
    )
