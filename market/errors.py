"""What the market refuses. A code is also an order's `reason`, so an order answers the same when asked again."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ledger.errors import Refusal


class BadOrder(Refusal):
    """The order is not one the instrument can take; `field` names what is wrong."""

    code = "bad_order"


class ClientOrderIdConflict(Refusal):
    """The client order id was used before with other content; `field` names the first that differs."""

    code = "client_order_id_conflict"


class InstrumentHalted(Refusal):
    code = "instrument_halted"


class InstrumentClosed(Refusal):
    code = "instrument_closed"


class NoCancel(Refusal):
    """The auction is about to end: orders can be placed, not cancelled or amended."""

    code = "no_cancel"


class BadRule(Refusal):
    """A fee, band or time that no instrument can have; `field` names it."""

    code = "bad_rule"


class BadOffering(Refusal):
    """What is offered makes no sense, or cannot be offered now."""

    code = "bad_offering"


class OfferingRefused(Refusal):
    """The wallet could not sell it; `reason` is the code of why."""

    code = "offering_refused"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class BookCrossed(Refusal):
    """Trading cannot simply go on: what is in the book must be matched by an auction first."""

    code = "book_crossed"


class OrderNotOpen(Refusal):
    code = "order_not_open"


class AmendmentRefused(Refusal):
    """The amended order would be rejected; `reason` is the code of why."""

    code = "amendment_refused"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotOpenable(Refusal):
    """The asset cannot be traded."""

    code = "not_openable"


class FlagDecided(Refusal):
    """Somebody has decided about this flag already."""

    code = "flag_decided"


class ReasonMissing(Refusal):
    code = "reason_missing"


class TooManyOrders(Refusal):
    """The owner sends more orders than its trades allow; `retry_after` says in how many seconds there is room again."""

    code = "too_many_orders"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


# Every reason an order can carry, in a sentence for the person who placed it.
REASONS: dict[str, Promise] = {
    "not_enough": _("Your available balance does not cover this order."),
    "wallet_frozen": _("This wallet is frozen, so it cannot trade."),
    "wallet_may_not_sell": _("This wallet may use its tokens but not sell them."),
    "asset_paused": _("Movements of this series are paused."),
    "series_expired": _("This series has expired."),
    "locked_up": _("These tokens are locked up: they may be redeemed, not sold yet."),
    "receiver_not_allowed": _("Only wallets on an allow-list may receive this, and the market does not know who will."),
    "position_limit": _("This would take you above the limit of what one owner may have and bid for of this series."),
    "instrument_halted": _("Trading of this series is halted."),
    "instrument_closed": _("Trading of this series has ended."),
    "cancel_only": _("Orders in this series can only be cancelled now."),
    "post_only_phase": _("Only orders that are to be added to the book, and trade nothing at once, are taken now."),
    "not_in_auction": _("An auction takes only orders that can wait for its end: no now-or-never, no adding only."),
    "outside_band": _("The rest would have traded outside the price band, and could not wait."),
    "offering_over": _("The auction is over: what was offered and not sold is not offered any longer."),
    "auction_over": _("The auction is over: a market order waits no longer."),
    "would_trade": _("It would have traded at once, and was to be added to the book only."),
    "fill_or_kill": _("It could not be filled whole at once, so nothing of it was."),
    "order_expired": _("Its time was over."),
    "not_renewed": _("The cancel timer ran out."),
    "self_trade": _("The order met an open order of the same wallet and was cancelled instead of trading with it."),
    "immediate_or_cancel": _("What could not be filled at once was cancelled."),
    "administers_market": _("Its owner administers the market now, and nobody who does trades on it."),
    "by_operator": _("Cancelled by an operator of the market."),
    "cancelled": _("Cancelled by its owner."),
    "amended": _("Amended to no more than was filled already, so the rest was cancelled."),
}


def sentence_for(reason: str) -> str:
    return str(REASONS.get(reason, _("The order was refused.")))
