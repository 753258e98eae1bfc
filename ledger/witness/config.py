"""A witness's one file, in TOML (docs/operations.md has a whole one)."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.proof.keys import KeyRefused, load_keys
from ledger.proof.notes import ED25519, BadNote, Cosigner, Verifier, is_key_name, parse_verifier


class ConfigRefused(RuntimeError):
    """The file is missing, not TOML, or says something that a witness cannot do."""


@dataclass(frozen=True)
class Config:
    """Where it listens, where it keeps its record, with which keys it signs and which logs it knows."""

    host: str
    port: int
    state: Path
    cosigners: tuple[Cosigner, ...]
    logs: dict[str, tuple[Verifier, ...]]


def read_config(path: Path) -> Config:
    """Paths in the file are relative to its folder."""
    try:
        data = tomllib.loads(path.read_text())
        return _config(data, path.parent)
    except (OSError, tomllib.TOMLDecodeError, BadNote, KeyRefused, ConfigRefused) as error:
        raise ConfigRefused(f"{path}: {error}") from error


def _config(data: dict[str, Any], folder: Path) -> Config:
    _only(data, {"listen", "state", "keys", "logs"})
    host, _, port = _text(data, "listen").rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigRefused("listen is an address and a port, as 127.0.0.1:8101")
    return Config(
        host.strip("[]"),
        int(port),
        folder / _text(data, "state"),
        tuple(_cosigner(table, folder) for table in _tables(data, "keys")),
        dict(_log(table) for table in _tables(data, "logs")),
    )


def _cosigner(table: dict[str, Any], folder: Path) -> Cosigner:
    _only(table, {"name", "file"})
    name = _text(table, "name")
    if not is_key_name(name):
        raise ConfigRefused(f"{name!r} cannot be a key's name: no plus sign and no white space")
    return Cosigner(name, load_keys(folder / _text(table, "file"))[0])


def _log(table: dict[str, Any]) -> tuple[str, tuple[Verifier, ...]]:
    _only(table, {"origin", "keys"})
    keys = table.get("keys")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
        raise ConfigRefused("a log has keys, a list of name+hash+key")
    verifiers = tuple(dict.fromkeys(parse_verifier(key) for key in keys))
    if any(verifier.algorithm != ED25519 for verifier in verifiers):
        raise ConfigRefused("a log's key is not a witness's")
    return table.get("origin", verifiers[0].name), verifiers


def _tables(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    tables = data.get(name)
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise ConfigRefused(f"at least one [[{name}]] is needed")
    return tables


def _text(table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigRefused(f"{name} is missing")
    return value


def _only(table: dict[str, Any], names: set[str]) -> None:
    if unknown := sorted(table.keys() - names):
        raise ConfigRefused(f"{unknown[0]} is not known")
