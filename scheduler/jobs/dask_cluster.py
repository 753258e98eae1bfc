"""Runs a Python program on a Dask cluster inside the job's allocation: one Dask worker a GPU, all on this node.

The cluster listens on loopback behind TLS with certificates made for this job alone, so that nobody else on the node
may join it. The program finds it by `Client()`. When the program ends, so does the cluster.

    python dask_cluster.py PROGRAM
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# Read by Dask here and in the workers: no web pages (nobody may read another's cluster on the node), no chatter.
DASK_SETTINGS = {
    "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]",
    "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
    "DASK_LOGGING__DISTRIBUTED": "error",
}


def main(program: str) -> int:
    os.environ.update(DASK_SETTINGS)
    gpus = [number for number in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if number] or ["0"]
    from distributed import Nanny, Scheduler, SpecCluster
    from distributed.security import Security

    security = Security.temporary()
    with tempfile.TemporaryDirectory(prefix="dask-") as folder:
        comm = {"protocol": "tls", "host": "127.0.0.1", "security": security, "dashboard_address": None}
        workers: dict[str, Any] = {
            f"gpu-{number}": {
                "cls": Nanny,
                "options": {
                    "protocol": "tls", "host": "127.0.0.1", "security": security, "nthreads": 1, "dashboard": False,
                    "local_directory": folder, "resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": number},
                },
            }
            for number in gpus
        }  # fmt: skip
        scheduler = {"cls": Scheduler, "options": {**comm, "dashboard": False}}
        with SpecCluster(scheduler=scheduler, workers=workers, security=security, silence_logs=40) as cluster:
            environment = os.environ | client_settings(security, Path(folder))
            environment["DASK_SCHEDULER_ADDRESS"] = cluster.scheduler_address
            print(f"Dask cluster of {len(gpus)} workers is ready.", flush=True)  # noqa: T201
            return subprocess.run([sys.executable, program], env=environment, check=False).returncode


def client_settings(security: Any, folder: Path) -> dict[str, str]:
    """What lets `Client()` in the program join: Dask reads it from the environment."""
    settings = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"}
    parts = {
        "CA_FILE": security.tls_ca_file,
        "CLIENT__CERT": security.tls_client_cert,
        "CLIENT__KEY": security.tls_client_key,
    }
    for name, text in parts.items():
        path = folder / f"{name.lower()}.pem"
        path.touch(mode=0o600)
        path.write_text(text)
        settings[f"DASK_DISTRIBUTED__COMM__TLS__{name}"] = str(path)
    return settings


if __name__ == "__main__":
    code = main(sys.argv[1])
    # As a shell would say it of a program that a signal ended.
    sys.exit(code if code >= 0 else 128 - code)
