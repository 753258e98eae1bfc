"""How dates are written, by language: exact and short, the same length in every column."""
