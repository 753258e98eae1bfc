"""The Celery app. Messages only wake somebody up: what must happen is a row in Postgres."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
app = Celery("hourglass")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Each is one call to an action that may be asked twice: a beat too many finds nothing to do.
app.conf.beat_schedule = {
    "follow-redemptions": {
        "task": "portal.redemptions.tasks.follow",
        "schedule": settings.HOURGLASS_FOLLOW_SECONDS,
        # A round that nobody took up in time is not worth doing: the next one does the same.
        "options": {"expires": 60},
    },
    "reconcile-redemptions": {"task": "portal.redemptions.tasks.reconcile_jobs", "schedule": 60.0},
    "heartbeat": {"task": "portal.reports.tasks.heartbeat", "schedule": 10.0, "options": {"expires": 20}},
    "cancel-what-is-over": {
        "task": "portal.trading.tasks.cancel_what_is_over",
        "schedule": 2.0,
        "options": {"expires": 10},
    },
    "keep-prices": {"task": "portal.reports.tasks.keep_prices", "schedule": 2.0, "options": {"expires": 10}},
    "look-at-owners": {"task": "portal.reports.tasks.look_at_owners", "schedule": 60.0, "options": {"expires": 60}},
    "record-references": {
        "task": "portal.reports.tasks.record_references",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "publish-prices": {"task": "portal.reports.tasks.publish_prices", "schedule": 60.0, "options": {"expires": 60}},
    "count-holdings": {"task": "portal.reports.tasks.count_holdings", "schedule": 60.0, "options": {"expires": 60}},
    "end-auctions": {"task": "portal.trading.tasks.end_auctions", "schedule": 1.0, "options": {"expires": 10}},
    "fire-alerts": {"task": "portal.trading.tasks.fire_alerts", "schedule": 2.0, "options": {"expires": 10}},
    "close-expired": {"task": "portal.trading.tasks.close_expired", "schedule": 30.0},
    "seal": {"task": "portal.wallets.tasks.seal", "schedule": 2.0},
    "cosign": {"task": "portal.wallets.tasks.cosign", "schedule": 2.0, "options": {"expires": 10}},
    "expire-holds": {"task": "portal.wallets.tasks.expire_due_holds", "schedule": 30.0},
}


@worker_init.connect
def check_ledger(**_: Any) -> None:
    """A worker seals: it does not start on a ledger that is older than what was signed of it."""
    from portal.starting import keep_what_is_loaded, stop_unless_sound

    stop_unless_sound()
    keep_what_is_loaded()
