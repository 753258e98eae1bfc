"""A real Slurm of our own for the tests: munge, MariaDB, slurmdbd, slurmctld and four slurmd with fake typed GPUs."""
