"""Addresses of the market."""

from django.urls import path

from portal.trading import alert_views, offering_views, views

urlpatterns = [
    path("market/", views.market, name="market"),
    path("positions/", views.all_positions, name="positions"),
    path("market/<str:code>/", views.instrument, name="instrument"),
    path("market/<str:code>/book.json", views.book, name="book"),
    path("market/<str:code>/trades.json", views.trades, name="trades"),
    path("market/<str:code>/candles.json", views.candles, name="candles"),
    path("market/<str:code>/phase/", views.phase, name="phase"),
    path("market/<str:code>/preview/", views.preview, name="preview-order"),
    path("market/<str:code>/orders/", views.my_orders, name="my-orders"),
    path("market/<str:code>/place/", views.place, name="place-order"),
    path("market/<str:code>/cancel-all/", views.cancel_all, name="cancel-all"),
    path("market/<str:code>/alerts/", alert_views.alerts, name="alerts"),
    path("market/<str:code>/alerts/set/", alert_views.add, name="set-alert"),
    path("alerts/<int:alert_id>/drop/", alert_views.drop, name="drop-alert"),
    path("alerts/seen/", alert_views.seen, name="see-alerts"),
    path("market/<str:code>/offerings/", offering_views.offerings, name="series-offerings"),
    path("offerings/", offering_views.offerings, name="offerings"),
    path("offerings/<uuid:public_id>/", offering_views.offering, name="offering"),
    path("offerings/<uuid:public_id>/offering.json", offering_views.offering_json, name="offering-json"),
    path("orders/<int:order_id>/amend/", views.amend, name="amend-order"),
    path("orders/<int:order_id>/cancel/", views.cancel, name="cancel-order"),
]
