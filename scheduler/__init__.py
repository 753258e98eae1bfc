"""Resource classes, engines and redemptions: tokens become Slurm jobs.

Owns resource classes, redemptions and their job records. Always true: a redemption's row is committed before its
job is submitted, the job is named by the row, and each redemption is settled once.
"""
