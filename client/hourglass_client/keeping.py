"""Where the site's address and the key are kept between commands."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path


def path() -> Path:
    """The file of the key; under XDG_CONFIG_HOME where that is set."""
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "hourglass" / "key.json"


def keep(url: str, key: str) -> Path:
    """Write both, for the owner's eyes alone, in one step."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_suffix(".new")
    with suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writer:
        json.dump({"url": url, "key": key}, writer)
    new.replace(file)
    return file


def kept() -> tuple[str, str]:
    """The address and the key, the environment's first; empty where there is none."""
    url, key = os.environ.get("HOURGLASS_URL", ""), os.environ.get("HOURGLASS_KEY", "")
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        known = json.loads(path().read_text())
        url, key = url or known["url"], key or known["key"]
    return url, key


def forget() -> bool:
    """True where there was one."""
    try:
        path().unlink()
    except FileNotFoundError:
        return False
    return True
