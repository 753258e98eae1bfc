"""Pages, admin and the REST API. Does not start on a ledger that is older than what was signed of it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402

from portal.starting import keep_what_is_loaded, stop_unless_sound  # noqa: E402

stop_unless_sound()
# Every page's code, which would otherwise be loaded by the first request.
assert get_resolver().url_patterns
keep_what_is_loaded()
