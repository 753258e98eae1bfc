"""Histories that are well formed and well hashed, and break one rule each."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ledger.entries import asset_body, capacity_body, hold_body, key_body, leaf_hash, policy_body, transfer_body

NOW = datetime(2026, 11, 1, tzinfo=UTC)
EXPIRY = datetime(2027, 1, 1, tzinfo=UTC)
LATER = datetime(2027, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ISSUER, REDEEMED, EXPIRED, ADA, BOB, CY = (UUID(int=number) for number in range(1, 7))
CLUSTER, HOLD, APPROVAL = UUID(int=20), UUID(int=30), "approval:00000000-0000-4000-8000-000000000001"


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


POOL = {
    "code": "H100", "kind": "POOL", "resource_class": "h100-80gb", "version": 1,
    "starts_at": "2026-01-01T00:00:00+00:00", "expires_at": EXPIRY.isoformat(),
}  # fmt: skip
DEFINITION = canonical(POOL)
SERIES = hashlib.sha256(DEFINITION).digest()
MONEY = canonical({"code": "CREDITS", "kind": "CREDITS", "unit": "1/10000 credit", "version": 1})
CREDITS = hashlib.sha256(MONEY).digest()


@dataclass(frozen=True)
class Forgery:
    """Entries of which only the last breaks a rule, and a word of what is said of it."""

    name: str
    bodies: Sequence[bytes]
    word: str

    @property
    def position(self) -> int:
        return len(self.bodies) - 1


def moved(kind: str, *sides: tuple[UUID, int], at: datetime = NOW, asset: bytes = SERIES, reference: str = "") -> bytes:
    postings = [(wallet.bytes, asset, amount) for wallet, amount in sides]
    return transfer_body(kind=kind, reference=reference, recorded_at=at, postings=postings)


def rules(wallet: UUID | str, version: int = 1, **policy: Any) -> bytes:
    subject = f"wallet:{wallet}" if isinstance(wallet, UUID) else wallet
    return policy_body(subject=subject, policy=canonical({**policy, "version": version}), recorded_at=NOW)


def attested(gpus: int = 1, version: int = 1, cluster: UUID = CLUSTER, **others: Any) -> bytes:
    """One GPU from NOW to EXPIRY makes 61 days of GPU-seconds."""
    said = {"resource_class": "h100-80gb", "starts_at": NOW.isoformat(), "ends_at": EXPIRY.isoformat()}
    content = canonical({**said, "gpus": gpus, "version": version, **others})
    return capacity_body(subject=f"capacity:{cluster}", capacity=content, recorded_at=NOW)


def defined(definition: bytes = DEFINITION, code: str = "H100", issuer: UUID = ISSUER, at: datetime = NOW) -> bytes:
    return asset_body(code=code, definition=definition, issuer=issuer, recorded_at=at)


def placed(amount: int = 40, hold: UUID = HOLD, wallet: UUID = ADA, expires_at: datetime | None = None) -> bytes:
    sides = [(wallet.bytes, SERIES, amount)]
    return hold_body(
        action="PLACED", reference="redemption:1", recorded_at=NOW, sides=sides, hold=hold, expires_at=expires_at
    )


def resolved(
    action: str, amount: int = 40, *, captured: int | None = None, hold: UUID = HOLD, wallet: UUID = ADA,
    at: datetime = NOW,
) -> bytes:  # fmt: skip
    sides = [(wallet.bytes, SERIES, -amount)]
    return hold_body(action=action, reference="redemption:1", recorded_at=at, sides=sides, hold=hold, captured=captured)


def redeemed(amount: int) -> list[bytes]:
    """A job of Ada's: a hold, its capture, and the transfer that goes with it."""
    hold = UUID(int=32)
    capture = resolved("CAPTURED", amount, captured=amount, hold=hold)
    return [placed(amount, hold=hold), capture, moved("REDEEM", (ADA, -amount), (REDEEMED, amount))]


