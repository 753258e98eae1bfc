"""The witness as one file: all that it imports, and it runs where nothing of the site is."""

import ast
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import cryptography

from ledger.witness import app
from tests.ledger.witnesses import ROOT, LeafLog, make_witness, post


def imports_of(module: str) -> set[str]:
    """Files of the ledger that a module imports, and those that they do."""
    found, waiting = {"__init__.py"}, [module]
    while waiting:
        parts = waiting.pop().split(".")[1:]
        file = ROOT / "ledger" / Path(*parts).with_suffix(".py") if parts else ROOT / "ledger" / "__init__.py"
        file = file if file.exists() else ROOT / "ledger" / Path(*parts) / "__init__.py"
        name = str(file.relative_to(ROOT / "ledger"))
        if name in found:
            continue
        found.add(name)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ledger."):
                waiting += [str(node.module), str(node.module).rpartition(".")[0]]
    return found


def test_one_file_holds_all_that_the_witness_imports():
    assert set(app.MODULES) == imports_of("ledger.witness.__main__") | {"witness/__init__.py"}


def test_one_file_witnesses_where_nothing_of_the_site_is(tmp_path):
    log = LeafLog().grow(5)
    file, site = tmp_path / "hourglass-witness.pyz", tmp_path / "site"
    assert app.main([str(file)]) == 0
    site.mkdir()
    packages = Path(cryptography.__file__).parents[1]
    for name in ("cryptography", "cffi", *(path.name for path in packages.glob("_cffi_backend*"))):
        if (packages / name).exists():
            (site / name).symlink_to(packages / name)
    port = make_witness(tmp_path / "w", [log.signer.verifier])
    run = f"import sys, runpy; sys.path.insert(0, {str(site)!r}); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", run, str(file), str(tmp_path / "w" / "witness.toml")],
        cwd=tmp_path, env={}, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, process.stderr.read().decode()
                assert time.monotonic() < deadline

        assert post(f"http://127.0.0.1:{port}", log.request(0))[0] == 200
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
