"""Addresses of the redeem pages and the jobs."""

from django.urls import path

from portal.redemptions import views

urlpatterns = [
    path("redeem/", views.redeem, name="redeem"),
    path("redemptions/", views.redemptions, name="redemptions"),
    path("redemptions/<uuid:public_id>/", views.redemption, name="redemption"),
    path("redemptions/<uuid:public_id>/live", views.live, name="redemption-live"),
    path("redemptions/<uuid:public_id>/output", views.output, name="redemption-output"),
    path("redemptions/<uuid:public_id>/cancel", views.cancel, name="cancel-redemption"),
    path("redemptions/<uuid:public_id>/retry", views.retry, name="retry-redemption"),
]