def ordered(*sides: tuple[UUID, int]) -> bytes:
    changes = [(wallet.bytes, SERIES, amount) for wallet, amount in sides]
    return hold_body(action="ORDERS", reference="", recorded_at=NOW, sides=changes)


def key_named(key: str, version: int) -> bytes:
    return key_body(key=canonical({"key": key, "version": version}), recorded_at=NOW)


SYSTEM = [rules(ISSUER, role="ISSUER"), rules(REDEEMED, role="REDEEMED"), rules(EXPIRED, role="EXPIRED")]
ISSUED = moved("ISSUE", (ISSUER, -100), (ADA, 100))
# Ada has 100 GPU-seconds.
BEGUN = [*SYSTEM, defined(), attested(), ISSUED]
WHOLE = 61 * 86_400


def honest_history(key: str = "") -> list[bytes]:
    """One of every kind, and no rule broken; a change of key where one is given."""
    refund = moved("REDEEM", (ADA, -30), (REDEEMED, 30))
    corrects = f"corrects:{leaf_hash(refund).hex()}"
    return [
        *BEGUN, defined(MONEY, "CREDITS"), moved("ISSUE", (ISSUER, -1000), (BOB, 1000), asset=CREDITS),
        placed(40), resolved("CAPTURED", 40, captured=30), refund,
        moved("CORRECT", (REDEEMED, -10), (ADA, 10), reference=corrects),
        ordered((ADA, 50)), ordered((ADA, -20)), moved("TRADE", (ADA, -20), (BOB, 20)),
        placed(5, hold=UUID(int=31), expires_at=NOW + HOUR), resolved("EXPIRED", 5, hold=UUID(int=31), at=NOW + HOUR),
        rules(BOB, frozen=True), rules(BOB, 2), moved("SEND", (BOB, -1), (CY, 1)),
        rules("asset:H100", paused=True), rules("asset:H100", 2),
        rules(CY, owner=str(BOB), position_limit=30), moved("GRANT", (ADA, -5), (CY, 5)),
        moved("FORCE", (CY, -1), (BOB, 1), reference=APPROVAL),
        attested(2, 2), *([key_named(key, 2)] if key else []), ordered((ADA, -30)),
        moved("EXPIRE", (BOB, -3), (EXPIRED, 3), at=LATER),
    ]  # fmt: skip


def forgeries() -> list[Forgery]:
    return [
        Forgery(name, bodies, word)
        for name, bodies, word in [*_of_value(), *_of_sides(), *_of_holds(), *_of_policies(), *_of_capacity()]
    ]


Case = tuple[str, list[bytes], str]


def _of_value() -> list[Case]:
    return [
        ("more than is there", [*BEGUN, moved("SEND", (ADA, -101), (BOB, 101))], "below zero"),
        ("sum above zero", [*BEGUN, moved("SEND", (ADA, -5), (BOB, 6))], "sum to zero"),
        ("out of nothing", [*BEGUN, moved("SEND", (BOB, 6))], "sum to zero"),
        ("nothing at all", [*BEGUN, moved("SEND")], "sum to zero"),
        ("a posting of nothing", [*BEGUN, moved("SEND", (ADA, 0), (BOB, 0))], "sum to zero"),
        ("after expiry", [*BEGUN, moved("SEND", (ADA, -5), (BOB, 5), at=LATER)], "after it expired"),
        ("at the instant of expiry", [*BEGUN, moved("SEND", (ADA, -5), (BOB, 5), at=EXPIRY)], "after it expired"),
        ("after expiry, dated back", [*BEGUN, moved("EXPIRE", (ADA, -5), (EXPIRED, 5), at=LATER),
            moved("SEND", (ADA, -5), (BOB, 5))], "more than a day before"),
        ("defined twice", [*SYSTEM, defined(), defined()], "second time"),
        ("one code twice", [*SYSTEM, defined(), defined(canonical({**POOL, "version": 2}))], "second time"),
        ("another code", [*SYSTEM, defined(code="A100")], "another code"),
        ("another's issuer", [*SYSTEM, defined(issuer=ADA)], "an issuer that is not the log's"),
        ("never worth anything", [*SYSTEM, defined(at=LATER)], "never worth anything"),
        ("not canonical", [*SYSTEM, defined(b" " + DEFINITION)], "not canonical"),
        ("not defined", [*SYSTEM, ISSUED], "not defined"),
        ("no entry", [b"nonsense"], "cannot be read"),
        ("beyond 64 bits", [*SYSTEM, defined(MONEY, "CREDITS"), *[
            moved("ISSUE", (ISSUER, -(2**62)), (ADA, 2**62), asset=CREDITS)] * 2], "64 bits"),
    ]  # fmt: skip


