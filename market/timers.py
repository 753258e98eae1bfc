"""Dead man's switches: a wallet's orders are cancelled unless its owner keeps putting that off."""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from ledger.clock import database_now
from market.errors import BadOrder, NoCancel
from market.models import CancelTimer
from market.orders import cancel_orders

LONGEST_SECONDS = 24 * 3600


def set_cancel_timer(*, wallet_id: int, seconds: int | None) -> datetime | None:
    """Cancel all of the wallet's orders in so many seconds, unless asked again before; None or 0 switches it off.

    Answers when that will be. Seconds are from 5 to a day.
    """
    if not seconds:
        CancelTimer.objects.filter(wallet_id=wallet_id).delete()
        return None
    if isinstance(seconds, bool) or not 5 <= seconds <= LONGEST_SECONDS:
        raise BadOrder(_("A cancel timer runs for 5 seconds to a day."), field="seconds")
    cancel_at = database_now() + timedelta(seconds=seconds)
    CancelTimer.objects.update_or_create(wallet_id=wallet_id, defaults={"cancel_at": cancel_at})
    return cancel_at


def run_cancel_timers(*, limit: int = 100) -> int:
    """Cancel for those who did not renew; answers how many orders.

    The orders go first and the timer after them, so that one killed in between is taken up by the next round, and so
    is one whose orders are in an auction that is about to end.
    """
    due = CancelTimer.objects.filter(cancel_at__lte=database_now()).order_by("cancel_at")
    cancelled = 0
    for timer in due[:limit]:
        try:
            cancelled += cancel_orders(wallet_id=timer.wallet_id, reason="not_renewed")
        except NoCancel:
            continue
        CancelTimer.objects.filter(wallet_id=timer.wallet_id, cancel_at=timer.cancel_at).delete()
    return cancelled
