from django.urls import path

from portal.institutes.views import leading, public

urlpatterns = [
    path("institutes/", public.institute_list, name="institutes"),
    path("enrol/", public.enrol, name="enrol"),
    path("institutes/<slug:slug>/", public.institute, name="institute"),
    path("institutes/<slug:slug>/cohorts/new/", leading.new_cohort, name="new-cohort"),
    path("institutes/<slug:slug>/cohorts/<int:cohort_id>/", leading.cohort, name="cohort"),
    path("institutes/<slug:slug>/cohorts/<int:cohort_id>/roster.csv", leading.roster_csv, name="roster-csv"),
    path("institutes/<slug:slug>/codes/<int:code_id>/revoke/", leading.revoke, name="revoke-code"),
]
