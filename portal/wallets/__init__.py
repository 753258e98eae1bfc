"""Wallet pages, statements and receipts."""
