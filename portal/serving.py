"""How gunicorn serves the site: `gunicorn --config python:portal.serving portal.wsgi`."""

from typing import Any

from portal.cores import keep_to_one_core

# Few processes, many threads: callers of one instrument combine inside their process, and who waits for that has a
# thread.
worker_class = "gthread"
threads = 32


def post_fork(_server: Any, worker: Any) -> None:
    """Each worker on a core of its own, as far as there are cores."""
    keep_to_one_core(worker.age)
