"""Starts and stops a real Slurm on free ports in a folder of its own. Needs root and Debian's packages.

By hand: `python -m tests.slurm.lab` starts one, prints its SLURM_CONF and stops it at Ctrl-C.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.slurm import configuration

PROGRAMS = [
    "munged",
    "mariadbd",
    "mariadb-install-db",
    "slurmdbd",
    "slurmctld",
    "slurmd",
    "sbatch",
    "sacct",
    "sacctmgr",
]
# The daemons live in sbin, which an ordinary PATH leaves out.
PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"


def why_not_here() -> str:
    """Empty when a Slurm can be started here, else the reason in a sentence."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]
    if missing:
        return f"Slurm's packages are not installed: no {', '.join(missing)}."
    if os.geteuid() != 0:
        return "A Slurm with accounting needs root to start."
    return ""


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until(question: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(0.05)


class SlurmLab:
    """One Slurm cluster called `lab`; `environment` is what its commands need."""

    job_user = "nobody"

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="hg-slurm-", dir="/tmp"))
        self.home.chmod(0o755)
        self.jobs = self.home / "jobs"
        self.environment = {"PATH": PATH, "LANG": "C.UTF-8", "SLURM_CONF": str(self.home / "etc" / "slurm.conf")}
        self._daemons: dict[str, int] = {}
        self._database: subprocess.Popen[bytes] | None = None

    # Commands

    def run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def answers(self, *command: str, word: str = "") -> bool:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode == 0 and word in done.stdout

    # The whole

    def start(self) -> None:
        for folder in ("etc", "run", "log", "state", "spool", "dev", "jobs"):
            (self.home / folder).mkdir()
        ports = free_ports(3 + len(configuration.NODES))
        self._database_port = ports[2]
        configuration.write(self.home, controller=ports[0], accounting=ports[1], database=ports[2], nodes=ports[3:])
        self._start_munge()
        self._start_database()
        self.start_accounting()
        self.run("sacctmgr", "-i", "add", "cluster", "lab", check=False)
        self.start_controller()
        for node in configuration.NODES:
            self.start_node(node)
        wait_until(lambda: self._ready_nodes() >= len(configuration.NODES), "four nodes to be ready", 60)
        self._seed()

    def stop(self) -> None:
        # The folder is thrown away: nothing needs to end tidily.
        for pid in self._daemons.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._database is not None:
            self._database.kill()
            self._database.wait(30)
        self._kill_steps()
        shutil.rmtree(self.home, ignore_errors=True)

    # Its parts, which tests may stop and start again

    def start_controller(self) -> None:
        self._daemon("slurmctld", "slurmctld")
        wait_until(lambda: self.answers("scontrol", "ping", word="UP"), "slurmctld")

    def stop_controller(self) -> None:
        self._stop("slurmctld")

    def start_accounting(self) -> None:
        self._daemon("slurmdbd", "slurmdbd")
        wait_until(lambda: self.answers("sacctmgr", "-n", "show", "cluster"), "slurmdbd", 60)

    def stop_accounting(self) -> None:
        self._stop("slurmdbd")

    def start_node(self, node: str) -> None:
        (self.home / "spool" / node).mkdir(exist_ok=True)
        self._daemon(f"slurmd-{node}", "slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """Take a node down at once, as a power cut would: its daemon and its jobs' processes."""
        os.kill(self._daemons.pop(f"slurmd-{node}"), signal.SIGKILL)
        self._kill_steps(node)

    def resume_node(self, node: str) -> None:
        self.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)

    def _start_munge(self) -> None:
        account = pwd.getpwnam("munge")
        folder = self.home / "munge"
        folder.mkdir()
        key = folder / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        for path in (folder, key):
            os.chown(path, account.pw_uid, account.pw_gid)
        options = {
            "key-file": "key",
            "socket": "munge.socket",
            "pid-file": "munged.pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        subprocess.run(
            ["munged", *(f"--{option}={folder / name}" for option, name in options.items())],
            env=self.environment, user="munge", group="munge", extra_groups=[], check=True,
        )  # fmt: skip
        (self.home / "run" / "munge.socket").symlink_to(folder / "munge.socket")
        wait_until(lambda: self.answers("munge", "-n", "-S", str(folder / "munge.socket")), "munge")
        self._daemons["munged"] = int((folder / "munged.pid").read_text())

    def _start_database(self) -> None:
        data = self.home / "mysql"
        data.mkdir()
        shutil.chown(data, "mysql", "mysql")
        self.run(
            "mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}",
            "--auth-root-authentication-method=socket", "--skip-test-db",
        )  # fmt: skip
        with (self.home / "log" / "mysqld.log").open("wb") as log:
            self._database = subprocess.Popen(
                ["mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}", f"--socket={data}/s.sock",
                 "--bind-address=127.0.0.1", f"--port={self._database_port}", f"--pid-file={data}/pid",
                 "--innodb-buffer-pool-size=128M", "--innodb-lock-wait-timeout=900",
                 "--innodb-flush-log-at-trx-commit=2"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        client = ("mariadb", "--no-defaults", "-S", f"{data}/s.sock", "-e")
        wait_until(lambda: self.answers(*client, "select 1"), "MariaDB")
        self.run(*client, configuration.DATABASE)

    def _seed(self) -> None:
        for command in configuration.ACCOUNTING:
            self.run("sacctmgr", "-i", *command)

    def _ready_nodes(self) -> int:
        lines = self.run("sinfo", "-h", "-N", "-o", "%N %T", check=False).splitlines()
        for line in lines:
            node, state = line.split()
            if state.startswith(("down", "drain")):
                self.resume_node(node)
        return sum(1 for line in lines if line.split()[1] in {"idle", "mixed", "allocated"})

    def _daemon(self, name: str, program: str, *arguments: str) -> None:
        pid_file = self.home / "run" / f"{name}.pid"
        pid_file.unlink(missing_ok=True)
        self.run(program, *arguments)
        wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() != "", name)
        self._daemons[name] = int(pid_file.read_text())

    def _stop(self, name: str) -> None:
        pid = self._daemons.pop(name, None)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not Path(f"/proc/{pid}").exists(), f"the end of {name}", 15)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _kill_steps(self, node: str = "") -> None:
        """End the jobs of a node (or of all) that outlive their slurmd: slurmstepd and what it started.

        slurmstepd goes first: one that sees its job die would still tell slurmctld that the job failed.
        """
        marks = [f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()]
        if node:
            marks.append(f"SLURMD_NODENAME={node}".encode())
        of_jobs: list[int] = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "environ").read_bytes().split(b"\0")
                if all(mark in words for mark in marks) and b"SLURM_JOB_ID" in b"".join(words):
                    of_jobs.append(int(process.name))
        for pid in [*dict.fromkeys(filter(None, map(_stepd_above, of_jobs))), *of_jobs]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _stepd_above(pid: int) -> int | None:
    """The slurmstepd that a process descends from."""
    with contextlib.suppress(OSError):
        while pid > 1:
            if (Path("/proc") / str(pid) / "comm").read_text().startswith("slurmstepd"):
                return pid
            # The parent is the second field behind the name, which is in brackets.
            pid = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return None


if __name__ == "__main__":
    lab = SlurmLab()
    try:
        lab.start()
        print(f"export SLURM_CONF={lab.environment['SLURM_CONF']}", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        lab.stop()
