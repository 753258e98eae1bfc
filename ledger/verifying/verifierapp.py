"""The verifier as one file: `python -m ledger.verifying.verifierapp FILE`, then `python FILE …`.

The file is a zip of the modules below and nothing else, the same bytes wherever and whenever it is made, so that two
people can compare theirs by a hash. It needs Python and the `cryptography` package. No Django.
"""

import io
import sys
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

# What ledger.verifying.verify imports, and what that imports; a test walks the imports and compares.
MODULES = (
    "__init__.py",
    "entries.py",
    "governance/__init__.py",
    "governance/deliverable.py",
    "governance/rules.py",
    "proof/__init__.py",
    "proof/keyhistory.py",
    "proof/merkle.py",
    "proof/notes.py",
    "proof/policyfile.py",
    "proof/receipts.py",
    "proof/tilepaths.py",
    "verifying/__init__.py",
    "verifying/logsource.py",
    "verifying/regrown.py",
    "verifying/replay.py",
    "verifying/replaying/__init__.py",
    "verifying/replaying/attested.py",
    "verifying/replaying/books.py",
    "verifying/replaying/corrections.py",
    "verifying/replaying/holds.py",
    "verifying/replaying/transfers.py",
    "verifying/reporting.py",
    "verifying/verify.py",
)
_MAIN = """import sys

try:
    from ledger.verifying.verify import main
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
    here = Path(__file__).parents[1]
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
        print("usage: python -m ledger.verifying.verifierapp FILE", file=sys.stderr)  # noqa: T201
        return 2
    Path(arguments[0]).write_bytes(verifier_app())
    Path(arguments[0]).chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
