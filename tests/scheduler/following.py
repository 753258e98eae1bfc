"""Follows redemptions round by round until something is so: no test sleeps and hopes."""

import time
from collections.abc import Callable

from django.utils import timezone

from scheduler.following import follow_redemptions
from scheduler.models import Redemption
from scheduler.submission import Site


def follow_until(
    redemption: Redemption, question: Callable[[Redemption], bool], *, site: Site, seconds: float = 60
) -> Redemption:
    deadline = time.monotonic() + seconds
    while True:
        follow_redemptions(site=site, now=timezone.now())
        redemption.refresh_from_db()
        if question(redemption):
            return redemption
        if time.monotonic() > deadline:
            raise TimeoutError(f"After {seconds:.0f} s it is {redemption.status}: {redemption.reason or 'no reason'}")
        time.sleep(0.1)


def until_settled(redemption: Redemption, *, site: Site, seconds: float = 60) -> Redemption:
    return follow_until(redemption, lambda each: each.is_settled, site=site, seconds=seconds)


def until(redemption: Redemption, status: str, *, site: Site, seconds: float = 60) -> Redemption:
    return follow_until(redemption, lambda each: each.status == status, site=site, seconds=seconds)
