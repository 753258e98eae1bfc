"""Call auctions: their price and who trades with whom, as pure functions. market.uncrossing carries them out."""
