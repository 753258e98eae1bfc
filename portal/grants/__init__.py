"""Issuing and granting tokens, singly and by CSV upload, in Django admin."""
