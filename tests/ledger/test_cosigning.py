"""Checkpoints and witnesses: what reaches the quorum is published, and no witness holds anything up."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import call_command
from django.db import InternalError, ProgrammingError, transaction
from django.utils import timezone

from ledger.entries import leaf_hash
from ledger.models import Checkpoint, Cosignature, Entry, LogState, WitnessState
from ledger.proof import asking
from ledger.proof.asking import Problem
from ledger.proof.configured import check_before_start, configured_policy, configured_sealer, configured_verifiers
from ledger.proof.cosigning import PAUSE, cosign_newest
from ledger.proof.notes import Cosigner, UnverifiedNote, Verifier, parse_note
from ledger.proof.policyfile import Policy, PolicyRefused, parse_policy
from ledger.proof.publishing import note_of, published_checkpoint, receipt_for
from ledger.proof.receipts import check_receipt, parse_receipt
from portal.reports.health import SEAL_LATE, Part, parts
from portal.wallets.tasks import cosign
from tests.ledger.sealers import plain_entries, seal_all, sealer
from tests.ledger.test_sealing import wait_until
from tests.ledger.witnesses import running_witness, write_config

__all__ = ["sealer"]
pytestmark = pytest.mark.django_db(transaction=True)


def policy_of(log: Verifier, witnesses: dict[str, tuple[Verifier, str]], quorum: str) -> Policy:
    lines = [f"log {log}", *(f"witness {name} {vkey} {url}" for name, (vkey, url) in witnesses.items()), quorum]
    return parse_policy("".join(f"{line}\n" for line in lines).encode())


@contextmanager
def false_witness(answer: Callable[[BaseHTTPRequestHandler, bytes], None]) -> Iterator[str]:
    """A server that answers add-checkpoint as it likes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer(self, self.rfile.read(int(self.headers["Content-Length"])))

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def says(status: int, body: bytes = b"", kind: str = "text/plain") -> Callable[[BaseHTTPRequestHandler, bytes], None]:
    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


LIAR = Cosigner("witness.test/liar", Ed25519PrivateKey.generate())


def signs(cosigner: Cosigner = LIAR, *, late: int = 0, of: str | None = None) -> Callable[..., None]:
    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        text = of or parse_note(body.decode().partition("\n\n")[2]).text
        says(200, cosigner.cosign(text, at=int(time.time()) + late).encode())(handler, body)

    return answer