def _of_sides() -> list[Case]:
    corrects, sent = f"corrects:{'ab' * 32}", moved("SEND", (ADA, -5), (BOB, 5))
    return [
        ("minted by a grant", [*BEGUN, moved("GRANT", (ISSUER, -5), (BOB, 5))], "without being an issue"),
        ("minted by a correction", [*BEGUN, moved("CORRECT", (ISSUER, -5), (BOB, 5), reference=(
            f"corrects:{leaf_hash(ISSUED).hex()}"))], "without being an issue"),
        ("minted by another", [*BEGUN, moved("ISSUE", (ADA, -5), (BOB, 5))], "not its issuer"),
        ("redeemed to a friend", [*BEGUN, moved("REDEEM", (ADA, -5), (BOB, 5))], "into a wallet in circulation"),
        ("brought back from the redeemed", [*BEGUN, *redeemed(5),
            moved("SEND", (REDEEMED, -5), (BOB, 5))], "from the redeemed wallet"),
        ("expired to a friend", [*BEGUN, moved("EXPIRE", (ADA, -5), (BOB, 5), at=LATER)], "into a wallet"),
        ("expired before its time", [*BEGUN, moved("EXPIRE", (ADA, -5), (EXPIRED, 5))], "before its time"),
        ("granted to the expired", [*BEGUN, moved("GRANT", (ADA, -5), (EXPIRED, 5))], "into the expired wallet"),
        ("sent back to the issuer", [*BEGUN, moved("SEND", (ADA, -5), (ISSUER, 5))], "into the issuer wallet"),
        ("of no kind", [*BEGUN, moved("GIFT", (ADA, -5), (BOB, 5))], "unknown kind"),
        ("corrects nothing", [*BEGUN, moved("CORRECT", (ADA, -5), (BOB, 5))], "does not say of what"),
        ("corrects what never was", [*BEGUN, moved("CORRECT", (ADA, -5), (BOB, 5), reference=corrects)],
            "not in the log"),
        ("corrects a policy", [*BEGUN, moved("CORRECT", (ADA, -5), (BOB, 5), reference=(
            f"corrects:{leaf_hash(SYSTEM[1]).hex()}"))], "no transfer that can be corrected"),
        ("corrects for another", [*BEGUN, sent, moved("CORRECT", (ADA, -5), (CY, 5), reference=(
            f"corrects:{leaf_hash(sent).hex()}"))], "more than entry 6 moved"),
        ("corrects too much", [*BEGUN, sent, moved("SEND", (ADA, -9), (BOB, 9)), moved("CORRECT", (BOB, -6), (ADA, 6),
            reference=f"corrects:{leaf_hash(sent).hex()}")], "more than entry 6 moved"),
        ("corrects twice", [*BEGUN, sent, moved("SEND", (ADA, -9), (BOB, 9)), *[moved("CORRECT", (BOB, -3), (ADA, 3),
            reference=f"corrects:{leaf_hash(sent).hex()}")] * 2], "more than entry 6 moved"),
        ("forced by nobody", [*BEGUN, moved("FORCE", (ADA, -5), (BOB, 5))], "by what right"),
        ("recovered by nobody", [*BEGUN, moved("RECOVER", (ADA, -5), (BOB, 5), reference="ada:1")], "by what right"),
    ]  # fmt: skip


