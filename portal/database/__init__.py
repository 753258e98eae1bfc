"""Postgres as Django has it, with the connection used last given out first."""
