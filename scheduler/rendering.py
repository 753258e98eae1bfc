"""The job script: rendered by dask-jobqueue from fields that are checked one by one, and looked through line by line.

No text that a person typed is in it: their script is a file of its own, which this script runs.
"""

import re
import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from scheduler.errors import BadField
from scheduler.models import CONSTRAINT, WORD, Redemption

JOB_NAME = r"[A-Za-z0-9_-]{1,64}"
# Where jobs are kept; spaces are allowed, since people's folders have them, and nothing that Slurm or a shell reads.
DIRECTORY = r"/[A-Za-z0-9_./@+~ -]{0,200}"
PROGRAM = r"/[A-Za-z0-9_./@+~ -]{1,200}"


@dataclass(frozen=True)
class JobFields:
    """All that a job script is made of."""

    public_id: UUID
    kind: str
    partition: str
    qos: str
    slurm_account: str
    gres_type: str
    constraint: str
    gpus: int
    cpus: int
    memory_gb: int
    walltime_minutes: int
    directory: Path
    python: str
    has_shebang: bool

    @property
    def name(self) -> str:
        return f"hg-{self.public_id}"


_JOBQUEUE_SETTINGS = (
    "cores", "memory", "python", "name", "processes", "interface", "death-timeout", "local-directory", "extra",
    "worker-command", "worker-extra-args", "job-extra", "job-extra-directives", "env-extra", "job-script-prologue",
    "header-skip", "job-directives-skip", "log-directory", "shebang", "queue", "project", "account", "walltime",
    "job-cpu", "job-mem",
)  # fmt: skip


def render_job_script(fields: JobFields) -> str:
    """The script that sbatch is given. Raises BadField rather than let a value out of its place."""
    _check(fields)
    job = _job_class()(
        _command(fields),
        scheduler="tcp://127.0.0.1:0", name=fields.name, job_name=fields.name, config_name="hourglass",
        queue=fields.partition, account=fields.slurm_account, cores=fields.cpus, processes=1,
        memory=f"{fields.memory_gb}GiB", job_cpu=fields.cpus, job_mem=f"{fields.memory_gb}G",
        walltime=_walltime(fields.walltime_minutes), python=fields.python, shebang="#!/bin/bash",
        worker_command="none", worker_extra_args=[], job_directives_skip=[],
        job_extra_directives=_directives(fields), job_script_prologue=_prologue(fields),
    )  # fmt: skip
    text: str = job.job_script()
    _look_through(text)
    return text


_importing = threading.Lock()


@contextmanager
def _no_signal_handlers() -> Iterator[None]:
    """This thread sets none meanwhile; one thread at a time, or the second would put back what the first had put."""
    with _importing:
        real, ours = signal.signal, threading.get_ident()
        signal.signal = lambda *given: None if threading.get_ident() == ours else real(*given)
        try:
            yield
        finally:
            signal.signal = real


@cache
def _job_class() -> Any:
    """dask-jobqueue's class with our command in place of its Dask worker's."""
    # Imported only here and so: importing it takes SIGINT over, and fails in a thread, where that is not allowed.
    with _no_signal_handlers():
        import dask
        from dask_jobqueue.slurm import SLURMJob
    # A configuration of our own, so that no file of dask-jobqueue's on this machine adds a line.
    dask.config.set({"jobqueue.hourglass": dict.fromkeys(_JOBQUEUE_SETTINGS)})

    class PortalJob(SLURMJob):  # type: ignore[misc]
        def __init__(self, command: str, **keywords: object) -> None:
            super().__init__(**keywords)
            self._command_template = command

    return PortalJob


def _directives(fields: JobFields) -> list[str]:
    lines = ["-N 1", f"--qos={fields.qos}", f"--gres=gpu:{fields.gres_type}:{fields.gpus}"]
    if fields.constraint:
        lines.append(f'--constraint="{fields.constraint}"')
    return [
        *lines,
        f"--comment=redemption:{fields.public_id}",
        f'--output="{fields.directory}/output.txt"',
        "--open-mode=truncate",
        "--no-requeue",
    ]


