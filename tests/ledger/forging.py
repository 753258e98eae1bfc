"""Histories that are well formed and well hashed, and break one rule each."""

import hashlib
import json
from datetime import UTC, datetime
from uuid import UUID

from ledger.entries import asset_body, policy_body, transfer_body

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2027, 2, 1, tzinfo=UTC)
ISSUER, ADA, BOB = UUID(int=1), UUID(int=2), UUID(int=3)
DEFINITION = json.dumps({"code": "H100", "kind": "POOL", "expires_at": "2027-01-01T00:00:00+00:00"}).encode()
SERIES = hashlib.sha256(DEFINITION).digest()


def moved(kind: str, *sides: tuple[UUID, int], at: datetime = NOW, asset: bytes = SERIES) -> bytes:
    postings = [(wallet.bytes, asset, amount) for wallet, amount in sides]
    return transfer_body(kind=kind, reference="", recorded_at=at, postings=postings)


def forged_bodies() -> list[tuple[list[bytes], str]]:
    defined = asset_body(code="H100", definition=DEFINITION, issuer=ISSUER, recorded_at=NOW)
    issued = moved("ISSUE", (ISSUER, -100), (ADA, 100))
    frozen = policy_body(subject=f"wallet:{ADA}", policy=b'{"frozen":true,"may_sell":true}', recorded_at=NOW)
    allowance = policy_body(subject=f"wallet:{ADA}", policy=b'{"frozen":false,"may_sell":false}', recorded_at=NOW)
    return [
        ([defined, issued, moved("SEND", (ADA, -101), (BOB, 101))], "below zero"),
        ([defined, issued, moved("SEND", (ADA, -5), (BOB, 6))], "sum to zero"),
        ([defined, issued, moved("SEND", (BOB, 6))], "sum to zero"),
        ([defined, moved("GRANT", (ISSUER, -5), (BOB, 5))], "without being an issue"),
        ([defined, issued, moved("SEND", (ADA, -5), (BOB, 5), at=LATER)], "after it expired"),
        ([defined, issued, frozen, moved("SEND", (ADA, -5), (BOB, 5))], "frozen"),
        ([defined, issued, allowance, moved("TRADE", (ADA, -5), (BOB, 5))], "allowance"),
        ([defined, defined], "second time"),
        ([issued], "not defined"),
        ([b"nonsense"], "cannot be read"),
    ]
