from django.urls import path

from portal.reports import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("status/", views.status, name="status"),
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
]
