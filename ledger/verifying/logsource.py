"""Where a log is read from: an export's folder, or a site's /log/ address. Both are laid out alike. No Django."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ledger.proof.tilepaths import partial_suffix, tile_path
from ledger.verifying.regrown import WIDTH

HASH_BYTES = 32
# A bundle of 256 entries of the greatest length each.
_MAX_BYTES = WIDTH * (2 + 65_535)
_TRIES, _TIMEOUT_SECONDS = 3, 30


class Unreadable(OSError):
    """The log cannot be reached: nothing is said about what it holds."""


class Source(Protocol):
    def read(self, path: str) -> bytes | None:
        """A file of the log; None where it is not there."""
        ...

    def older_checkpoints(self) -> Iterator[tuple[str, bytes]]:
        """Names and notes of the checkpoints before the newest, as far as they are offered."""
        ...


class Folder:
    """An export (`manage.py export_ledger`)."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise Unreadable(f"{path} is no folder")
        self._path = path

    def read(self, path: str) -> bytes | None:
        file = self._path / path
        return file.read_bytes() if file.is_file() else None

    def older_checkpoints(self) -> Iterator[tuple[str, bytes]]:
        for file in sorted((self._path / "checkpoints").glob("*")):
            yield f"checkpoints/{file.name}", file.read_bytes()


class Site:
    """A site's /log/ address (c2sp.org/tlog-tiles)."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/"

    def read(self, path: str) -> bytes | None:
        error: Exception | None = None
        for _ in range(_TRIES):
            try:
                request = Request(self._url + path, headers={"User-Agent": "hourglass-verify"})  # noqa: S310
                with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - main takes only http(s)
                    data: bytes = answer.read(_MAX_BYTES + 1)
                    if len(data) > _MAX_BYTES:
                        raise Unreadable(f"{path} is longer than it may be")
                    return data
            except HTTPError as refused:
                if refused.code == 404:
                    return None
                error = refused
            except (URLError, TimeoutError, ConnectionError) as failed:
                error = failed
        raise Unreadable(f"{self._url}{path} cannot be read: {error}")

    def older_checkpoints(self) -> Iterator[tuple[str, bytes]]:
        return iter(())


def source_of(where: str) -> Source:
    return Site(where) if where.startswith(("http://", "https://")) else Folder(Path(where))


class LogFiles:
    """A log of one size: its bundles of entries and its tiles of hashes."""

    def __init__(self, source: Source, size: int) -> None:
        self.source, self.size = source, size
        self._last: tuple[int, list[bytes]] = (-1, [])

    def bundle(self, number: int) -> list[bytes]:
        """The entries of one bundle, up to the first that is cut short or missing."""
        data = self._file("entries", number, min(WIDTH, self.size - number * WIDTH)) or b""
        bodies: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            start = at + 2
            at = start + int.from_bytes(data[at:start], "big")
            if at > end:
                break
            bodies.append(data[start:at])
        self._last = (number, bodies)
        return bodies

    def body(self, index: int) -> bytes:
        """One entry again."""
        number, place = divmod(index, WIDTH)
        bodies = self._last[1] if self._last[0] == number else self.bundle(number)
        return bodies[place] if place < len(bodies) else b""

    def hashes(self, level: int, number: int) -> list[bytes] | None:
        """The hashes of one tile; None where it is missing or not whole."""
        width = min(WIDTH, (self.size >> (8 * level)) - number * WIDTH)
        data = self._file(str(level), number, width)
        if data is None or len(data) != width * HASH_BYTES:
            return None
        return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]

    def _file(self, level: str, number: int, width: int) -> bytes | None:
        return self.source.read(f"tile/{level}/{tile_path(number)}{partial_suffix(width)}")
