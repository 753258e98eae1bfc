"""Addresses of the API, and of the page for its keys."""

from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter

from portal.api.views import about, bulk, devices, ledger, market, orders, pages, prices, redemptions


class CodeConverter:
    """A series' code; nothing that no code can hold, such as NUL, is looked up."""

    regex = "[A-Za-z0-9._-]{1,40}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class NumberConverter:
    """The number of a row, in its one form."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(CodeConverter, "code")
register_converter(NumberConverter, "number")

# The busiest first: they are tried in turn.
v1: list[URLPattern | URLResolver] = [
    path("orders/", orders.orders, name="orders"),
    path("schema/", about.schema, name="schema"),
    path("instruments/", market.instruments, name="instruments"),
    path("instruments/<code:code>/", market.instrument, name="instrument"),
    path("instruments/<code:code>/book/", market.book, name="book"),
    path("instruments/<code:code>/trades/", market.trades, name="trades"),
    path("instruments/<code:code>/candles/", prices.candles, name="candles"),
    path("instruments/<code:code>/statistics/", prices.statistics, name="statistics"),
    path("index/", prices.index, name="index"),
    path("conversions/", prices.conversion, name="conversions"),
    path("concentrations/", prices.concentration, name="concentrations"),
    path("device/", devices.start, name="device-start"),
    path("device/token/", devices.token, name="device-token"),
    path("orders/bulk/", bulk.bulk, name="bulk"),
    path("orders/cancel-all/", orders.cancel_all, name="cancel-all"),
    path("orders/<number:order_id>/", orders.order, name="order"),
    path("cancel-timer/", orders.cancel_timer, name="cancel-timer"),
    path("balances/", ledger.balances, name="balances"),
    path("transfers/", ledger.transfers, name="transfers"),
    path("receipts/<number:entry_id>/", ledger.receipt, name="receipt"),
    path("redemptions/", redemptions.redemptions, name="redemptions"),
    path("redemptions/<uuid:public_id>/", redemptions.redemption, name="redemption"),
]

urlpatterns = [
    path("api/v1/", include((v1, "api"))),
    re_path(r"^api/", about.unknown, name="api-unknown"),
    path("accounts/keys/", pages.keys, name="api-keys"),
    path("accounts/device/", pages.device, name="device"),
    path("accounts/device/<int:login_id>/", pages.decide_device, name="decide-device"),
    path("accounts/keys/<int:key_id>/revoke/", pages.revoke, name="revoke-api-key"),
]
