"""The sealed log: its tree, keys, checkpoints, cosignatures and receipts (C2SP formats).

Knows bytes and hashes of entries, not what they mean. The witness and the verifier share its pure parts.
"""
