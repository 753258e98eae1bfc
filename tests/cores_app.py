"""A web application that says which process answers, and on which cores it may run."""

import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    said = {"pid": os.getpid(), "cores": sorted(os.sched_getaffinity(threading.get_native_id()))}
    return [json.dumps(said).encode()]
