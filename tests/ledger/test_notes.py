"""What the vectors leave open: keys given twice, keys of small order, times of cosignatures, other libraries."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.proof import notes
from ledger.proof.notes import (
    COSIGNATURE,
    BadNote,
    CheckpointText,
    Cosigner,
    Signer,
    UnverifiedNote,
    Verifier,
    open_note,
)

TEXT = str(CheckpointText("log.test/a", 5, bytes(32)))
SIGNER = Signer("log.test/a", Ed25519PrivateKey.generate())
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def test_a_key_given_twice_is_ambiguous_as_soon_as_it_is_needed():
    note = notes.sign_note(TEXT, [SIGNER])
    other = Signer("log.test/b", Ed25519PrivateKey.generate())

    assert open_note(note, [SIGNER.verifier, other.verifier, other.verifier]) == TEXT
    with pytest.raises(UnverifiedNote, match="two keys"):
        open_note(note, [SIGNER.verifier, SIGNER.verifier])


def small_order_keys() -> list[bytes]:
    """The eight points whose order divides 8, and their encodings with y at or above the field's prime."""
    root = pow(2, (P - 1) // 4, P)
    points: set[tuple[int, int]] = {(0, 1)}
    # A point of order 8, found by multiplying any point by the order of the large subgroup.
    order = 2**252 + 27742317777372353535851937790883648493
    y = 2
    while len(points) < 8:
        y += 1
        square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        x = x if x * x % P == square else x * root % P
        if x * x % P == square:
            point = times(order, (x, y))
            points |= {times(number, point) for number in range(8)}
    encoded = {(y | (x & 1) << 255).to_bytes(32, "little") for x, y in points}
    return sorted(encoded | {(P + low | sign << 255).to_bytes(32, "little") for low in (0, 1) for sign in (0, 1)})


def times(number: int, point: tuple[int, int]) -> tuple[int, int]:
    found = (0, 1)
    while number:
        if number & 1:
            found = plus(found, point)
        point, number = plus(point, point), number >> 1
    return found


def plus(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def test_under_a_key_of_small_order_nothing_verifies():
    keys = small_order_keys()
    identity, nothing = (1).to_bytes(32, "little"), bytes(32)

    assert len(keys) >= 12
    for key in keys:
        assert not Verifier("w", key).verifies(TEXT, identity + nothing)
        name = "w"
        hash_ = hashlib.sha256(name.encode() + b"\n\x01" + key).hexdigest()[:8]
        with pytest.raises(BadNote):
            notes.parse_verifier(f"{name}+{hash_}+{notes.base64.b64encode(bytes([1]) + key).decode()}")


def by_the_equation(key: bytes, message: bytes, signature: bytes) -> bool:
    """RFC 8032's check written out, in place of a second library."""
    if len(signature) != 64:
        return False
    order = 2**252 + 27742317777372353535851937790883648493
    points = [decoded(key), decoded(signature[:32])]
    s = int.from_bytes(signature[32:], "little")
    if None in points or s >= order:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % order
    base = decoded((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    return times(s, base) == plus(points[1], times(k, points[0]))


def decoded(data: bytes) -> tuple[int, int] | None:
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x), y


def test_two_ways_to_verify_agree_on_right_and_on_changed_signatures():
    """Every bit of a signature's S, a longer S, short and long signatures, and another key."""
    order = 2**252 + 27742317777372353535851937790883648493
    good = SIGNER.private_key.sign(TEXT.encode())
    beyond = good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
    flipped = [(int.from_bytes(good, "little") ^ 1 << bit).to_bytes(64, "little") for bit in range(0, 512, 37)]
    tried = [good, beyond, good[:63], good + b"\0", b"", *flipped]

    ours = [SIGNER.verifier.verifies(TEXT, signature) for signature in tried]

    assert ours == [by_the_equation(SIGNER.verifier.public_key, TEXT.encode(), signature) for signature in tried]
    assert ours == [True] + [False] * (len(tried) - 1)


@pytest.mark.parametrize(("at", "verifies"), [(1, True), (1_790_000_000, True), (2**63 - 1, True), (2**63, False)])
def test_a_cosignature_carries_a_time_up_to_2_to_the_63(at, verifies):
    cosigner = Cosigner("witness.test/w1", Ed25519PrivateKey.generate())
    note = notes.sign_note(TEXT, [SIGNER], [cosigner.cosign(TEXT, at=at).rstrip("\n")])

    signature = notes.parse_note(note).signatures[0]

    assert cosigner.verifier.verifies(TEXT, signature.signature) is verifies
    assert notes.cosigned_at(signature.signature) == at
    # The time is signed too, and a log's key says nothing about a witness's signature.
    assert not cosigner.verifier.verifies(TEXT, (at - 1).to_bytes(8, "big") + signature.signature[8:])
    assert not Verifier(cosigner.name, cosigner.verifier.public_key).verifies(TEXT, signature.signature)
    assert notes.parse_verifier(str(cosigner.verifier)).algorithm == COSIGNATURE
