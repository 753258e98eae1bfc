"""A client of a Hourglass site: trade, send and redeem compute tokens."""

from hourglass_client.client import Client, Problem, Unreachable
from hourglass_client.feed import Book, Follower

__all__ = ["Book", "Client", "Follower", "Problem", "Unreachable"]