def _of_holds() -> list[Case]:
    due = placed(40, expires_at=NOW + HOUR)
    return [
        ("held twice over", [*BEGUN, placed(60), placed(41, hold=UUID(int=31))], "more H100 than is there"),
        ("what is held is sent", [*BEGUN, placed(60), moved("SEND", (ADA, -41), (BOB, 41))], "takes what is held"),
        ("placed twice", [*BEGUN, placed(10), placed(10)], "a second time"),
        ("placed below zero", [*BEGUN, placed(-10)], "a hold of nothing"),
        ("released twice", [*BEGUN, placed(), resolved("RELEASED"), resolved("RELEASED")], "a second time"),
        ("captured after its release", [*BEGUN, placed(), resolved("RELEASED"), resolved("CAPTURED", captured=40)],
            "a second time: it was released"),
        ("captured too much", [*BEGUN, placed(), resolved("CAPTURED", captured=41)], "captures 41"),
        ("captured nothing", [*BEGUN, placed(), resolved("CAPTURED", captured=0)], "captures 0"),
        ("captured and not moved", [*BEGUN, placed(), resolved("CAPTURED", captured=30), placed(1, hold=UUID(int=31))],
            "before what was captured of it has moved"),
        ("moved less than was captured", [*BEGUN, *redeemed(40)[:2], moved("REDEEM", (ADA, -30), (REDEEMED, 30))],
            "where 40 were captured"),
        ("redeemed without a hold", [*BEGUN, moved("REDEEM", (ADA, -5), (REDEEMED, 5))], "where 0 were captured"),
        ("released too much", [*BEGUN, placed(), placed(50, hold=UUID(int=31)), resolved("RELEASED", 50)],
            "another account or amount"),
        ("released for another", [*BEGUN, moved("SEND", (ADA, -50), (BOB, 50)), placed(),
            resolved("RELEASED", wallet=BOB)], "another account or amount"),
        ("never placed", [*BEGUN, resolved("RELEASED")], "never placed"),
        ("captured when it was over", [*BEGUN, due, resolved("CAPTURED", captured=4, at=NOW + HOUR)],
            "after it expired"),
        ("expired too soon", [*BEGUN, due, resolved("EXPIRED", at=NOW)], "before its time"),
        ("expired without an end", [*BEGUN, placed(), resolved("EXPIRED", at=LATER)], "before its time"),
        ("an order's hold of a hold", [*BEGUN, placed(), ordered((ADA, -40))], "no order held"),
        ("an order beyond what is there", [*BEGUN, ordered((ADA, 101))], "more H100 than is there"),
        ("an order of a frozen wallet", [*BEGUN, rules(ADA, frozen=True), ordered((ADA, 1))], "frozen"),
        ("a hold of a frozen wallet", [*BEGUN, rules(ADA, frozen=True), placed()], "frozen"),
    ]  # fmt: skip


