"""The verifier as one file: `python -m ledger.verifierapp hourglass-verify.pyz`, then `python hourglass-verify.pyz …`.

The file is a zip of the modules below and nothing else, the same bytes wherever and whenever it is made, so that two
people can compare theirs by a hash. It needs Python and the `cryptography` package. No Django.
"""

import io
import sys
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

# What ledger.verify imports, and what that imports; a test walks the imports and compares.
MODULES = (
    "__init__.py",
    "deliverable.py",
    "entries.py",
    "keyhistory.py",
    "logsource.py",
    "merkle.py",
    "notes.py",
    "policyfile.py",
    "receipts.py",
    "regrown.py",
    "replay.py",
    "replaying/__init__.py",
    "replaying/attested.py",
    "replaying/books.py",
    "replaying/corrections.py",
    "replaying/holds.py",
    "replaying/transfers.py",
    "reporting.py",
    "rules.py",
    "tilepaths.py",
    "verify.py",
)
_MAIN = """import sys

try:
    from ledger.verify import main
except ModuleNotFoundError as error:
    print(f"Not verified: this needs Python's package {error.name}.", file=sys.stderr)
    sys.exit(2)
sys.exit(main())
"""
_SHEBANG = b"#!/usr/bin/env python3\n"
# The first instant that a zip can say.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def verifier_app() -> bytes:
    """The file's bytes."""
    return one_file(MODULES, _MAIN)


def one_file(modules: Iterable[str], main: str) -> bytes:
    """These modules of the ledger as one file for Python, which runs `main`."""
    here = Path(__file__).parent
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as app:
        _add(app, "__main__.py", main.encode())
        for name in modules:
            _add(app, f"ledger/{name}", (here / name).read_bytes())
    return _SHEBANG + packed.getvalue()


def _add(app: zipfile.ZipFile, name: str, data: bytes) -> None:
    # Stored, not compressed: compressors differ from one Python to the next.
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = 0o644 << 16
    info.create_system = 3
    app.writestr(info, data)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m ledger.verifierapp FILE", file=sys.stderr)  # noqa: T201
        return 2
    Path(arguments[0]).write_bytes(verifier_app())
    Path(arguments[0]).chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
