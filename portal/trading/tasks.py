"""What the worker does for the market."""

from celery import shared_task

from ledger.clock import database_now
from ledger.governance.expiry import expire_balances, series_to_sweep
from market.instruments import close_instrument, expired_instruments
from market.orders import expire_orders
from market.timers import run_cancel_timers
from market.uncrossing import due_auctions, end_auction
from portal.trading import alerts
from portal.trading.administrators import cancel_for_administrators


@shared_task
def close_expired() -> int:
    """End every series that has expired: its orders are cancelled, then what is left in wallets moves to expired.

    Killed anywhere, the next round goes on. What running jobs hold stays until they end.
    """
    now = database_now()
    for instrument_id in expired_instruments(now=now):
        close_instrument(instrument_id=instrument_id, now=now)
    moved = 0
    for asset_id in series_to_sweep():
        while count := expire_balances(asset_id=asset_id):
            moved += count
    return moved


@shared_task
def cancel_what_is_over() -> int:
    """Cancel orders whose date is over, and all orders of those whose cancel timer ran out or who may not trade."""
    cancelled = run_cancel_timers() + cancel_for_administrators()
    while count := expire_orders():
        cancelled += count
    return cancelled


@shared_task
def end_auctions() -> int:
    """End the auctions whose time has come; answers how many. Any clearing does so too, where one comes first."""
    return sum(end_auction(instrument_id) for instrument_id in due_auctions())


@shared_task
def fire_alerts() -> int:
    """Fire the price alerts whose price was traded; answers how many."""
    return alerts.fire_alerts()