def _of_policies() -> list[Case]:
    soon = (NOW + HOUR).isoformat()
    give = moved("SEND", (ADA, -5), (BOB, 5))
    return [
        ("frozen", [*BEGUN, rules(ADA, frozen=True), give], "frozen"),
        ("to a frozen wallet", [*BEGUN, rules(BOB, frozen=True), give], "frozen"),
        ("an allowance sold", [*BEGUN, rules(ADA, may_sell=False), moved("TRADE", (ADA, -5), (BOB, 5))], "allowance"),
        ("paused", [*BEGUN, rules("asset:H100", paused=True), give], "paused"),
        ("locked up", [*BEGUN, rules(ADA, locked_until=soon), give], "locked up"),
        ("a series locked up", [*BEGUN, rules("asset:H100", locked_until=soon), give], "locked up"),
        ("no receiver of Ada's", [*BEGUN, rules(ADA, receivers=[str(CY)]), give], "may not receive"),
        ("one of two is no receiver", [*BEGUN, rules(ADA, receivers=[str(CY)]),
            moved("SEND", (ADA, -5), (CY, 3), (BOB, 2))], "may not receive"),
        ("no receiver of the series", [*BEGUN, rules("asset:H100", receivers=[str(CY)]), give], "may not receive"),
        ("above the wallet's limit", [*BEGUN, rules(BOB, position_limit=4), give], "position limit"),
        ("above the limit by two wallets", [*BEGUN, rules(CY, owner=str(BOB)), rules("asset:H100", position_limit=8),
            moved("SEND", (ADA, -4), (BOB, 4)), moved("SEND", (ADA, -5), (CY, 5))], "position limit"),
        ("an edited policy", [*BEGUN, rules(ADA, 1, frozen=True), rules(ADA, 1)], "where 2 comes next"),
        ("a version left out", [*BEGUN, rules(ADA, 2, frozen=True)], "where 1 comes next"),
        ("an asset's version left out", [*BEGUN, rules("asset:H100", 3)], "where 1 comes next"),
        ("a second issuer", [*BEGUN, rules(BOB, role="ISSUER")], "role ISSUER"),
        ("a holder made the redeemed", [*SYSTEM[:1], defined(), attested(), ISSUED, rules(ADA, role="REDEEMED")],
            "settled"),
        ("a role taken away", [*BEGUN, rules(REDEEMED, 2)], "settled"),
        ("an unknown rule", [*BEGUN, rules(ADA, may_fly=True)], "unknown rule"),
        ("a rule of another type", [*BEGUN, rules(ADA, frozen="yes")], "wrong type"),
        ("a policy for nobody", [*BEGUN, rules("wallet:ada", frozen=True)], "no id"),
        ("an unknown asset's policy", [*BEGUN, rules("asset:B200", paused=True)], "not defined"),
        ("an expiry moved", [*BEGUN, rules("asset:H100", expires_at=LATER.isoformat())], "wrong type"),
        ("policies said twice", [*BEGUN, policy_body(subject=f"wallet:{ADA}", recorded_at=NOW, policy=(
            b'{"frozen":true,"frozen":false,"version":1}'))], "not canonical"),
    ]  # fmt: skip


def _of_capacity() -> list[Case]:
    whole = moved("ISSUE", (ISSUER, -(WHOLE - 100)), (BOB, WHOLE - 100))
    one = moved("ISSUE", (ISSUER, -1), (BOB, 1))
    key = "hourglass.test/log+00000000+AAAA"
    return [
        ("nothing attested", [*SYSTEM, defined(), ISSUED], "beyond its capacity"),
        ("one second too many", [*BEGUN, whole, one], "beyond its capacity: 1 GPU-seconds"),
        ("what was withdrawn", [*BEGUN, attested(0, 2), one], "beyond its capacity"),
        ("another class", [*SYSTEM, defined(), attested(resource_class="a100-40gb"), ISSUED], "beyond its capacity"),
        ("GPUs of after its expiry", [*SYSTEM, defined(), attested(starts_at=EXPIRY.isoformat(),
            ends_at=LATER.isoformat()), ISSUED], "beyond its capacity"),
        ("a version of capacity left out", [*BEGUN, attested(2, 3)], "where 2 comes next"),
        ("capacity edited", [*BEGUN, attested(2, 1)], "where 2 comes next"),
        ("capacity of another class", [*BEGUN, attested(2, 2, resource_class="a100")], "another resource class"),
        ("capacity below zero", [*BEGUN, attested(-1, 2)], "no number of GPUs"),
        ("capacity backwards", [*BEGUN, attested(1, 2, ends_at="2026-01-01T00:00:00+00:00")], "ends before"),
        ("a key of version 4", [*BEGUN, key_named(key, 4)], "where 2 comes next"),
        ("a key in use again", [*BEGUN, key_named(key, 2), key_named(key, 3)], "into use again"),
    ]  # fmt: skip
