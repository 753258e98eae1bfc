"""Dead man's switches: a wallet's orders are cancelled unless its owner keeps putting that off."""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from market.errors import BadOrder, NoCancel
from market.models import CancelTimer
from market.orders import cancel_orders
from market.phases import clock

LONGEST_SECONDS = 24 * 3600


def set_cancel_timer(*, wallet_id: int, seconds: int | None) -> datetime | None:
    """Cancel all of the wallet's orders in so many seconds, unless asked again before; None or 0 switches it off.

    Answers when that will be. Seconds are from 5 to a day. One that has run out already cancels first, also where no
    worker has come to it yet: who asks too late keeps nothing by it.
    """
    if seconds and (isinstance(seconds, bool) or not 5 <= seconds <= LONGEST_SECONDS):
        raise BadOrder(_("A cancel timer runs for 5 seconds to a day."), field="seconds")
    ran_out = CancelTimer.objects.filter(wallet_id=wallet_id, cancel_at__lte=clock()).first()
    if ran_out is not None:
        _run(ran_out)
    if not seconds:
        CancelTimer.objects.filter(wallet_id=wallet_id).delete()
        return None
    cancel_at = clock() + timedelta(seconds=seconds)
    CancelTimer.objects.update_or_create(wallet_id=wallet_id, defaults={"cancel_at": cancel_at})
    return cancel_at


def run_cancel_timers(*, limit: int = 100) -> int:
    """Cancel for those who did not renew; answers how many orders.

    The orders go first and the timer after them, so that one killed in between is taken up by the next round, and so
    is one whose orders are in an auction that is about to end. Those keep no others waiting: every timer is looked at.
    """
    now, cancelled, last = clock(), 0, 0
    while timers := list(
        CancelTimer.objects.filter(cancel_at__lte=now, wallet_id__gt=last).order_by("wallet_id")[:limit]
    ):
        cancelled += sum(map(_run, timers))
        last = timers[-1].wallet_id
    return cancelled


def _run(timer: CancelTimer) -> int:
    try:
        cancelled = cancel_orders(wallet_id=timer.wallet_id, reason="not_renewed")
    except NoCancel:
        return 0
    CancelTimer.objects.filter(wallet_id=timer.wallet_id, cancel_at=timer.cancel_at).delete()
    return cancelled
