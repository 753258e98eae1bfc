"""Instruments, orders, matching and clearing; auctions, bands and fees; primary issue; prices.

Owns instruments, their changes, orders, trades, market events, offerings and allocations, and the tables of prices.
Always true: an order's row is its own hold; whoever holds the instrument's row lock clears everything waiting, and the
trades settle in the same transaction as the match, their fees within the trade's transfer.
"""
