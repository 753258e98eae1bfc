"""Addresses of wallets, the explorer and the log's files."""

from django.urls import path

from portal.wallets import explorer, log, views

urlpatterns = [
    path("wallet/", views.wallet, name="wallet"),
    path("wallets/<uuid:public_id>/", views.read_wallet, name="read-wallet"),
    path("wallets/<uuid:public_id>/statement.csv", views.statement, name="statement"),
    path("explorer/", explorer.explorer, name="explorer"),
    path("explorer/<int:entry_id>/", explorer.entry, name="entry"),
    path("explorer/<int:entry_id>/receipt", explorer.receipt, name="receipt"),
    path("explorer/<int:entry_id>/bytes", explorer.raw_entry, name="entry-bytes"),
    path("explorer/series/<str:code>/", explorer.series, name="series-life"),
    path("explorer/wallets/<uuid:public_id>/", explorer.wallet, name="explorer-wallet"),
    path("verify/", explorer.verify, name="verify"),
    path("log/checkpoint", log.checkpoint, name="log-checkpoint"),
    path("log/checkpoints/<int:size>", log.older_checkpoint, name="log-older-checkpoint"),
    path("log/hourglass-verify.pyz", log.verifier, name="log-verifier"),
    path("log/policy", log.policy, name="log-policy"),
    path("log/key", log.key, name="log-key"),
    path("log/tile/<str:level>/<path:path>", log.tile, name="log-tile"),
]
