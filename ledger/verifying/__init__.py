"""Checking the ledger: the outsider's verifier, which needs no Django and no database, and the check of the database.

`verify` replays the rules over an export or a site's /log/; `verification` compares what is derived with the log.
"""
