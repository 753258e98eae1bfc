"""What sbatch, squeue and sacct print, read strictly: a line that is not as it should be concludes nothing."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from scheduler.engines import Job, Phase, Run
from scheduler.errors import BadOutput

SQUEUE_FORMAT = "%i|%j|%T|%V|%S|%r"
SACCT_FIELDS = "JobIDRaw,JobName,User,State,ExitCode,Submit,Start,End,ElapsedRaw,AllocTRES"

# No state that is not here is believed.
LIVE = {
    "PENDING": Phase.WAITING, "REQUEUE_HOLD": Phase.WAITING, "REQUEUE_FED": Phase.WAITING,
    "SPECIAL_EXIT": Phase.WAITING,
    "RESV_DEL_HOLD": Phase.WAITING, "CONFIGURING": Phase.WAITING, "REQUEUED": Phase.WAITING,
    "RUNNING": Phase.RUNNING, "COMPLETING": Phase.RUNNING, "SIGNALING": Phase.RUNNING, "STAGE_OUT": Phase.RUNNING,
    "STOPPED": Phase.RUNNING, "SUSPENDED": Phase.RUNNING, "RESIZING": Phase.RUNNING,
}  # fmt: skip
FINAL = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT",
}  # fmt: skip

_JOB_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_EXIT = re.compile(r"([0-9]{1,3}):([0-9]{1,3})", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,12}", re.ASCII)
_NEVER = {"", "None", "Unknown", "N/A"}


@dataclass(frozen=True)
class Record:
    """A row of accounting."""

    name: str
    user: str
    run: Run

    @property
    def phase(self) -> Phase:
        return Phase.ENDED if self.run.state in FINAL else LIVE[self.run.state]


def submitted_id(text: str) -> str:
    """The id that `sbatch --parsable` printed, alone or before a cluster's name. Warnings go to stderr."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise BadOutput("sbatch ended well and printed no job id.")
    job_id, _, cluster = lines[-1].partition(";")
    if not _JOB_ID.fullmatch(job_id) or (cluster and not re.fullmatch(r"[A-Za-z0-9_.-]+", cluster)):
        raise BadOutput("sbatch printed something that is not a job id.")
    return job_id


def queued_jobs(text: str) -> list[Job]:
    """Rows of `squeue -h -o SQUEUE_FORMAT`."""
    jobs = []
    for line in _lines(text):
        columns = line.split("|", 5)
        if len(columns) != 6:
            raise BadOutput("squeue printed a row with missing columns.")
        job_id, name, state, submitted, start, reason = columns
        if state in FINAL:
            continue  # gone since: accounting has it
        if state not in LIVE:
            raise BadOutput("squeue printed a state nobody knows.")
        phase = LIVE[state]
        jobs.append(
            Job(
                job_id=_job_id(job_id),
                name=name,
                phase=phase,
                submitted_at=_instant(submitted),
                # Of a waiting job it is only when Slurm expects to start it.
                started_at=_instant_or_none(start) if phase == Phase.RUNNING else None,
                reason="" if reason == "None" else reason.strip(),
            )
        )
    return jobs


def accounting_records(text: str) -> list[Record]:
    """Rows of `sacct -n -P -X -D -o SACCT_FIELDS`; several for one id when the job was requeued."""
    records = []
    for line in _lines(text):
        columns = line.split("|")
        if len(columns) != 10:
            raise BadOutput("sacct printed a row with too few or too many columns.")
        job_id, name, user, state, exit_code, submitted, start, end, elapsed, tres = columns
        state = state.split(" by ", 1)[0]  # CANCELLED by 1000
        if state not in FINAL and state not in LIVE:
            raise BadOutput("sacct printed a state nobody knows.")
        code = _EXIT.fullmatch(exit_code)
        if code is None or not _COUNT.fullmatch(elapsed):
            raise BadOutput("sacct printed an exit code or an elapsed time that is none.")
        run = Run(
            job_id=_job_id(job_id),
            state=state,
            # Killed by signal 9 is 0:9 here and 137 to a shell.
            exit_code=int(code[1]) or (128 + int(code[2]) if int(code[2]) else 0),
            submitted_at=_instant(submitted),
            started_at=_instant_or_none(start),
            ended_at=_instant_or_none(end),
            elapsed_seconds=int(elapsed),
            gpus=_gpus(tres),
        )
        if state in FINAL and run.ended_at is None:
            raise BadOutput("sacct printed an ended job without an end.")
        if run.started_at and run.ended_at and run.ended_at < run.started_at:
            raise BadOutput("sacct printed a job that ended before it started.")
        records.append(Record(name=name, user=user, run=run))
    return records


def _gpus(tres: str) -> int | None:
    """GPUs in `billing=1,cpu=1,gres/gpu:h100=2,gres/gpu=2`; None when the job got nothing yet."""
    if not tres:
        return None
    pairs = [pair.partition("=") for pair in tres.split(",")]
    if any(not equals for _, equals, _ in pairs):
        raise BadOutput("sacct printed resources in another form.")
    for name, _, count in pairs:
        if name == "gres/gpu":
            if not _COUNT.fullmatch(count):
                raise BadOutput("sacct printed a number of GPUs that is none.")
            return int(count)
    return None


def _lines(text: str) -> list[str]:
    # Not splitlines(): that also splits at form feeds and separators that a name may contain.
    return [line for line in text.split("\n") if line.strip()]


def _job_id(text: str) -> str:
    if not _JOB_ID.fullmatch(text):
        raise BadOutput("Slurm printed something that is not a job id.")
    return text


def _instant(text: str) -> datetime:
    if not _INSTANT.fullmatch(text):
        raise BadOutput("Slurm printed something that is not a time.")
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise BadOutput("Slurm printed a time that does not exist.") from None


def _instant_or_none(text: str) -> datetime | None:
    return None if text in _NEVER else _instant(text)
