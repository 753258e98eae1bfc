"""Rules that hold for every page."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

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


class AuditorsWriteNothing:
    """An auditor reads every page and posts to none; one rule here, so that no view can forget it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_args: object) -> None:
        # After sign-in and after the check of the form's token, so that a forged request is not told more.
        if request.method not in SAFE and not request.path.startswith(OWN_AFFAIRS) and is_auditor(request.user):
            raise PermissionDenied(_("Auditors read everything and change nothing."))
