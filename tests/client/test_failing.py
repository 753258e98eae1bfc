"""However it fails, the hourglass command says so in one line, or as JSON, with a status that a script can go by."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.builders import a_market, an_order

CLIENT = Path(__file__).resolve().parents[2] / "client"
HOURGLASS = [sys.executable, "-m", "hourglass_client.cli"]
# Every command, with what it needs.
COMMANDS = [
    ["instruments", "list"], ["instruments", "show", "X"], ["instruments", "book", "X"], ["instruments", "watch", "X"],
    ["instruments", "trades", "X"], ["instruments", "candles", "X"],
    ["orders", "place", "X", "buy", "1", "--price", "1"], ["orders", "bulk", "-"], ["orders", "list"],
    ["orders", "show", "1"], ["orders", "amend", "1", "--price", "1"], ["orders", "cancel", "1"],
    ["orders", "cancel-all"], ["orders", "timer"], ["orders", "timer", "60"],
    ["balances"], ["transfers", "list"], ["transfers", "send", "X", "1", "--to", "x"], ["receipts", "get", "1"],
    ["jobs", "list"], ["jobs", "show", "x"], ["jobs", "run", "X", "-", "--minutes", "1"], ["jobs", "cancel", "x"],
]  # fmt: skip
ANSWERS = {
    "not HTTP": b"nonsense\n",
    "nothing": b"",
    "cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "no JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "another document": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a list": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    "of another kind": b'HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{"results": [7], "number": "x"}',
    "binary": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
    "an error page": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nweb!",
    "elsewhere": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
}


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says the same to everybody: its address, and what it was asked."""
    asked: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(65536))
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def environment(url: str, home: Path, **more: str) -> dict[str, str]:
    known = {"HOURGLASS_URL": url, "HOURGLASS_KEY": "hg_x", "XDG_CONFIG_HOME": str(home), "PYTHONPATH": str(CLIENT)}
    return {"PATH": os.environ["PATH"]} | known | more


def run_main(words: list[str], monkeypatch: Any, url: str) -> int:
    sys.path.insert(0, str(CLIENT))
    from hourglass_client import cli

    monkeypatch.setattr("hourglass_client.client.TRIES", 1)
    monkeypatch.setenv("HOURGLASS_URL", url)
    monkeypatch.setenv("HOURGLASS_KEY", "hg_x")
    return cli.main(words)


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_every_command_fails_in_one_line_whatever_the_site_answers(kind, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    with answering(ANSWERS[kind]) as (url, _asked):
        for words in COMMANDS:
            for as_json in (False, True):
                status = run_main([*words, *(["--json"] if as_json else [])], monkeypatch, url)
                said = capsys.readouterr()
                if status == 0:
                    # What a site with nothing to say would answer, or a receipt, which is any text.
                    assert kind in {"no JSON", "another document", "a list", "of another kind", "binary"}, words
                    continue
                assert (status in {1, 3}, said.err.count("\n")) == (True, 1), (words, said)
                if as_json:
                    assert {"code", "detail"} <= set(json.loads(said.err)), (words, said)
                else:
                    assert said.err.startswith("hourglass: "), (words, said)


def test_a_key_is_not_carried_to_where_a_site_sends_one(monkeypatch, capsys):
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (other, asked):
        moved = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {other}/\r\nContent-Length: 0\r\n\r\n".encode()
        with answering(moved) as (url, _):
            status = run_main(["balances"], monkeypatch, url)

    assert (status, asked) == (1, [])
    assert "307" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", ["http://hourglass.example.org", "hourglass.example.org", "ftp://x", "http://[", "file:///"]
)
def test_an_address_where_a_key_could_be_read_is_refused_wherever_it_comes_from(url, monkeypatch, capsys):
    for words in (["balances"], ["login", url]):
        assert run_main(words, monkeypatch, url) == 1
        assert "https://" in capsys.readouterr().err


