"""The demo world of bin/run: people, departments, institutes, series, orders and simulated traders.

Not installed in production mode. It owns no tables; everything is made through the same actions as anybody's.
"""
