"""Instruments, orders, matching and clearing.

Owns instruments, orders, trades and market events. Always true: an order's row is its own hold; whoever holds the
instrument's row lock clears everything waiting, and the trades settle in the same transaction as the match.
"""
