"""Issuing and granting tokens, singly and by CSV upload, and the engine's pages in Django admin.

Owns GrantUpload: a file somebody uploaded, checked line by line, shown, and then granted whole or not at all, once.
"""