def test_nobody_listening_is_status_3_also_for_login(monkeypatch, capsys):
    for words in (["balances"], ["login", "http://127.0.0.1:9"], ["instruments", "watch", "X"]):
        assert run_main([*words, "--json"], monkeypatch, "http://127.0.0.1:9") == 3
        assert json.loads(capsys.readouterr().err)["code"] == "unreachable"


@pytest.mark.parametrize(
    "words", [[], ["plaice"], ["orders"], ["orders", "place"], ["instruments", "book", "X", "--levels", "x"]]
)
def test_what_is_misspelt_is_status_2_and_says_how(words, monkeypatch, capsys):
    for as_json in (False, True):
        with pytest.raises(SystemExit) as ended:
            run_main([*words, *(["--json"] if as_json else [])], monkeypatch, "http://127.0.0.1:9")
        said = capsys.readouterr()
        assert (ended.value.code, said.out) == (2, "")
        assert "--help" in said.err
        if as_json:
            assert json.loads(said.err)["code"] == "misspelt"


def test_every_command_has_help(capsys, monkeypatch):
    for words in ([], *COMMANDS):
        with pytest.raises(SystemExit) as ended:
            run_main([*words[:2], "--help"], monkeypatch, "http://127.0.0.1:9")
        said = capsys.readouterr().out
        assert ended.value.code == 0
        assert "usage: hourglass" in said
        assert not words or "--json" in said


def test_a_file_that_is_no_text_or_no_orders_is_one_line(tmp_path, monkeypatch, capsys):
    for name, content in {
        "binary": b"\xff\xfe\x00",
        "half": b'[{"side":',
        "list": b"[1, 2]",
        "lines": b"{}\nx\n",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert run_main(["orders", "bulk", str(tmp_path / name)], monkeypatch, "http://127.0.0.1:9") == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert (
        run_main(["jobs", "run", "X", str(tmp_path / "binary"), "--minutes", "1"], monkeypatch, "http://127.0.0.1:9")
        == 1
    )
    assert "UTF-8" in capsys.readouterr().err


def test_ctrl_c_ends_it_with_status_130_and_no_traceback(tmp_path):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        # It listens and never takes a call: whoever asks waits.
        url = f"http://127.0.0.1:{silent.server_address[1]}"
        process = subprocess.Popen(
            [*HOURGLASS, "balances"], env=environment(url, tmp_path), stderr=subprocess.PIPE, stdout=subprocess.PIPE,
            # As at a terminal: what runs in the background is started with interrupts ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        silent.socket.settimeout(20)
        connection, _ = silent.socket.accept()
        assert connection.recv(3) == b"GET"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        connection.close()

    assert (process.returncode, out, err) == (130, b"", b"hourglass: Stopped.\n")


@pytest.mark.django_db(transaction=True)
def test_whoever_has_read_enough_is_no_fault(live_server, tmp_path):
    market = a_market()
    market.ada.post("orders/", an_order())
    surroundings = environment(live_server.url, tmp_path, HOURGLASS_KEY=market.ada.secret)
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        [*HOURGLASS, "orders", "list"], env=surroundings, stdout=write, stderr=subprocess.PIPE, check=False
    )

    os.close(write)
    assert done.stderr == b""


@pytest.mark.django_db(transaction=True)
def test_a_refusal_as_json_is_the_sites_own_problem(live_server, monkeypatch, capsys):
    market = a_market()
    run_main(["balances"], monkeypatch, live_server.url)
    refused = json.loads(_json_error(capsys, monkeypatch, live_server.url, "hg_wrong", ["balances", "--json"]))
    missing = json.loads(
        _json_error(capsys, monkeypatch, live_server.url, market.ada.secret, ["orders", "show", "9", "--json"])
    )

    assert (refused["status"], refused["code"]) == (401, "bad_key")
    assert (missing["status"], missing["code"], missing["type"]) == (
        404,
        "not_found",
        "urn:hourglass:problem:not_found",
    )


def _json_error(capsys: Any, monkeypatch: Any, url: str, key: str, words: list[str]) -> str:
    from hourglass_client import cli

    monkeypatch.setenv("HOURGLASS_KEY", key)
    capsys.readouterr()
    assert cli.main(words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    return str(said.err)
