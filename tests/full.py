"""How many rounds a counted test makes: all of them with `bin/test --full`, about a tenth without."""

import os

FULL = os.environ.get("HOURGLASS_FULL") == "1"


def count(whole: int) -> int:
    """`whole` under --full; a tenth of it, and at least one, otherwise."""
    return whole if FULL else max(1, whole // 10)
