"""The witness: what it answers, that it never goes back, and that it needs neither Django nor Postgres."""

import http.client
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.proof.merkle import EMPTY_ROOT, root_hash
from ledger.proof.notes import Cosigner, Signer, Verifier, open_note, parse_checkpoint, parse_verifier, sign_note
from ledger.witness.config import ConfigRefused, read_config
from ledger.witness.cosigning import Witness
from ledger.witness.requests import parse_request, request_body
from ledger.witness.server import MAX_BODY
from ledger.witness.state import State
from tests.full import count
from tests.ledger.witnesses import (
    ROOT,
    LeafLog,
    make_witness,
    post,
    running_witness,
    write_config,
)

VECTORS = ROOT.parent / "shared" / "data" / "vectors" / "checkpoint" / "witness_requests.json"
NOW = 1_790_000_000


def vectors() -> list[dict]:
    return json.loads(VECTORS.read_text())["cases"] if VECTORS.exists() else []


def witness_of(path: Path, logs: list[Verifier], keys: int = 1) -> Witness:
    cosigners = [Cosigner(f"witness.test/w{number}", Ed25519PrivateKey.generate()) for number in range(keys)]
    by_origin = {verifier.name: [verifier] for verifier in logs}
    return Witness(cosigners, by_origin, State(path / "state.sqlite"))


def put(path: Path, origin: str, recorded: dict) -> None:
    """Set what the witness holds, as a case says; nothing where it never saw the log."""
    root = b64decode(recorded["root_base64"])
    if recorded["size"] or root != EMPTY_ROOT:
        with sqlite3.connect(path / "state.sqlite") as db:
            db.execute("INSERT INTO cosigned VALUES (?, ?, ?, '', 0)", [origin, recorded["size"], root])


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not beside this checkout")
@pytest.mark.parametrize("case", vectors(), ids=lambda case: case["name"])
def test_requests_written_elsewhere(case, tmp_path):
    if case["kind"] == "parse":
        request = parse_request(case["request_body"].encode())
        proof = [b64decode(line) for line in case["proof_base64"]]
        assert (request.old, request.checkpoint.origin, list(request.proof)) == (case["old"], case["origin"], proof)
        assert request.checkpoint.size == case["size"]
        assert len(request.note.signatures) == case["signature_lines"]
        return
    if case["log_vkey"]:
        verifier, body = parse_verifier(case["log_vkey"]), case["request_body"].encode()
    else:
        signer = Signer("example.com/log", Ed25519PrivateKey.generate())
        note = sign_note(case["checkpoint_text"], [signer])
        verifier, body = (
            signer.verifier,
            request_body(old=case["old"], proof=[b64decode(p) for p in case["proof_base64"]], note=note),
        )
    two = "two-witness-keys" in case["name"]
    witness = witness_of(tmp_path, [verifier], keys=2 if two else 1)
    put(tmp_path, verifier.name, case["recorded_before"])

    reply = witness.add_checkpoint(body, at=NOW)

    assert reply.status == case["status"], reply
    recorded = witness.cosigned()[verifier.name]
    assert (recorded.size, b64encode(recorded.root).decode()) == tuple(case["recorded_after"].values())
    if reply.status == 200:
        text = body.decode().partition("\n\n")[2].rpartition("\n\n")[0] + "\n"
        assert open_note(f"{text}\n{reply.body}", [cosigner.verifier for cosigner in witness.cosigners]) == text
        assert reply.body.count("\n") == len(witness.cosigners)
    if "again" in case:
        assert witness.add_checkpoint(body, at=NOW).status == 200
    if "reply_body" in case:
        assert (reply.body, reply.content_type) == (case["reply_body"], case["reply_content_type"])


@pytest.fixture
def log() -> LeafLog:
    return LeafLog().grow(10)


