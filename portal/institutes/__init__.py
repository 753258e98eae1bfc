"""Institutes, cohorts, join codes and enrolment: how a student comes to an allowance.

Owns Cohort, JoinCode and Enrolment. A person is enrolled in a cohort at most once, and each enrolment has the entry
of its grant, made in the same transaction; a code is never used more often than it allows.
"""
