"""What a key may: the scope that each method of a view needs, and no writing for auditors."""

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from portal.api.models import ApiKey
from portal.people.access import is_auditor


class ScopeNeeded(BasePermission):
    """The scope of each method is said by the view (views.route)."""

    scopes: dict[str, str] = {}

    def has_permission(self, request: Request, view: object) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            raise NotAuthenticated(_("Send a key in the Authorization header."), "key_needed")
        # By the method and not by its scope, so that no view can forget it.
        if request.method not in SAFE_METHODS and is_auditor(request.user):
            raise PermissionDenied(_("Auditors read everything and change nothing."), "auditors_write_nothing")
        # A method that the view does not have is answered by that.
        scope = self.scopes.get(request.method)
        if scope is not None and scope not in key.scopes:
            raise PermissionDenied(_("This key was not made for that: it lacks a scope."), "scope_missing")
        return True
