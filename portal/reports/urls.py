from django.urls import path

from portal.reports import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("status/", views.status, name="status"),
    path("index/", views.price_index, name="price-index"),
    path("index/index.json", views.index_json, name="index-json"),
    path("index/index.csv", views.index_csv, name="index-csv"),
    path("index/index.note", views.index_note, name="index-note"),
    path("index/conversion/", views.conversion, name="conversion"),
    path("index/concentration/", views.concentration, name="concentration"),
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
]
