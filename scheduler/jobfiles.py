"""The files of one job: what the engine starts, what the person wrote, and what came out.

All are in one folder, which belongs to the job's user alone. That user may have put anything there since: reading
follows no link and opens nothing but a plain file.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from scheduler.engines import JobRequest
from scheduler.jobs import dask_cluster
from scheduler.models import Redemption

OUTPUT_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Output:
    """The end of what the job printed."""

    text: str
    size: int
    is_cut: bool


def write_job_files(redemption: Redemption, *, home: Path, user: str = "") -> JobRequest:
    """Write (or write again) what the job needs. `user` is whose they shall be, when that is not us."""
    directory = home / redemption.slurm_name
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    files = {"job.sh": redemption.job_script, "script": redemption.script}
    if redemption.kind == Redemption.Kind.DASK:
        files["cluster.py"] = Path(dask_cluster.__file__).read_text()
    for name, text in files.items():
        _write(directory / name, text)
    if user and os.geteuid() == 0:
        owner = pwd.getpwnam(user)
        for path in (*(directory / name for name in files), directory):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    return JobRequest(
        name=redemption.slurm_name,
        directory=directory,
        job_script=directory / "job.sh",
        gpus=redemption.gpus,
        walltime_seconds=redemption.walltime_seconds,
    )


def job_output(redemption: Redemption, *, home: Path, limit: int = OUTPUT_LIMIT) -> Output | None:
    """The last `limit` bytes of the job's output; None when there is none to be read."""
    try:
        directory = os.open(home / redemption.slurm_name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        file = os.open("output.txt", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return None
    finally:
        os.close(directory)
    with os.fdopen(file, "rb") as output:
        facts = os.fstat(output.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            return None
        output.seek(max(0, facts.st_size - limit))
        tail = output.read(limit)
    return Output(text=tail.decode(errors="replace"), size=facts.st_size, is_cut=facts.st_size > limit)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o700)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
