"""Holders, assets, transfers, holds and the signed log that proves them.

Owns wallets, assets, accounts, entries (transfers among them), postings, holds, idempotency keys, and the log's
leaves, tiles and checkpoints. Always true, and enforced by Postgres: a transfer's postings sum to zero in each
asset; an account's balance is the sum of its postings; balance >= held >= 0 for all but issuers; history never
changes. Every movement of value goes through `ledger.door`; `governance` says who may, `proof` seals and signs what
happened, `verifying` and `witness` are for those who doubt it.
"""
