"""The one door for moving value: requests are locked, read, decided and written in one transaction.

`posting` is how to ask; deciding is pure; everything else is between the two.
"""
