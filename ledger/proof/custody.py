"""Where the log's private keys are: in a file of mode 0600, or in a device that never gives them away (PKCS#11)."""

import stat
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.proof.keys import KeyRefused, load_signers
from ledger.proof.notes import Signer

PKCS11 = "pkcs11:"
_one_at_a_time = threading.Lock()


def is_in_device(place: str) -> bool:
    return place.startswith(PKCS11)


def signers_at(place: str, *, origin: str) -> list[Signer]:
    """The log's signers, its first key first: from a file, or from PKCS#11 URIs of a key each, with spaces between."""
    if is_in_device(place):
        return [Signer(origin, _device_key(uri)) for uri in place.split()]
    return load_signers(Path(place), origin=origin)


@dataclass(frozen=True)
class DeviceKey:
    """An Ed25519 key that signs inside its device."""

    uri: str
    point: bytes
    _private: Any

    def sign(self, data: bytes, /) -> bytes:
        import pkcs11

        try:
            # A session is one thread's at a time.
            with _one_at_a_time:
                return bytes(self._private.sign(data, mechanism=pkcs11.Mechanism.EDDSA))
        except pkcs11.PKCS11Error as error:
            # The device went away or was restarted: the next time it is opened anew.
            _device_key.cache_clear()
            _session.cache_clear()
            raise KeyRefused(f"The device did not sign: {error!r}.") from error

    def public_key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.point)


@dataclass(frozen=True)
class KeyUri:
    """What a PKCS#11 URI (RFC 7512) says of a key: its token and label, the module to ask, and the PIN's file."""

    token: str
    label: str
    module: str
    pin_file: Path


def parse_uri(uri: str) -> KeyUri:
    """Read `pkcs11:token=…;object=…?module-path=…&pin-source=file:…`; KeyRefused for anything else."""
    path, _, query = uri.removeprefix(PKCS11).partition("?")
    found = dict(part.split("=", 1) for part in path.split(";") if "=" in part)
    found |= dict(parse_qsl(query, keep_blank_values=True))
    wanted = {"token", "object", "module-path", "pin-source"}
    if not is_in_device(uri) or found.keys() - {"type"} != wanted or found.get("type", "private") != "private":
        raise KeyRefused("A key's URI is pkcs11:token=…;object=…?module-path=…&pin-source=file:…")
    pin = found["pin-source"].removeprefix("file://").removeprefix("file:")
    return KeyUri(unquote(found["token"]), unquote(found["object"]), found["module-path"], Path(pin))


@lru_cache(maxsize=16)
def _device_key(uri: str) -> DeviceKey:
    where = parse_uri(uri)
    try:
        import pkcs11
    except ImportError as error:
        raise KeyRefused("A key in a device needs the package python-pkcs11.") from error
    try:
        session = _session(where.module, where.token, where.pin_file)
        kind = pkcs11.KeyType.EC_EDWARDS
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, key_type=kind, label=where.label)
        public = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, key_type=kind, label=where.label)
        point = bytes(public[pkcs11.Attribute.EC_POINT])
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        raise KeyRefused(f"The key {where.label} of {where.token} cannot be reached: {error!r}.") from error
    # Devices put the point into an OCTET STRING, a BIT STRING, or hand it out as it is: it comes last.
    return DeviceKey(uri, point[-32:], private)


@lru_cache(maxsize=16)
def _session(module: str, token: str, pin_file: Path) -> Any:
    """A process logs in to a token once."""
    import pkcs11

    return pkcs11.lib(module).get_token(token_label=token).open(user_pin=_pin(pin_file))


def _pin(path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyRefused(f"The PIN in {path} may be read by others: set its mode to 0600.")
        return path.read_text().strip()
    except OSError as error:
        raise KeyRefused(f"The PIN cannot be read: {error}.") from error
