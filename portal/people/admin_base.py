"""What every admin page shares: one sees what people.access lists, reads it, and changes nothing unless said.

Django's own permissions are not used: a department admin's reach depends on the object, and they know no objects.
"""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from import_export import resources
from import_export.admin import ExportMixin
from unfold.admin import ModelAdmin
from unfold.contrib.import_export.forms import SelectableFieldsExportForm
from unfold.sites import UnfoldAdminSite

from portal.people.access import Person, may_use_admin
from portal.people.csv_safety import safe_cell

MOST_EXPORTED = 50_000


class HourglassAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    """One admin for department admins, auditors and operators."""

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        # Other packages' own pages know nothing of departments and would show everything to whoever may see one.
        if admin_class is not None and issubclass(admin_class, ScopedAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return may_use_admin(request.user) and not self.lacks_second_step(request)

    def lacks_second_step(self, request: HttpRequest) -> bool:
        return settings.ADMIN_REQUIRES_SECOND_STEP and not is_mfa_enabled(request.user)

    def login(self, request: HttpRequest, _extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """By the site's own sign-in, with its second step."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
        if not may_use_admin(request.user):
            raise PermissionDenied(_("The administration is for department admins, auditors and operators."))
        if self.lacks_second_step(request):
            messages.warning(request, _("The administration asks for a second step. Set one up, then come back."))
            return redirect("mfa_index")
        return redirect("admin:index")


class ScopedFilter(admin.RelatedFieldListFilter):
    """Offers only what the person's own list of that model holds, and filters by a typed value all the same."""

    def has_output(self) -> bool:
        return True

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        related = field.remote_field.model
        theirs = model_admin.admin_site._registry.get(related)
        if theirs is None:
            return []
        return [(found.pk, str(found)) for found in theirs.get_queryset(request).order_by("pk")[:200]]


class SafeResource(resources.ModelResource):  # type: ignore[misc]
    """An export whose cells no spreadsheet takes for a formula."""

    def export_field(self, field: Any, instance: Model, **kwargs: Any) -> Any:
        value = super().export_field(field, instance, **kwargs)
        return safe_cell(value) if isinstance(value, str) else value


class ScopedAdmin(ExportMixin, ModelAdmin):  # type: ignore[misc]
    """Read-only, within what `visible` answers; anything else is a 404, whether it exists or not."""

    actions: ClassVar[Any] = None
    export_form_class = SelectableFieldsExportForm
    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = True
    list_filter_submit = False
    exported: ClassVar[tuple[str, ...]] = ()

    def visible(self, user: Person) -> QuerySet[Any]:
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = self.visible(request.user)
        ordering = self.get_ordering(request)
        return found.order_by(*ordering) if ordering else found

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_use_admin(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_use_admin(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.exported) and may_use_admin(request.user)

    def get_export_resource_classes(self, request: HttpRequest) -> list[type[SafeResource]]:
        meta = type("Meta", (), {"model": self.model, "fields": self.exported, "export_order": self.exported})
        return [type("Resource", (SafeResource,), {"Meta": meta})]

    def get_export_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_export_queryset(request)[:MOST_EXPORTED]
        return found

    def one_or_404(self, request: HttpRequest, object_id: str) -> Any:
        found = self.get_object(request, object_id)
        if found is None:
            raise Http404
        return found

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        # Django would redirect with a message; ours is the same 404 for what is not there and what is not yours.
        raise Http404

    def formfield_for_foreignkey(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        related = db_field.remote_field.model if db_field.remote_field else None
        theirs = self.admin_site._registry.get(related)
        if theirs is not None and "queryset" not in kwargs:
            kwargs["queryset"] = theirs.get_queryset(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def page(self, request: HttpRequest, template: str, status: int = 200, **context: Any) -> HttpResponse:
        """A page of our own inside the admin's frame."""
        from django.shortcuts import render

        frame = self.admin_site.each_context(request) | {"opts": self.model._meta}
        return render(request, template, frame | context, status=status)
