"""Rules that hold for every page."""

import hashlib
from collections.abc import Callable

from allauth.usersessions.middleware import UserSessionsMiddleware
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from portal.people.access import is_auditor

SAFE = {"GET", "HEAD", "OPTIONS"}
# An auditor still signs in and out, keeps their own keys and chooses a language.
OWN_AFFAIRS = ("/accounts/", "/i18n/")


# Unfold's Alpine evaluates expressions and its pages carry a style of their own; still no inline script, and no host
# but ours.
ADMIN_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
)


class AdminPolicy:
    """The administration's own content policy, where the site's is left out (settings)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            response.headers["Content-Security-Policy"] = ADMIN_POLICY
        return response


class SessionsSeen:
    """Somebody's list of sessions, where and when last seen: noted at most once a minute, or every page would write."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._note: Callable[[HttpRequest], HttpResponse] = UserSessionsMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.session.session_key
        return self._note(request) if key and _first_this_minute(key) else self._get_response(request)


def _first_this_minute(session_key: str) -> bool:
    name = hashlib.sha256(session_key.encode()).hexdigest()[:32]
    try:
        return bool(cache.add(f"seen:{name}", 1, timeout=60))
    except RedisError:
        return True


class _BeforeViews:
    """Lets a request through; a rule of its own, `process_view`, may stop it once its view is known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class NulFindsNothing(_BeforeViews):
    """No text of Postgres can hold a NUL, and asking for one is an error there: an address with one is not found.

    What is asked behind it the pages check themselves, and Django's filters of the admin do not.
    """

    def process_view(self, request: HttpRequest, *_args: object) -> None:
        asks = request.META.get("QUERY_STRING", "") if request.path.startswith("/admin/") else ""
        if "\0" in request.path or "%00" in asks:
            raise Http404


class AuditorsWriteNothing(_BeforeViews):
    """An auditor reads every page and posts to none; one rule here, so that no view can forget it."""

    def process_view(self, request: HttpRequest, *_args: object) -> None:
        # After sign-in and after the check of the form's token, so that a forged request is not told more.
        if request.method not in SAFE and not request.path.startswith(OWN_AFFAIRS) and is_auditor(request.user):
            raise PermissionDenied(_("Auditors read everything and change nothing."))
