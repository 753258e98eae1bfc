"""A client of a Hourglass site: trade, send and redeem compute tokens."""

from hourglass_client.client import Client, Problem, Unreachable

__all__ = ["Client", "Problem", "Unreachable"]
