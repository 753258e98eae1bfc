"""Prices read from trades: candles, the reference price, flags of suspicious trades, the index, conversion.

Owns candles, flags, reference prices and published indices. Always true: trades are the only source, so everything here
can be computed again from them and from the flags; a trade with a standing flag is in no price; all value is integers.
Nothing here is part of a clearing: a worker folds trades in by their contiguous number, and what it has not folded yet
is read from the trades themselves.
"""
