"""Engines run jobs: `slurm` is the real one, `local` runs the same job on this machine with counted GPU slots.

An engine submits, looks up by name, cancels and reports usage. Nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Phase(StrEnum):
    """Where a job is, as far as redemptions care."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    ENDED = "ENDED"


@dataclass(frozen=True)
class JobRequest:
    """A job whose files are written: what `submit` is given."""

    name: str
    directory: Path
    job_script: Path
    gpus: int
    walltime_seconds: int


@dataclass(frozen=True)
class Job:
    """A job the engine knows."""

    job_id: str
    name: str
    phase: Phase
    submitted_at: datetime
    started_at: datetime | None = None
    # Why it waits, in the engine's own words.
    reason: str = ""


@dataclass(frozen=True)
class Look:
    """What the engine knows by some names. Not complete: ended jobs could not be looked up, so none may be missed."""

    jobs: dict[str, list[Job]]
    complete: bool
    reason: str = ""

    def named(self, name: str) -> list[Job]:
        """Oldest first."""
        return sorted(self.jobs.get(name, []), key=lambda job: (job.submitted_at, _number(job.job_id)))


@dataclass(frozen=True)
class Run:
    """One run of a job, from accounting. A requeued job has several."""

    job_id: str
    state: str
    exit_code: int
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    elapsed_seconds: int
    gpus: int | None = field(default=None)

    # The machine failed, not the job: nobody pays for that.
    @property
    def is_free(self) -> bool:
        return self.state in {"NODE_FAIL", "BOOT_FAIL"}


class Engine(Protocol):
    """Every method may raise EngineUnreachable or BadOutput, from which nothing is concluded."""

    def ready(self) -> None:
        """Raise EngineUnreachable when a submission would surely not arrive now."""

    def submit(self, request: JobRequest) -> str:
        """The new job's id. Raises EngineRefused when there surely is no job, EngineUnreachable when there may be."""

    def look(self, names: Sequence[str], *, since: datetime) -> Look:
        """The jobs with these names, live and ended."""

    def live_jobs(self) -> list[Job]:
        """All jobs of ours that wait or run."""

    def cancel(self, job_id: str) -> None:
        """End the job if it has not ended."""

    def usage(self, name: str, *, since: datetime) -> list[Run]:
        """Every run of the jobs with this name. Raises NotEnded while one may still run."""


def _number(job_id: str) -> int:
    return int(job_id) if job_id.isdigit() else 0
