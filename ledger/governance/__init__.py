"""Who may do what: policies, capacity, approvals by two persons, corrections, expiry, allowances, permits.

`rules` and `deliverable` are pure and shared with the market and the verifier.
"""
