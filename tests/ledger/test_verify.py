"""The stand-alone verifier on logs signed here: honest ones pass, and what is wrong is named with its position."""

import ast
import functools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cryptography
import pytest

from ledger.proof.policyfile import parse_policy
from ledger.verifying import verifierapp
from ledger.verifying.verify import Fault, main, verify_export
from tests.ledger.forging import ADA, BEGUN, BOB, Forgery, forgeries, honest_history, key_named, moved
from tests.ledger.signing import note_at, signer, witness, write_log

LOG = [signer().verifier]
ROOT = Path(__file__).resolve().parents[2]


def long_history(sends: int = 700) -> list[bytes]:
    """More than two tiles of it."""
    there, back = moved("SEND", (ADA, -5), (BOB, 5)), moved("SEND", (BOB, -5), (ADA, 5))
    return [*BEGUN, *[there, back] * (sends // 2)]


def rotated(sends: int = 20) -> tuple[list[bytes], int]:
    """A history with a change from the first key to the second, and the size that both sign."""
    before = long_history(sends)
    named = key_named(str(signer("second").verifier), 2)
    return [*before, named, *long_history(sends)[len(BEGUN) :]], len(before) + 1


def fault_of(folder: Path, verifiers=LOG, policy=None) -> Fault:
    with pytest.raises(Fault) as caught:
        verify_export(folder, verifiers, policy)
    return caught.value


def policy_of(quorum: str = "both"):
    lines = [f"log {LOG[0]}"]
    lines += [f"witness {name} {witness(name).verifier}" for name in ("alpha", "beta")]
    lines += ["group both all alpha beta", f"quorum {quorum}"]
    return parse_policy("\n".join(lines).encode())


def test_an_honest_log_over_tile_borders_passes_under_every_checkpoint(tmp_path):
    bodies = long_history()
    older = {size: [signer()] for size in (0, 1, 255, 256, 257, 512, len(bodies))}

    report = verify_export(write_log(tmp_path, bodies, older=older), LOG)

    assert report.entries == len(bodies) > 2 * 256
    assert report.checkpoints == len(older)
    assert report.trial_balance["H100"][ADA.bytes.hex()] == 100


def test_the_report_adds_up(tmp_path, capsys):
    write_log(tmp_path, honest_history())

    assert main([str(tmp_path), "--key", str(LOG[0]), "--json"]) == 0

    asset = json.loads(capsys.readouterr().out)["assets"]["H100"]
    assert asset == {"issued": 100, "circulating": 77, "held": 0, "redeemed": 20, "expired": 3}
    assert main([str(tmp_path), "--key", str(LOG[0])]) == 0
    assert "issued 100 = circulating 77" in capsys.readouterr().out


@pytest.mark.parametrize("forgery", forgeries(), ids=lambda forgery: forgery.name)
def test_a_forged_history_that_is_well_hashed_and_signed_is_caught_at_its_place(forgery: Forgery, tmp_path, capsys):
    write_log(tmp_path, forgery.bodies)

    assert main([str(tmp_path), "--key", str(LOG[0])]) == 1

    said = capsys.readouterr().err
    assert said.startswith(f"FAULT entry {forgery.position}: ")
    assert forgery.word in said


def test_two_roots_at_one_size_are_a_fault(tmp_path):
    bodies = long_history(20)
    other = [*bodies[:-1], moved("SEND", (ADA, -6), (BOB, 6))]
    write_log(tmp_path, bodies)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "again").write_text(note_at(other, [signer()]))

    assert "another root" in str(fault_of(tmp_path)) or "is another" in str(fault_of(tmp_path))


def test_a_log_that_was_rewritten_since_is_found_by_a_checkpoint_somebody_kept(tmp_path, capsys):
    bodies = long_history(40)
    write_log(tmp_path / "log", bodies)
    (tmp_path / "honest").write_text(note_at(bodies[:30], [signer()]))
    (tmp_path / "other").write_text(note_at([*bodies[:29], moved("SEND", (ADA, -6), (BOB, 6))], [signer()]))
    (tmp_path / "longer").write_text(note_at([*bodies, bodies[-2]], [signer()]))
    log = [str(tmp_path / "log"), "--key", str(LOG[0]), "--kept"]

    assert main([*log, str(tmp_path / "honest")]) == 0
    assert main([*log, str(tmp_path / "other")]) == 1
    assert main([*log, str(tmp_path / "longer")]) == 1
    assert "the log ends here" in capsys.readouterr().err


def test_both_keys_sign_where_one_hands_over_to_the_other(tmp_path):
    bodies, changed_at = rotated()
    first, second = signer(), signer("second")
    older = {10: [first], changed_at: [first, second], changed_at + 5: [second]}

    report = verify_export(write_log(tmp_path, bodies, signers=[second], older=older), LOG)

    assert report.checkpoints == 4


@pytest.mark.parametrize(
    ("by", "older_by", "found_at"),
    [
        (["first"], {"change": ["first", "second"]}, "end"),  # a retired key signs a later size
        (["first"], {}, "change"),
        (["third"], {"change": ["first", "second"]}, "end"),
        (["second"], {"change": ["first", "second"], "before": ["second"]}, "before"),  # a key before its time
        (["second"], {"change": ["second"]}, "change"),  # the new key takes over without the old one's word
        (["second"], {"change": ["first"]}, "change"),
        (["second"], {}, "change"),
    ],
)
def test_a_key_that_is_not_in_force_signs_nothing(by, older_by, found_at, tmp_path):
    bodies, changed_at = rotated()
    sizes = {"before": 10, "change": changed_at, "end": len(bodies)}
    older = {sizes[place]: [signer(name) for name in names] for place, names in older_by.items()}
    write_log(tmp_path, bodies, signers=[signer(name) for name in by], older=older)

    assert fault_of(tmp_path).position == sizes[found_at] - 1


def test_the_newest_key_alone_does_not_tell_who_signed_before(tmp_path):
    bodies, changed_at = rotated()
    both = [signer(), signer("second")]
    write_log(tmp_path, bodies, signers=both[1:], older={changed_at: both})

    assert "first key" in str(fault_of(tmp_path, [signer("second").verifier]))


def test_the_quorum_must_have_cosigned_the_newest_checkpoint(tmp_path):
    bodies = long_history(20)
    write_log(tmp_path / "one", bodies, cosigners=[witness("alpha"), witness("stranger")])
    write_log(tmp_path / "both", bodies, cosigners=[witness("alpha"), witness("beta")])

    assert verify_export(tmp_path / "both", LOG, policy_of()).witnesses == {"alpha", "beta"}
    assert verify_export(tmp_path / "one", LOG, policy_of("alpha")).witnesses == {"alpha"}
    assert "have not cosigned" in str(fault_of(tmp_path / "one", LOG, policy_of()))


def test_a_cosignature_of_another_checkpoint_is_a_fault(tmp_path):
    bodies = long_history(20)
    write_log(tmp_path, bodies, cosigners=[witness("alpha"), witness("beta")])
    other = note_at(bodies[:-1], [signer()], [witness("beta")]).rsplit("\n", 2)[1]
    note = (tmp_path / "checkpoint").read_text().rsplit("\n", 2)[0]
    (tmp_path / "checkpoint").write_text(f"{note}\n{other}\n")

    assert "does not verify" in str(fault_of(tmp_path, LOG, policy_of()))


@pytest.mark.parametrize("path", ["tile/1/000.p/2", "tile/0/001", "tile/entries/002.p/194"])
def test_a_tile_or_bundle_with_one_bit_flipped_or_cut_short_or_gone_is_a_fault(path, tmp_path):
    write_log(tmp_path, long_history())
    whole = (tmp_path / path).read_bytes()

    (tmp_path / path).write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    assert fault_of(tmp_path)
    (tmp_path / path).write_bytes(whole[:-1])
    assert fault_of(tmp_path)
    (tmp_path / path).unlink()
    assert fault_of(tmp_path)


def test_a_history_rewritten_with_its_tiles_is_found_by_the_signature(tmp_path):
    bodies = long_history(300)
    write_log(tmp_path, bodies, older={100: [signer()], 200: [signer()]})
    notes = {path: path.read_bytes() for path in [tmp_path / "checkpoint", *(tmp_path / "checkpoints").iterdir()]}
    bodies[150] = moved("SEND", (ADA, -5), (BOB, 5), reference="another")
    write_log(tmp_path, bodies)
    for path, note in notes.items():
        path.write_bytes(note)

    assert fault_of(tmp_path).position == 100  # the first that may have changed: all before is as it was signed


def test_another_logs_checkpoint_is_a_fault(tmp_path):
    write_log(tmp_path, honest_history())
    (tmp_path / "checkpoint").write_text(
        note_at(honest_history(), [signer(origin="other.test/log")], origin="other.test/log")
    )

    assert "another log" in str(fault_of(tmp_path, [*LOG]))
    assert fault_of(tmp_path, [signer("second").verifier])


@pytest.mark.parametrize(
    "arguments",
    [["nowhere", "--key", str(LOG[0])], ["."], [".", "--key", "rubbish"], [".", "--policy", "/nonexistent"],
     ["http://127.0.0.1:1/log/", "--key", str(LOG[0])]],
)  # fmt: skip
def test_what_cannot_be_asked_or_read_is_no_verdict(arguments, capsys):
    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = int(str(stopped.code))

    assert code == 2


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The folder at an address of its own, below /log/."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/log/"
        server.shutdown()


def test_a_site_is_verified_by_its_address(served, tmp_path, capsys):
    bodies, changed_at = rotated(600)
    both = [signer(), signer("second")]
    write_log(tmp_path / "log", bodies, signers=both[1:], older={changed_at: both})

    assert main([served, "--key", str(LOG[0])]) == 0
    bodies[7] = moved("SEND", (ADA, -1), (BOB, 1))
    write_log(tmp_path / "log", bodies, signers=both[1:], older={changed_at: both})
    (tmp_path / "log" / "tile" / "0" / "000").unlink()
    assert main([served, "--key", str(LOG[0])]) == 1


def test_the_one_file_needs_nothing_but_python_and_cryptography(tmp_path):
    app, site = tmp_path / "hourglass-verify.pyz", tmp_path / "site"
    assert verifierapp.main([str(app)]) == 0
    site.mkdir()
    packages = Path(cryptography.__file__).parents[1]
    for name in ("cryptography", "cffi", *(path.name for path in packages.glob("_cffi_backend*"))):
        if (packages / name).exists():
            (site / name).symlink_to(packages / name)
    write_log(tmp_path / "log", honest_history())
    run = f"import sys, runpy; sys.path.insert(0, {str(site)!r}); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"

    command = [str(app), str(tmp_path / "log"), "--key", str(LOG[0])]
    done, bare = (
        subprocess.run(
            [sys.executable, "-I", "-S", *how, *command], capture_output=True, text=True, check=False, env={}
        )
        for how in (["-c", run], [])
    )

    assert done.returncode == 0, done.stderr
    assert "every rule kept" in done.stdout
    assert bare.returncode == 2
    assert "needs Python's package cryptography" in bare.stderr


def test_the_one_file_holds_all_that_the_verifier_imports_and_is_made_the_same_again():
    found, waiting = {"__init__.py"}, ["ledger.verifying.verify"]
    while waiting:
        name = waiting.pop()
        path = Path(*name.split(".")[1:])
        file = ROOT / "ledger" / path.with_suffix(".py")
        if not file.exists():
            file = ROOT / "ledger" / path / "__init__.py"
        if str(file.relative_to(ROOT / "ledger")) in found:
            continue
        found.add(str(file.relative_to(ROOT / "ledger")))
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ledger"):
                waiting += [str(node.module), ".".join(str(node.module).split(".")[:-1])]
                waiting = [word for word in waiting if word != "ledger"]

    assert set(verifierapp.MODULES) == found
    verifierapp.verifier_app.cache_clear()
    first = verifierapp.verifier_app()
    verifierapp.verifier_app.cache_clear()
    assert verifierapp.verifier_app() == first


def test_the_checkouts_own_command_verifies(tmp_path):
    write_log(tmp_path, honest_history())
    command = [sys.executable, str(ROOT / "bin" / "hourglass-verify"), str(tmp_path), "--key"]

    done = [subprocess.run([*command, key], capture_output=True, check=False) for key in (str(LOG[0]), "rubbish")]

    assert [run.returncode for run in done] == [0, 2]
