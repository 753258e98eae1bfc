"""The Celery app. Messages only wake somebody up: what must happen is a row in Postgres."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
app = Celery("hourglass")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Each is one call to an action that may be asked twice: a beat too many finds nothing to do.
app.conf.beat_schedule = {
    "seal": {"task": "portal.wallets.tasks.seal", "schedule": 2.0},
    "expire-holds": {"task": "portal.wallets.tasks.expire_due_holds", "schedule": 30.0},
}
