"""Makes the virtual environment for bin/run, bin/test and bin/bench, with nothing but Python's own library."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "hourglass-lock"
SITE, TESTS = "requirements.txt", "requirements-test.txt"


def python_with(lock: str) -> str:
    """The virtual environment's Python, with everything of the lock file installed."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs it with an older one is told
        sys.exit(f"Hourglass needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    python = VENV / "bin" / "python"
    installed = STAMP.read_text().split() if STAMP.exists() else ["", ""]
    if installed[0] == TESTS:
        lock = TESTS  # it has all the site needs: never take the tests' parts away again
    wanted = [lock, _digest(lock)]
    if python.exists() and wanted == installed:
        return str(python)
    if not (VENV / "bin" / "uv").exists():
        _step("Making the virtual environment", [sys.executable, "-m", "venv", str(VENV)])
        _step(
            "Installing uv",
            [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements-uv.txt"],
        )
    sync = [str(VENV / "bin" / "uv"), "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", lock]
    # uv brings its certificates. Behind a proxy that signs with its own, that one is among the machine's, as pip found.
    _step(f"Installing {lock}", sync, [*sync, "--system-certs"])
    STAMP.write_text(" ".join(wanted))
    return str(python)


def hand_over(python: str, *arguments: str) -> None:
    """Become the virtual environment's Python, which gets all signals from now on."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    os.chdir(ROOT)
    os.execve(python, [python, *arguments], environment)


def _digest(lock: str) -> str:
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def _step(what: str, *commands: list[str]) -> None:
    """Do the first of these that can be done."""
    print(f"  {what} …", end="", flush=True)
    start = time.monotonic()
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            print(f" {time.monotonic() - start:.1f} s", flush=True)
            return
    print(" failed")
    sys.exit(f"{what} failed:\n{done.stdout}{done.stderr}")
