"""The engine in Django admin: the ledger, read-only; what takes two persons; instruments; redemptions; bulk grants."""

from portal.grants.admin import flags, governance, ledger, market, redemptions, series, uploads, wallets

__all__ = ["flags", "governance", "ledger", "market", "redemptions", "series", "uploads", "wallets"]
