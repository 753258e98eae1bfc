from django.apps import AppConfig


class MarketConfig(AppConfig):
    name = "market"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """An order's row is its own hold, and bids count towards positions: the ledger must know of both."""
        from ledger.governance.policies import register_bids
        from ledger.holds import register_held

        register_held("SELECT account_id, held AS amount FROM market_order WHERE status = 'OPEN'")
        register_bids(
            "SELECT o.wallet_id, i.asset_id, 36 * (o.quantity - o.filled_quantity) FROM market_order o"
            " JOIN market_instrument i ON i.id = o.instrument_id WHERE o.status = 'OPEN' AND o.side = 'BUY'"
        )
