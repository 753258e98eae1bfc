"""The REST API at /api/v1/ and the keys that open it.

Tables: ApiKey. A key acts for one person within its scopes and never beyond what that person may; only the SHA-256
of its secret is kept. Views read what was sent, make one call of the engine and answer; sessions open nothing here.
"""
