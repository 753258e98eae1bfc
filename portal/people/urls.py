from django.urls import path

from portal.people import views

urlpatterns = [
    path("accounts/profile/", views.profile, name="profile"),
    path("act-for/", views.act_for, name="act-for"),
]