def malformed(log: LeafLog) -> dict[str, bytes]:
    good = log.request(0).decode()
    line = b64encode(bytes(32)).decode()
    return {
        "nothing": b"",
        "leading zeros": good.replace("old 0", "old 007").encode(),
        "negative": good.replace("old 0", "old -1").encode(),
        "plus": good.replace("old 0", "old +1").encode(),
        "Arabic digits": good.replace("old 0", "old ٣").encode(),
        "2**63": good.replace("old 0", f"old {2**63}").encode(),
        "very long": good.replace("old 0", "old " + "9" * 5000).encode(),
        "no old": good.removeprefix("old 0\n").encode(),
        "64 proof lines": good.replace("old 0\n", "old 5\n" + f"{line}\n" * 64).encode(),
        "short hash": good.replace("old 0\n", "old 5\nAAAA\n").encode(),
        "spaces in base64": good.replace("old 0\n", f"old 5\n {line}\n").encode(),
        "no blank line": good.replace("\n\n", "\n", 1).encode(),
        "CRLF": good.replace("\n", "\r\n").encode(),
        "no last newline": good.rstrip("\n").encode(),
        "no signatures": good[: good.rindex("\n\n") + 2].encode(),
        "not UTF-8": good.encode() + b"\xff\n",
        "size with zeros": good.replace("\n10\n", "\n010\n").encode(),
        "short root": good.replace(good.split("\n")[4], "AAAA").encode(),
        "old above size": log.request(11, 10),
    }


def test_what_is_malformed_is_400_and_changes_nothing(log, tmp_path):
    witness = witness_of(tmp_path, [log.signer.verifier])

    answers = {name: witness.add_checkpoint(body, at=NOW).status for name, body in malformed(log).items()}

    assert answers == dict.fromkeys(answers, 400)
    assert len(answers) == 19
    assert witness.cosigned()[log.origin].size == 0


def test_an_unknown_log_is_404_and_a_signature_that_is_no_such_403(log, tmp_path):
    witness = witness_of(tmp_path, [log.signer.verifier])
    other = LeafLog(origin="log.test/another").grow(3)
    imposter = LeafLog(list(log.leaves))
    # Right name and right key id, and a signature of something else.
    forged = log.request(0).decode().replace("\n10\n", "\n9\n")

    assert witness.add_checkpoint(other.request(0), at=NOW).status == 404
    assert witness.add_checkpoint(imposter.request(0), at=NOW).status == 403
    assert witness.add_checkpoint(forged.encode(), at=NOW).status == 403
    assert witness.cosigned()[log.origin].size == 0


def test_it_cosigns_what_goes_on_and_nothing_else(log, tmp_path):
    witness = witness_of(tmp_path, [log.signer.verifier])
    assert witness.add_checkpoint(log.request(0), at=NOW).status == 200
    log.grow(25)
    forked = LeafLog(log.leaves[:9], key=log.key).grow(30, "other")

    assert witness.add_checkpoint(log.request(0), at=NOW) == witness.add_checkpoint(log.request(5), at=NOW)
    assert witness.add_checkpoint(log.request(0), at=NOW).body == "10\n"
    assert witness.add_checkpoint(forked.request(10), at=NOW).status == 422
    # The same size with another root: tlog-witness has said 409 and 422; a size to start from would not help.
    assert witness.add_checkpoint(forked.request(10, 10), at=NOW).status == 422
    assert witness.cosigned()[log.origin].size == 10
    reply = witness.add_checkpoint(log.request(10), at=NOW)

    assert reply.status == 200
    text = open_note(log.note().rpartition("\n\n")[0] + "\n\n" + reply.body, [witness.cosigners[0].verifier])
    assert parse_checkpoint(text).size == 25
    with sqlite3.connect(tmp_path / "state.sqlite") as db:
        assert db.execute("SELECT count(*) FROM evidence").fetchone() == (2,)


