"""The admin site: one for everybody with a staff role; what each sees is decided in people.access."""

from django.contrib.admin.apps import AdminConfig


class HourglassAdminConfig(AdminConfig):
    default_site = "portal.people.admin_base.HourglassAdminSite"
