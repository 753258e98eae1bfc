"""All the site's addresses."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    # First, because programs ask most often.
    path("", include("portal.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("portal.reports.urls")),
    path("", include("portal.people.urls")),
    path("", include("portal.institutes.urls")),
    path("", include("portal.wallets.urls")),
    path("", include("portal.trading.urls")),
    path("", include("portal.redemptions.urls")),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
