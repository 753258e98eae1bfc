from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ledger.models import Wallet


class PeopleManager(UserManager["User"]):
    """People sign in with their address; there is no user name."""

    def _create_user(self, email: str, password: str | None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:  # type: ignore[override]
        return self._create_user(email, password, **({"is_staff": False, "is_superuser": False} | fields))

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:  # type: ignore[override]
        return self._create_user(email, password, **({"is_staff": True, "is_superuser": True} | fields))


class User(AbstractUser):
    """A person. Their own wallet is made with them (`people.accounts.sign_up`)."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    wallet = models.OneToOneField(Wallet, on_delete=models.PROTECT, null=True, related_name="owner")

    # Roles anywhere, once they were asked for (portal.people.access.roles_of).
    known_roles: frozenset[str] | None = None

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[PeopleManager] = PeopleManager()

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)


class Organisation(models.Model):
    """A department, which issues and governs tokens, or an institute, which passes them on to its cohorts."""

    class Kind(models.TextChoices):
        DEPARTMENT = "DEPARTMENT", _("department")
        INSTITUTE = "INSTITUTE", _("institute")

    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=150)
    slug = models.SlugField(unique=True)
    description = models.TextField(_("description"), blank=True)
    slurm_account = models.CharField(max_length=40, blank=True)
    # Which department an institute gets its compute from.
    sponsor = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="institutes")
    wallet = models.OneToOneField(Wallet, on_delete=models.PROTECT, related_name="organisation")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role, in one organisation or over the whole site."""

    class Role(models.TextChoices):
        RESEARCHER = "RESEARCHER", _("researcher")
        STUDENT = "STUDENT", _("student")
        INSTITUTE_LEAD = "INSTITUTE_LEAD", _("institute lead")
        DEPARTMENT_ADMIN = "DEPARTMENT_ADMIN", _("department admin")
        AUDITOR = "AUDITOR", _("auditor")
        OPERATOR = "OPERATOR", _("operator")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="memberships"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="membership_once", fields=["user", "role", "organisation"], nulls_distinct=False
            ),
            models.CheckConstraint(
                name="membership_site_roles_have_no_organisation",
                condition=Q(role__in=["AUDITOR", "OPERATOR"], organisation__isnull=True)
                | (~Q(role__in=["AUDITOR", "OPERATOR"]) & Q(organisation__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}"

    def save(self, *arguments: Any, **keywords: Any) -> None:
        super().save(*arguments, **keywords)
        self._forget_roles()

    def delete(self, *arguments: Any, **keywords: Any) -> tuple[int, dict[str, int]]:
        done = super().delete(*arguments, **keywords)
        self._forget_roles()
        return done

    def _forget_roles(self) -> None:
        if Membership.user.is_cached(self):
            self.user.known_roles = None
