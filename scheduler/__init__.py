"""Resource classes, engines and redemptions: tokens become Slurm jobs.

Owns ResourceClass, Redemption with its RedemptionChange history and JobRun records, and Reconciliation. Always true:
a redemption's row is committed before its job is submitted, the job is named by the row, no field of a user is in
the job script, and each redemption is settled once, for at most what was held.
"""
