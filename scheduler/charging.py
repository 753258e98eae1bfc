"""What a job costs: pure functions of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.engines import Run


@dataclass(frozen=True)
class Charge:
    """`amount` is in GPU-seconds; `seconds` are each run's, in the order of the runs."""

    amount: int
    seconds: list[int]
    used_seconds: int


def charged_seconds(run: Run, *, walltime_seconds: int) -> int:
    """Slurm looks at time limits every half minute: what a job ran over its limit is not its owner's fault."""
    return 0 if run.is_free else min(run.elapsed_seconds, walltime_seconds)


def charge_for(runs: Sequence[Run], *, gpus: int, walltime_seconds: int) -> Charge:
    """All runs of the job together, and never more than was held."""
    seconds = [charged_seconds(run, walltime_seconds=walltime_seconds) for run in runs]
    return Charge(
        amount=min(sum(seconds), walltime_seconds) * gpus,
        seconds=seconds,
        used_seconds=sum(run.elapsed_seconds for run in runs),
    )