def _prologue(fields: JobFields) -> list[str]:
    directory = shlex.quote(str(fields.directory))
    return [
        "umask 077",
        f"cd {directory} || exit 1",
        f"export PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME={directory}",
    ]


def _command(fields: JobFields) -> str:
    script = shlex.quote(f"{fields.directory}/script")
    if fields.kind == Redemption.Kind.DASK:
        return f"exec {shlex.quote(fields.python)} {shlex.quote(f'{fields.directory}/cluster.py')} {script}"
    return f"exec {script}" if fields.has_shebang else f"exec /bin/bash {script}"


def _walltime(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def _check(fields: JobFields) -> None:
    words = {"partition": fields.partition, "qos": fields.qos, "slurm_account": fields.slurm_account}
    for field, value in (words | {"gres_type": fields.gres_type}).items():
        _demand(isinstance(value, str) and re.fullmatch(WORD, value) is not None and "\n" not in value, field)
    _demand(re.fullmatch(CONSTRAINT, fields.constraint) is not None and "\n" not in fields.constraint, "constraint")
    _demand(re.fullmatch(DIRECTORY, str(fields.directory)) is not None and fields.directory.is_absolute(), "directory")
    _demand(".." not in fields.directory.parts, "directory")
    _demand(re.fullmatch(PROGRAM, fields.python) is not None, "python")
    _demand(fields.kind in Redemption.Kind.values, "kind")
    _demand(isinstance(fields.public_id, UUID), "public_id")
    for field in ("gpus", "cpus", "memory_gb", "walltime_minutes"):
        value = getattr(fields, field)
        _demand(type(value) is int and 0 < value < 1_000_000, field)


def _demand(holds: bool, field: str) -> None:
    if not holds:
        raise BadField(
            _("The value of %(field)s cannot be used in a job script.") % {"field": field.replace("_", " ")},
            field=field,
        )


_PLACE = r"[A-Za-z0-9_./@+~ -]+"
_LINES = re.compile(
    "|".join(
        (
            r"#!/bin/bash", r"",
            r"#SBATCH -J hg-[0-9a-f-]{36}", r"#SBATCH -p [A-Za-z0-9_.-]+", r"#SBATCH -A [A-Za-z0-9_.-]+",
            r"#SBATCH -[nN] 1", r"#SBATCH --cpus-per-task=[0-9]+", r"#SBATCH --mem=[0-9]+G",
            r"#SBATCH -t [0-9]{2,6}:[0-5][0-9]:00", r"#SBATCH --qos=[A-Za-z0-9_.-]+",
            r"#SBATCH --gres=gpu:[A-Za-z0-9_.-]+:[0-9]+", r'#SBATCH --constraint="[A-Za-z0-9_.&|-]+"',
            r"#SBATCH --comment=redemption:[0-9a-f-]{36}", rf'#SBATCH --output="{_PLACE}/output\.txt"',
            r"#SBATCH --open-mode=truncate", r"#SBATCH --no-requeue", r"umask 077",
            rf"cd '?{_PLACE}'? \|\| exit 1",
            rf"export PATH=/usr/local/bin:/usr/bin:/bin LANG=C\.UTF-8 HOME='?{_PLACE}'?",
            rf"exec (/bin/bash )?'?{_PLACE}/script'?",
            rf"exec '?{_PLACE}'? '?{_PLACE}/cluster\.py'? '?{_PLACE}/script'?",
        )
    ),
    re.ASCII,
)  # fmt: skip


def _look_through(text: str) -> None:
    """The second look: whatever rendered it, each line is one of ours and none is there twice."""
    lines = text.rstrip("\n").split("\n")
    unknown = [line for line in lines if not _LINES.fullmatch(line)]
    assert not unknown, f"a line of the job script is none of ours: {unknown[0]!r}"
    directives = [line.split("=")[0].split(" ")[1] for line in lines if line.startswith("#SBATCH")]
    assert len(directives) == len(set(directives)), "an option of the job script is given twice"
