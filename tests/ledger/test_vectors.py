"""Cases written elsewhere: Merkle proofs, signed notes, verifier keys, checkpoints. Read from shared data."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.entries import leaf_hash
from ledger.proof import merkle, notes, receipts

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "vectors"
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="the shared vectors are not beside this checkout")


def cases(name: str) -> list[dict]:
    path = VECTORS / name
    return json.loads(path.read_text())["cases"] if path.exists() else []


def b64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("case", cases("merkle/inclusion.json"), ids=lambda case: case["name"])
def test_inclusion(case):
    proof = [b64(part) for part in case["proof"] or []]

    found = merkle.is_included(b64(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, b64(case["root"]))

    assert found is not case["wantErr"]


@pytest.mark.parametrize("case", cases("merkle/consistency.json"), ids=lambda case: case["name"])
def test_consistency(case):
    proof = [b64(part) for part in case["proof"] or []]

    found = merkle.is_consistent(case["size1"], b64(case["root1"]), case["size2"], b64(case["root2"]), proof)

    assert found is not case["wantErr"]


def tree8_nodes() -> merkle.Nodes:
    leaves = json.loads((VECTORS / "merkle/tree8.json").read_text())["leaves"]
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in leaves]

    def nodes(level: int, index: int) -> bytes:
        if level == 0:
            return hashes[index]
        return merkle.node_hash(nodes(level - 1, 2 * index), nodes(level - 1, 2 * index + 1))

    return nodes


@pytest.mark.parametrize("case", cases("merkle/tree8.json"), ids=lambda case: case["name"])
def test_tree_of_eight(case):
    nodes = tree8_nodes()
    match case["kind"]:
        case "node":
            assert nodes(case["level"], case["index"]).hex() == case["hash"]
        case "root":
            assert merkle.root_hash(nodes, case["treeSize"]).hex() == case["hash"]
        case "compact":
            frontier = merkle.Frontier(nodes, case["treeSize"])
            assert [hash_.hex() for _, hash_ in frontier.stack] == case["hashes"]
            assert frontier.root() == merkle.root_hash(nodes, case["treeSize"])
        case "hash":
            assert hash_of(case) == case["hash"]


def hash_of(case: dict) -> str:
    if case["of"] == "empty tree":
        return merkle.EMPTY_ROOT.hex()
    if "leaf" in case:
        return leaf_hash(bytes.fromhex(case["leaf"])).hex()
    return merkle.node_hash(bytes.fromhex(case["left"]), bytes.fromhex(case["right"])).hex()


@pytest.mark.parametrize("case", cases("signed-note/vkeys.json"), ids=lambda case: case["name"])
def test_verifier_keys(case):
    accepted = True
    try:
        notes.parse_verifier(case["vkey"])
    except notes.BadNote:
        accepted = False

    assert accepted is (case["expect"] == "valid"), case


def test_every_part_of_a_key_is_refused():
    key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    for start in range(len(key)):
        for end in range(start + 1, len(key) + 1):
            if end - start < len(key):
                with pytest.raises(notes.BadNote):
                    notes.parse_verifier(key[start:end])


def note_of(case: dict) -> str | bytes:
    return base64.b64decode(case["note_base64"]) if "note_base64" in case else case["note"]


@pytest.mark.parametrize("case", cases("signed-note/notes.json"), ids=lambda case: case["name"])
def test_notes(case):
    verifiers = [notes.parse_verifier(key) for key in case["vkeys"]]
    if case["expect"] == "verifies":
        assert notes.open_note(note_of(case), verifiers) == case["text"]
    else:
        with pytest.raises((notes.BadNote, notes.UnverifiedNote)):
            notes.open_note(note_of(case), verifiers)


@pytest.mark.parametrize("case", cases("checkpoint/cosignature_lines.json"), ids=lambda case: case["name"])
def test_cosignature_lines(case):
    """Form only: a time beyond 2**63 - 1 reads, and is refused where the signature is checked."""
    if case["expect"] == "refuses":
        with pytest.raises(notes.BadNote):
            notes.decode_base64(case["signature_base64"])
        return
    signature = notes.decode_base64(case["signature_base64"])
    assert (signature[:4].hex(), notes.cosigned_at(signature[4:])) == (case["key_id"], case["timestamp"])
    if case["timestamp"] > notes.MAX_TIME:
        verifier = notes.Verifier("w", bytes(31) + b"\x09", notes.COSIGNATURE)
        assert not verifier.verifies("text\n", signature[4:])


@pytest.mark.parametrize("case", cases("ed25519/ed25519.json"), ids=lambda case: f"{case['tcId']}-{case['comment']}")
def test_ed25519(case):
    """A note's text is UTF-8, so the message goes past it: the same check of key and signature."""
    verifier = notes.Verifier("w", bytes.fromhex(case["pk"]))

    found = verifier.verifies_bytes(bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))

    assert found is (case["result"] == "valid")


@pytest.mark.parametrize("case", cases("checkpoint/checkpoints.json"), ids=lambda case: case["name"])
def test_checkpoints(case):
    """Our choice where upstream is lax: a root hash has 32 bytes, extension lines are not empty."""
    if case["kind"] == "marshal":
        root = base64.b64decode(case["root_base64"])
        assert str(notes.CheckpointText(case["origin"], int(case["size"]), root)) == case["text"]
    elif case["expect"] == "accepts" and "caveat" not in case:
        found = notes.parse_checkpoint(case["text"])
        assert (found.origin, found.size) == (case["origin"], int(case["size"]))
    elif case["kind"] == "origin":
        assert case["text"].split("\n")[0] != case["expected_origin"]
    else:
        with pytest.raises(notes.BadNote):
            notes.parse_checkpoint(case["text"])


def signer_of(case: dict) -> notes.Signer:
    _, _, name, _, key = case["skey"].split("+", 4)
    return notes.Signer(name, Ed25519PrivateKey.from_private_bytes(b64(key)[1:]))


@pytest.mark.parametrize("case", cases("signed-note/sign_and_proof.json"), ids=lambda case: case["name"])
def test_signing_and_receipts(case):
    match case["kind"]:
        case "sign":
            assert notes.sign_note(case["text"], [signer_of(case)]) == case["note"]
        case "sign-refuses":
            signers = [signer_of(case)] if "skey" in case else []
            with pytest.raises(notes.BadNote):
                notes.sign_note(case["text"], signers, case.get("existing_signatures", []))
        case "marshal":
            extra = b64(case["extra_base64"]) if case.get("extra_base64") else None
            hashes = tuple(b64(part) for part in case["hashes_base64"])
            proof = receipts.Receipt(int(case["index"]), hashes, case["checkpoint"], extra)
            assert str(proof) == case["text"]
            assert receipts.parse_receipt(case["text"]) == proof
        case "refuses":
            with pytest.raises(notes.BadNote):
                receipts.parse_receipt(case["text"])
        case other:
            pytest.fail(f"unknown kind {other}")
