"""The last things before the web or a worker begins: may this ledger be served at all, and what stays in memory."""

import gc
import logging
import sys

from django.db import DatabaseError, connection

from ledger.proof.configured import check_before_start
from ledger.proof.keys import KeyRefused
from ledger.proof.policyfile import PolicyRefused
from ledger.proof.treehead import TreeHeadConflict

log = logging.getLogger(__name__)
# So many new objects before they are looked through.
_YOUNG = 20_000


def stop_unless_sound() -> None:
    """End the process, saying why, where it must not begin."""
    try:
        check_before_start()
    except (KeyRefused, PolicyRefused, TreeHeadConflict) as error:
        log.critical("not started: %s", error)
        # gunicorn takes 3 of a worker to mean that starting others is of no use.
        sys.exit(3)
    except DatabaseError as error:
        # Whoever starts before Postgres waits for it; the sealer asks the same question each time.
        log.warning("the ledger was not looked at before the start: %s", error)
    finally:
        connection.close()


def keep_what_is_loaded() -> None:
    """What is loaded by now stays as long as the process: the garbage collector need not look through it again and
    again, which took up to half of a large batch's time. Of what is new it looks through thousands of objects at once:
    nearly all are gone by then, where one request makes many times the 700 of Python's default."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
