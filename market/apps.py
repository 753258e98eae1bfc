from django.apps import AppConfig


class MarketConfig(AppConfig):
    name = "market"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """An order's row is its own hold: the ledger's checkers must count it."""
        from ledger.holds import register_held

        register_held("SELECT account_id, held AS amount FROM market_order WHERE status = 'OPEN'")
