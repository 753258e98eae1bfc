"""The engine in Django admin: the ledger, read-only; instruments; redemptions; and bulk grants."""

from portal.grants.admin import ledger, market, redemptions, uploads

__all__ = ["ledger", "market", "redemptions", "uploads"]
