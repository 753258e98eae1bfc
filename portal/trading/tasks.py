"""What the worker does for the market."""

from celery import shared_task
from django.utils import timezone

from market.instruments import close_instrument, expired_instruments


@shared_task
def close_expired() -> int:
    """End trading of every series that has expired; its orders are cancelled and what they held is available again."""
    now = timezone.now()
    return sum(close_instrument(instrument_id=instrument_id, now=now) for instrument_id in expired_instruments(now=now))
