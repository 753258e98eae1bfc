"""Pages, admin and the REST API. Does not start on a ledger that is older than what was signed of it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from portal.starting import stop_unless_sound  # noqa: E402

stop_unless_sound()