def test_its_record_cannot_be_made_shorter_even_by_hand(log, tmp_path):
    witness = witness_of(tmp_path, [log.signer.verifier])
    witness.add_checkpoint(log.request(0), at=NOW)
    with sqlite3.connect(tmp_path / "state.sqlite") as db:
        for statement in (
            "UPDATE cosigned SET size = 9",
            "UPDATE cosigned SET root = zeroblob(32)",
            "DELETE FROM cosigned",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(statement)

    assert witness.cosigned()[log.origin].size == 10


def test_of_many_requests_at_once_each_old_size_is_used_once(log, tmp_path):
    log.grow(400)
    with running_witness(tmp_path, [log.signer.verifier]) as witness:
        assert post(witness.url, log.request(0, 10))[0] == 200
        answers: list[tuple[int, int]] = []

        def ask(size: int) -> None:
            answers.append((size, post(witness.url, log.request(10, size))[0]))

        threads = [threading.Thread(target=ask, args=(size,)) for size in range(11, 43)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        won = [size for size, status in answers if status == 200]
        assert sorted({status for _, status in answers}) == [200, 409]
        assert len(won) == 1
        assert post(witness.url, log.request(0))[2] == f"{won[0]}\n"


def test_two_processes_on_one_record_use_each_old_size_once(log, tmp_path):
    """By mistake started twice: SQLite's lock keeps them apart as a thread's does within one."""
    log.grow(300)
    verifier, answers = log.signer.verifier, []
    pair = [witness_of(tmp_path, [verifier]) for _ in range(2)]
    pair[0].add_checkpoint(log.request(0, 10), at=NOW)

    def run(witness: Witness, own: int) -> None:
        for old in range(10, 60):
            request = log.request(old, old + 1)
            other = LeafLog([*log.leaves[:old], bytes([own]) * 32], key=log.key).request(old)
            answers.extend((old, witness.add_checkpoint(body, at=NOW).status) for body in (request, other))

    threads = [threading.Thread(target=run, args=(witness, own)) for own, witness in enumerate(pair)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    signed = [old for old, status in answers if status == 200]
    assert len(answers) == 200
    assert len(signed) == len(set(signed))
    assert pair[0].cosigned()[log.origin].size == 10 + len(signed)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_changed_byte_makes_it_sign_another_tree(tmp_path_factory, data):
    log = FUZZED
    body = bytearray(log.request(3))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                body[at] ^= 1 << data.draw(st.integers(0, 7))
            case 1:
                del body[at]
            case _:
                body.insert(at, data.draw(st.sampled_from(b"0=\n +A")))
    folder = tmp_path_factory.mktemp("w")
    witness = witness_of(folder, [log.signer.verifier])
    put(folder, log.origin, {"size": 3, "root_base64": b64encode(root_hash(log.nodes(), 3)).decode()})

    reply = witness.add_checkpoint(bytes(body), at=NOW)

    assert reply.status in {200, 400, 403, 404, 409, 422}
    recorded = witness.cosigned()[log.origin]
    assert (recorded.size, recorded.root) in {(size, root_hash(log.nodes(), size)) for size in (3, 10)}
    assert (reply.status == 200) is (recorded.size == 10)


FUZZED = LeafLog().grow(10)


class Presser(threading.Thread):
    """Asks a witness for one size after another until it does not answer."""

    def __init__(self, url: str, log: LeafLog, signed: int) -> None:
        super().__init__(daemon=True)
        self._url, self._log, self.signed = url, log, signed

    def run(self) -> None:
        old = self.signed
        while True:
            try:
                status, _, text = post(self._url, self._log.request(old, old + 1))
            except (OSError, http.client.HTTPException):
                return
            if status == 200:
                self.signed = old = old + 1
            else:
                old = int(text)


def test_killed_at_any_moment_it_remembers_every_size_it_signed(log, tmp_path):
    log.grow(3000)
    kills, signed = count(60), 0
    with running_witness(tmp_path, [log.signer.verifier]) as witness:
        for number in range(kills):
            presser = Presser(witness.url, log, signed)
            presser.start()
            deadline = time.monotonic() + 20
            while presser.signed < signed + 1 + number % 4:
                assert time.monotonic() < deadline, "the witness signs nothing"
                time.sleep(0.001)
            witness.kill()
            presser.join(20)
            witness.start_again()
            held = int(post(witness.url, log.request(2999, 3000))[2])
            assert held in {presser.signed, presser.signed + 1}
            signed = held
    print(f"{kills} kills, {signed} sizes signed")


def test_the_process_answers_over_http_with_the_statuses_of_the_specification(log, tmp_path):
    with running_witness(tmp_path, [log.signer.verifier]) as witness:
        status, kind, text = post(witness.url, log.request(0))
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        open_note(log.note().rpartition("\n\n")[0] + "\n\n" + text, [witness.verifier])
        assert post(witness.url, log.request(0)) == (409, "text/x.tlog.size", "10\n")
        assert post(witness.url, b"nonsense")[0] == 400
        assert post(witness.url, b"", "/elsewhere")[0] == 404
        assert post(witness.url, b"x" * (MAX_BODY + 1))[0] == 413
        # Twice over one connection, then a body that never comes does not keep others waiting.
        with socket.create_connection(("127.0.0.1", witness.port), 10) as slow:
            slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold")
            assert post(witness.url, log.request(0))[0] == 409


def test_it_reads_its_logs_again_when_told(log, tmp_path):
    rotated = LeafLog(list(log.leaves))
    with running_witness(tmp_path, [log.signer.verifier]) as witness:
        assert post(witness.url, log.request(0))[0] == 200
        assert post(witness.url, rotated.grow(12).request(10))[0] == 403
        write_config(tmp_path, [log.signer.verifier, rotated.signer.verifier], port=witness.port)
        witness.process.send_signal(1)
        deadline = time.monotonic() + 10
        while post(witness.url, rotated.request(10))[0] != 200:
            assert time.monotonic() < deadline


def test_a_witness_restored_from_a_backup_is_one_of_the_quorum_that_errs(log, tmp_path):
    """Its older record would cosign a fork; it never does by itself, and that is why its disk has no backup."""
    with running_witness(tmp_path / "w", [log.signer.verifier]) as witness:
        post(witness.url, log.request(0))
        witness.kill()
        shutil.copy(tmp_path / "w" / "state.sqlite", tmp_path / "older")
        witness.start_again()
        log.grow(20)
        assert post(witness.url, log.request(10))[0] == 200
        witness.kill()
        shutil.copy(tmp_path / "older", tmp_path / "w" / "state.sqlite")
        witness.start_again()

        assert post(witness.url, log.request(20))[2] == "10\n"
        assert post(witness.url, log.request(10))[0] == 200


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("listen = ", "hark = "), "not known"),
        (("127.0.0.1:", "127.0.0.1"), "address and a port"),
        (('file = "key.pem"', 'file = "none.pem"'), "cannot be read"),
        (("[[logs]]", "[[lags]]"), "not known"),
        (("witness.test/w1", "witness test"), "cannot be a key's name"),
        (("+A", "+B"), "key"),
    ],
)
def test_a_configuration_that_says_nonsense_does_not_start(log, tmp_path, change, word):
    make_witness(tmp_path, [log.signer.verifier])
    path = tmp_path / "witness.toml"
    read_config(path)
    path.write_text(path.read_text().replace(*change))

    with pytest.raises(ConfigRefused, match=word):
        read_config(path)


def test_a_key_of_a_witness_that_others_may_read_is_refused(log, tmp_path):
    make_witness(tmp_path, [log.signer.verifier])
    (tmp_path / "key.pem").chmod(0o640)

    done = subprocess.run(
        [sys.executable, "-m", "ledger.witness", str(tmp_path / "witness.toml")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "0600" in done.stderr
