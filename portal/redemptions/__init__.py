"""Redeem pages, the job table and job output."""