def hangs(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.connection.settimeout(30)
    handler.connection.recv(1)


def drips(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    try:
        for _ in range(1000):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        return


def hangs_up(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.connection.close()


STRANGER = Cosigner("witness.test/stranger", Ed25519PrivateKey.generate())
WRONG = {
    "hangs": (hangs, Problem.SLOW),
    "drips": (drips, Problem.SLOW),
    "hangs up": (hangs_up, Problem.AWAY),
    "is broken": (says(500, b"oops"), Problem.BROKEN),
    "redirects": (says(302), Problem.BROKEN),
    "answers nothing": (says(200), Problem.LYING),
    "answers garbage": (says(200, b"\xff\xfe garbage"), Problem.LYING),
    "answers very much": (says(200, b"x" * 1_000_000), Problem.LYING),
    "signs with another key": (signs(STRANGER), Problem.LYING),
    "signs another key under its name": (
        signs(Cosigner(LIAR.name, STRANGER.private_key)),
        Problem.LYING,
    ),
    "signs another text": (signs(of="log.test/other\n5\n" + "A" * 43 + "=\n"), Problem.LYING),
    "signs tomorrow": (signs(late=86_400), Problem.CLOCK),
    "signs the past": (signs(late=-86_400), Problem.CLOCK),
    "signs no time": (signs(late=-int(time.time())), Problem.CLOCK),
    "does not know the log": (says(404), Problem.REFUSES),
    "does not trust the key": (says(403), Problem.REFUSES),
    "says that the log forked": (says(422), Problem.FORKED),
    "has another root": (says(409), Problem.FORKED),
    "is ahead": (says(409, b"1000000\n", "text/x.tlog.size"), Problem.AHEAD),
    "always wants another proof": (says(409, b"2\n", "text/x.tlog.size"), Problem.LYING),
    "answers no size": (says(409, b"-1\n", "text/x.tlog.size"), Problem.LYING),
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.replace(" ", "-"))
def test_a_witness_in_trouble_is_named_and_holds_up_nothing(sealer, tmp_path, monkeypatch, wrong):
    answer, problem = WRONG[wrong]
    monkeypatch.setattr(asking, "SECONDS", 1.0)
    plain_entries(7)
    seal_all(sealer)
    log = sealer.signer.verifier
    with false_witness(answer) as url, running_witness(tmp_path / "good", [log]) as good:
        policy = policy_of(log, {"bad": (LIAR.verifier, url), "good": (good.verifier, good.url)}, "quorum good")
        asked = threading.Thread(target=lambda: cosign_newest(policy, now=timezone.now()))
        asked.start()
        # Sealing goes on meanwhile.
        plain_entries(3)
        assert seal_all(sealer).size == 10
        asked.join(30)

        state = WitnessState.objects.get(witness="bad")
        assert (state.problem, state.ask_again_at is not None) == (problem, True)
        assert {row.witness for row in Cosignature.objects.all()} == {"good"}
        assert WitnessState.objects.get(witness="good").problem == ""
        assert published_checkpoint(policy) is not None
        policy.open_checkpoint(note_of(published_checkpoint(policy), policy))


def test_the_quorum_decides_what_is_published(sealer, tmp_path, settings, client):
    log = sealer.signer.verifier
    settings.LEDGER_POLICY_FILE = str(tmp_path / "policy")
    with ExitStack() as stack:
        running = [
            stack.enter_context(running_witness(tmp_path / f"w{n}", [log], name=f"witness.test/w{n}")) for n in range(3)
        ]
        (tmp_path / "policy").write_text(
            f"log {log}\n"
            + "".join(f"witness w{n} {witness.verifier} {witness.url}\n" for n, witness in enumerate(running))
            + "group g 2 w0 w1 w2\nquorum g\n"
        )
        policy = configured_policy()
        plain_entries(10)
        seal_all(sealer)
        before = client.get("/log/checkpoint")
        with pytest.raises(UnverifiedNote):
            policy.open_checkpoint(before.content)
        cosign()
        assert policy.open_checkpoint(client.get("/log/checkpoint").content).size == 10
        assert Cosignature.objects.count() == 3

        running[0].kill()
        plain_entries(5)
        seal_all(sealer)
        cosign()
        assert policy.open_checkpoint(client.get("/log/checkpoint").content).size == 15
        running[1].kill()
        plain_entries(5)
        seal_all(sealer)
        cosign()
        # One of three is not enough: what the quorum saw last goes on being published.
        answer = client.get("/log/checkpoint")
        assert policy.open_checkpoint(answer.content).size == 15
        assert answer["Hourglass-Sealed-Size"] == "20"

        running[0].start_again()
        WitnessState.objects.update(ask_again_at=None)
        cosign()
        assert policy.open_checkpoint(client.get("/log/checkpoint").content).size == 20
        assert WitnessState.objects.get(witness="w1").problem == Problem.AWAY
        assert client.get("/log/policy").content == (tmp_path / "policy").read_bytes()


def test_a_receipt_carries_the_quorums_cosignatures(sealer, tmp_path):
    log = sealer.signer.verifier
    with running_witness(tmp_path / "w", [log]) as witness:
        policy = policy_of(log, {"w": (witness.verifier, witness.url)}, "quorum w")
        first = plain_entries(3)[0]
        seal_all(sealer)
        cosign_newest(policy, now=timezone.now())
        second = plain_entries(3)[0]
        seal_all(sealer)

        old, new = (parse_receipt(str(receipt_for(entry_id, policy))) for entry_id in (first, second))

        for receipt, entry_id, size in ((old, first, 3), (new, second, 6)):
            leaf = leaf_hash(bytes(Entry.objects.get(id=entry_id).body))
            assert check_receipt(receipt, leaf, [log, witness.verifier]).size == size
        assert policy.open_checkpoint(old.checkpoint).size == 3
        with pytest.raises(UnverifiedNote):
            policy.open_checkpoint(new.checkpoint)
        cosign_newest(policy, now=timezone.now())
        assert policy.open_checkpoint(receipt_for(second, policy).checkpoint).size == 6


def test_a_witness_that_others_have_told_of_the_log_is_asked_from_where_it_is(sealer, tmp_path):
    log = sealer.signer.verifier
    with running_witness(tmp_path / "w", [log]) as witness:
        policy = policy_of(log, {"w": (witness.verifier, witness.url)}, "quorum w")
        for size in (300, 700):
            plain_entries(size - LogState.objects.get_or_create(id=1)[0].size)
            seal_all(sealer)
            assert cosign_newest(policy, now=timezone.now()) == 1
        WitnessState.objects.update(size=5)
        plain_entries(50)
        seal_all(sealer)

        assert cosign_newest(policy, now=timezone.now()) == 1
        assert WitnessState.objects.get().size == 750


def test_nobody_is_asked_twice_at_once_nor_pressed_when_in_trouble(sealer):
    plain_entries(1)
    seal_all(sealer)
    asked: list[int] = []
    in_there, go_on = threading.Event(), threading.Event()

    def count(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked.append(1)
        in_there.set()
        go_on.wait(20)
        says(500)(handler, body)

    with false_witness(count) as url:
        policy = policy_of(sealer.signer.verifier, {"w": (LIAR.verifier, url)}, "quorum none")
        now = timezone.now()
        first = threading.Thread(target=lambda: cosign_newest(policy, now=now))
        first.start()
        assert in_there.wait(20)
        assert cosign_newest(policy, now=now) == 0
        go_on.set()
        first.join(20)
        cosign_newest(policy, now=now + PAUSE - timedelta(seconds=1))
        assert len(asked) == 1
        cosign_newest(policy, now=now + PAUSE)
        assert len(asked) == 2


def test_cosignatures_are_history(sealer, tmp_path):
    log = sealer.signer.verifier
    with running_witness(tmp_path / "w", [log]) as witness:
        policy = policy_of(log, {"w": (witness.verifier, witness.url)}, "quorum w")
        plain_entries(1)
        seal_all(sealer)
        cosign_newest(policy, now=timezone.now())

    row = Cosignature.objects.get()
    assert row.checkpoint == Checkpoint.objects.get()
    assert abs(row.timestamp - time.time()) < 60
    for change in (row.delete, lambda: Cosignature.objects.update(line="another")):
        with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
            change()


def test_witnesses_take_a_rotated_key_when_their_operators_do(sealer, tmp_path):
    log = sealer.signer.verifier
    with running_witness(tmp_path / "w", [log]) as witness:
        policy = policy_of(log, {"w": (witness.verifier, witness.url)}, "quorum w")

        def ask() -> str:
            WitnessState.objects.update(ask_again_at=None)
            cosign_newest(policy, now=timezone.now())
            return WitnessState.objects.get().problem

        plain_entries(1)
        seal_all(sealer)
        assert ask() == ""
        call_command("rotate_key", stdout=StringIO())
        seal_all(configured_sealer())
        # The old key signed this one too.
        assert ask() == ""
        plain_entries(1)
        seal_all(configured_sealer())
        assert ask() == Problem.REFUSES
        write_config(tmp_path / "w", configured_verifiers(), port=witness.port)
        witness.kill()
        witness.start_again()
        assert ask() == ""
        new = policy_of(configured_verifiers()[0], {"w": (witness.verifier, "")}, "quorum w")
        assert new.open_checkpoint(note_of(published_checkpoint(new), new)).size == 3
        with pytest.raises(UnverifiedNote):
            policy.open_checkpoint(note_of(published_checkpoint(policy), policy))


def test_a_quorum_is_published_while_another_witness_keeps_us_waiting(sealer, tmp_path):
    log = sealer.signer.verifier
    with false_witness(hangs) as url, running_witness(tmp_path / "good", [log]) as good:
        policy = policy_of(log, {"bad": (LIAR.verifier, url), "good": (good.verifier, good.url)}, "quorum good")
        plain_entries(1)
        seal_all(sealer)
        asked = threading.Thread(target=lambda: cosign_newest(policy, now=timezone.now()))
        asked.start()
        wait_until(lambda: LogState.objects.get().published_size == 1)
        assert asked.is_alive()
        # Nor is what comes next.
        plain_entries(1)
        seal_all(sealer)
        cosign_newest(policy, now=timezone.now())
        assert LogState.objects.get().published_size == 2
        assert asked.is_alive()
        asked.join(30)


def test_the_status_page_names_the_witness_and_what_is_wrong(sealer, tmp_path, settings):
    settings.LEDGER_POLICY_FILE = str(tmp_path / "policy")
    log = sealer.signer.verifier

    def shown() -> Part | None:
        return next((part for part in parts(now=timezone.now()) if part.name == "Witnesses"), None)

    settings.LEDGER_POLICY_FILE = ""
    assert shown() is None
    settings.LEDGER_POLICY_FILE = str(tmp_path / "policy")
    assert shown().tone == "fault"
    with false_witness(says(500)) as url, running_witness(tmp_path / "good", [log]) as good:
        (tmp_path / "policy").write_text(
            f"log {log}\nwitness north {good.verifier} {good.url}\nwitness south {LIAR.verifier} {url}\n"
            "group g any north south\nquorum g\n"
        )
        plain_entries(12)
        seal_all(sealer)
        cosign()
        part = shown()
        assert part.tone == "attention"
        assert dict(part.figures)["south"] == "is broken (status 500)"
        assert dict(part.figures)["north"].startswith("up to 12")
        good.kill()
        plain_entries(1)
        seal_all(sealer)
        cosign()
        late = next(part for part in parts(now=timezone.now() + 2 * SEAL_LATE) if part.name == "Witnesses")
        assert "not cosigned by enough" in late.says
        assert dict(late.figures)["Published up to"] == "12"


def test_a_policy_file_that_was_broken_stops_the_start_and_not_the_pages(sealer, tmp_path, settings, client):
    settings.LEDGER_POLICY_FILE = str(tmp_path / "policy")
    (tmp_path / "policy").write_text("quorum none\nquorum none\n")
    entry_id = plain_entries(1)[0]
    seal_all(sealer)

    with pytest.raises(PolicyRefused, match="line 2"):
        check_before_start()
    assert client.get("/log/checkpoint").content.decode() == Checkpoint.objects.get().note
    assert client.get(f"/explorer/{entry_id}/receipt").status_code == 200


def test_keys_that_the_policy_no_longer_names_count_for_nothing(sealer, tmp_path: Path):
    log = sealer.signer.verifier
    with running_witness(tmp_path / "w", [log]) as witness:
        policy = policy_of(log, {"w": (witness.verifier, witness.url)}, "quorum w")
        plain_entries(1)
        seal_all(sealer)
        cosign_newest(policy, now=timezone.now())
        changed = policy_of(log, {"w": (STRANGER.verifier, "")}, "quorum w")

        assert note_of(Checkpoint.objects.get(), changed) == Checkpoint.objects.get().note
