"""Primary issue: a department offers a series in an auction, with a reserve price and a share for small holders.

Owns offerings and what every bid was given of them. Always true: what is offered is an order of the department's like
any other, so it holds the tokens, and it is sold at the auction's one price by the auction's own settling.
"""
