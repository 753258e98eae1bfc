"""Institutes, cohorts, join codes and enrolment: how a student comes to an allowance."""
