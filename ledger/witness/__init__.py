"""A witness of logs (c2sp.org/tlog-witness): `python -m ledger.witness CONFIG`.

A program of its own: no Django, no Postgres. It cosigns a log's checkpoint only when that is consistent with the last
one it cosigned, which it keeps in SQLite before the signature leaves. What is always true: of each log, its record
never gets shorter, and there is never a second root at one size.
"""
