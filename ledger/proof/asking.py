"""Asking a witness over HTTP (c2sp.org/tlog-witness): one bounded question, and what became of it. No Django."""

import http.client
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from ledger.proof.notes import (
    BadNote,
    Signature,
    UnverifiedNote,
    Verifier,
    cosigned_at,
    parse_note,
    verified_signatures,
)

# All of a question, from the look-up of the name to the last byte of the answer.
SECONDS = 5.0
MAX_ANSWER = 64 * 1024
# A witness's clock may differ from ours by so much.
CLOCK_SECONDS = 300
SIZE_TYPE = "text/x.tlog.size"


class Problem(StrEnum):
    """What is wrong with a witness: stable words for the status page."""

    AWAY = "AWAY"
    SLOW = "SLOW"
    BROKEN = "BROKEN"
    REFUSES = "REFUSES"
    LYING = "LYING"
    CLOCK = "CLOCK"
    AHEAD = "AHEAD"
    FORKED = "FORKED"


class Unanswered(Exception):
    """The witness gave no cosignature."""

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


@dataclass(frozen=True)
class Cosigned:
    """A cosignature that verifies: its line, and the time in it."""

    line: str
    timestamp: int


@dataclass(frozen=True)
class StartFrom:
    """The witness holds another size: the proof must start there."""

    size: int


def ask(url: str, body: bytes, *, verifier: Verifier, text: str, now: int) -> Cosigned | StartFrom:
    """Ask once; Unanswered says what is wrong when neither a cosignature nor a size comes back."""
    status, kind, answer = _post(url, body)
    if status == 200:
        return _cosignature(answer, verifier, text, now)
    if status == 409 and kind == SIZE_TYPE:
        return StartFrom(_size(answer))
    if status in {409, 422}:
        raise Unanswered(Problem.FORKED, f"status {status}")
    if status in {400, 403, 404}:
        raise Unanswered(Problem.REFUSES, f"status {status}")
    raise Unanswered(Problem.BROKEN, f"status {status}")


def _cosignature(answer: str, verifier: Verifier, text: str, now: int) -> Cosigned:
    try:
        note = parse_note(f"{text}\n{answer}")
        signature = verified_signatures(note, [verifier]).get(verifier)
    except (BadNote, UnverifiedNote) as error:
        raise Unanswered(Problem.LYING, str(error)) from error
    if signature is None or note.text != text:
        raise Unanswered(Problem.LYING, "no signature by its key")
    at = cosigned_at(signature.signature)
    if abs(at - now) > CLOCK_SECONDS:
        raise Unanswered(Problem.CLOCK, f"{at - now} s")
    return Cosigned(_line(answer, note.signatures, signature), at)


def _line(answer: str, signatures: tuple[Signature, ...], wanted: Signature) -> str:
    return answer.split("\n")[signatures.index(wanted)]


def _size(answer: str) -> int:
    digits = answer.removesuffix("\n")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise Unanswered(Problem.LYING, "not a size")
    return int(digits)


def _post(url: str, body: bytes) -> tuple[int, str, str]:
    place = urlsplit(url)
    if place.scheme not in {"http", "https"} or not place.hostname:
        raise Unanswered(Problem.AWAY, "its URL is not one of http or https")
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.hostname, place.port, timeout=SECONDS)
    ended = time.monotonic() + SECONDS
    # A socket's own timeout starts anew with every byte that drips: this one does not.
    timer = threading.Timer(SECONDS, _hang_up, [connection])
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", f"{place.path.rstrip('/')}/add-checkpoint", body)
        answer = connection.getresponse()
        data = answer.read(MAX_ANSWER + 1)
        if len(data) > MAX_ANSWER:
            raise Unanswered(Problem.LYING, "its answer is too long")
        if answer.length:
            raise http.client.IncompleteRead(data, answer.length)
        return answer.status, answer.headers.get_content_type(), data.decode()
    except UnicodeDecodeError as error:
        raise Unanswered(Problem.LYING, "its answer is not text") from error
    except (OSError, http.client.HTTPException) as error:
        slow = time.monotonic() >= ended - 0.1
        raise Unanswered(Problem.SLOW if slow else Problem.AWAY, str(error) or type(error).__name__) from error
    finally:
        timer.cancel()
        connection.close()


def _hang_up(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
