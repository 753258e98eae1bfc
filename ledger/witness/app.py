"""The witness as one file, for those who run one: `python -m ledger.witness.app hourglass-witness.pyz`.

It needs Python and the `cryptography` package, and is the same bytes each time, as the verifier's is. No Django.
"""

import sys
from pathlib import Path

from ledger.verifying.verifierapp import one_file

# What the witness imports, and what that imports; a test walks the imports and compares.
MODULES = (
    "__init__.py",
    "proof/__init__.py",
    "proof/keys.py",
    "proof/merkle.py",
    "proof/notes.py",
    "witness/__init__.py",
    "witness/__main__.py",
    "witness/config.py",
    "witness/cosigning.py",
    "witness/requests.py",
    "witness/server.py",
    "witness/state.py",
)
_MAIN = "import sys\n\nfrom ledger.witness.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m ledger.witness.app FILE", file=sys.stderr)  # noqa: T201
        return 2
    Path(arguments[0]).write_bytes(one_file(MODULES, _MAIN))
    Path(arguments[0]).chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
