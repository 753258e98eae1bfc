"""People, organisations and roles in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from portal.people.access import (
    Person,
    is_superuser,
    may_found,
    may_govern,
    may_write,
    organisations_governed,
    organisations_read,
    people_listed,
    reads_everything,
)
from portal.people.accounts import found_organisation
from portal.people.admin_base import ScopedAdmin, ScopedFilter
from portal.people.forms import posted
from portal.people.models import Membership, Organisation, User

GIVEN_BY_DEPARTMENTS = [Membership.Role.RESEARCHER, Membership.Role.INSTITUTE_LEAD]


@admin.register(User)
class UserAdmin(ScopedAdmin):
    list_display = ("email", "name", "wallet", "is_active", "last_login")
    search_fields = ("email", "name")
    list_filter = ("is_active",)
    ordering = ("email",)
    fields = ("email", "name", "wallet", "is_active", "date_joined", "last_login")
    exported = ("email", "name", "is_active", "date_joined")

    def visible(self, user: Person) -> QuerySet[User]:
        return people_listed(user).select_related("wallet")


class OrganisationForm(forms.Form):
    """A new department or institute, which gets a wallet with it."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Organisation.Kind.choices, widget=UnfoldAdminSelectWidget())
    name = forms.CharField(label=_("Name"), max_length=150, widget=UnfoldAdminTextInputWidget())
    slug = forms.SlugField(label=_("Short name in addresses"), widget=UnfoldAdminTextInputWidget())
    description = forms.CharField(
        label=_("Description"), required=False, max_length=5000, widget=UnfoldAdminTextareaWidget()
    )
    slurm_account = forms.RegexField(
        r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}$",
        label=_("Slurm account"),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )
    sponsor = forms.ModelChoiceField(
        label=_("An institute's sponsor"),
        queryset=Organisation.objects.filter(kind=Organisation.Kind.DEPARTMENT).order_by("name", "id"),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if Organisation.objects.filter(slug=slug).exists():
            raise forms.ValidationError(_("Another organisation has this short name."))
        return slug

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("kind") == Organisation.Kind.DEPARTMENT and self.cleaned_data.get("sponsor"):
            self.add_error("sponsor", _("Only an institute has a sponsor."))
        return self.cleaned_data


@admin.register(Organisation)
class OrganisationAdmin(ScopedAdmin):
    list_display = ("name", "kind", "sponsor", "wallet")
    search_fields = ("name", "slug")
    list_filter = ("kind",)
    ordering = ("name", "id")
    fields = ("name", "kind", "slug", "description", "sponsor", "slurm_account", "wallet")
    readonly_fields = ("kind", "slug", "sponsor", "slurm_account", "wallet")

    def visible(self, user: Person) -> QuerySet[Organisation]:
        return organisations_read(user).select_related("sponsor", "wallet")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_found(request.user)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Found a department or an institute, with its wallet."""
        if not may_found(request.user):
            raise PermissionDenied
        form = OrganisationForm(posted(request))
        if request.method == "POST" and form.is_valid():
            made = found_organisation(now=timezone.now(), **form.cleaned_data)
            self.log_addition(request, made, "Founded")
            messages.success(request, _("%(name)s is founded, with a wallet of its own.") % {"name": made.name})
            return redirect("admin:people_organisation_change", made.id)
        return self.page(
            request,
            "admin/reason.html",
            status=422 if form.errors else 200,
            title=_("New department or institute"),
            explain=_("It gets a wallet. Give somebody a role in it next."),
            form=form,
            button=_("Found it"),
            back=reverse("admin:people_organisation_changelist"),
        )

    def has_change_permission(self, request: HttpRequest, obj: Organisation | None = None) -> bool:
        if not may_govern(request.user):
            return False
        return obj is None or organisations_governed(request.user).filter(id=obj.id).exists()


class MembershipForm(forms.ModelForm):  # type: ignore[type-arg]
    """A role for somebody known by their address, who need not be in one's lists yet."""

    email = forms.EmailField(label=_("E-mail address"), widget=UnfoldAdminEmailInputWidget())

    class Meta:
        model = Membership
        fields = ("role", "organisation")
        widgets = {"role": UnfoldAdminSelectWidget, "organisation": UnfoldAdminSelectWidget}

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        self.instance.user = User.objects.filter(email=email, is_active=True).first()
        if self.instance.user_id is None:
            raise forms.ValidationError(_("Nobody has signed up with this address."))
        return email

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        organisation, role = data.get("organisation"), data.get("role")
        site_wide = role in {Membership.Role.AUDITOR, Membership.Role.OPERATOR}
        if role and site_wide != (organisation is None):
            self.add_error("organisation", _("Auditors and operators have no organisation; every other role has one."))
        if role == Membership.Role.INSTITUTE_LEAD and organisation and organisation.kind != "INSTITUTE":
            self.add_error("organisation", _("An institute lead leads an institute."))
        if role == Membership.Role.DEPARTMENT_ADMIN and organisation and organisation.kind != "DEPARTMENT":
            self.add_error("organisation", _("A department admin runs a department."))
        user = getattr(self.instance, "user", None) if self.instance.user_id else None
        if user and role and Membership.objects.filter(user=user, role=role, organisation=organisation).exists():
            self.add_error("email", _("They have this role already."))
        return data


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    list_display = ("user", "role", "organisation", "created_at")
    list_filter = ("role", ("organisation", ScopedFilter))
    search_fields = ("user__email", "user__name")
    ordering = ("organisation__name", "role", "id")
    form = MembershipForm
    exported = ("user__email", "user__name", "role", "organisation__name", "created_at")

    def visible(self, user: Person) -> QuerySet[Membership]:
        found = Membership.objects.select_related("user", "organisation")
        if reads_everything(user):
            return found
        return found.filter(organisation__in=organisations_governed(user).values("id"))

    def get_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("email", "role", "organisation") if obj is None else ("user", "role", "organisation", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_govern(request.user) or (is_superuser(request.user) and may_write(request.user))

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        if is_superuser(request.user):
            return may_write(request.user)
        if obj is None or not may_govern(request.user):
            return may_govern(request.user)
        return obj.role in GIVEN_BY_DEPARTMENTS and self.visible(request.user).filter(id=obj.id).exists()

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_choice_field(db_field, request, **kwargs)
        if db_field.name == "role" and not is_superuser(request.user):
            field.choices = [choice for choice in field.choices if choice[0] in GIVEN_BY_DEPARTMENTS]
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "organisation":
            superuser = is_superuser(request.user)
            kwargs["queryset"] = Organisation.objects.all() if superuser else organisations_governed(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)
