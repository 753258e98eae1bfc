"""Two replays that know nothing of each other, on histories drawn at random: they accept the same entries.

The second is written from docs/ledger.md, so what the page leaves out would show here.
"""

import copy
import random
from collections import Counter
from typing import Any
from uuid import UUID

from ledger.entries import hold_body, leaf_hash, parse
from ledger.verifying.replay import Replay
from tests.full import count
from tests.ledger.forging import (
    ADA,
    APPROVAL,
    BOB,
    CREDITS,
    CY,
    EXPIRED,
    EXPIRY,
    HOUR,
    ISSUER,
    MONEY,
    NOW,
    POOL,
    REDEEMED,
    SERIES,
    SYSTEM,
    attested,
    canonical,
    defined,
    moved,
    rules,
)  # fmt: skip
from tests.ledger.naive_replay import History
from tests.ledger.test_verify_damaged import joined, split

WALLETS = [ADA, BOB, CY, ISSUER, REDEEMED, EXPIRED]
SECOND = canonical({**POOL, "code": "H100b", "starts_at": (NOW + HOUR).isoformat()})
TIMES = [NOW, NOW + HOUR / 2, NOW + 2 * HOUR, EXPIRY - HOUR, EXPIRY, EXPIRY + HOUR]


class Drawn:
    """Entries that are often right and often not quite."""

    def __init__(self, seed: int) -> None:
        self.what = random.Random(seed)
        self.at = 0
        self.versions: Counter[str] = Counter()

    def begin(self) -> list[bytes]:
        issued = [
            moved("ISSUE", (ISSUER, -200), (wallet, 200), asset=asset)
            for wallet in (ADA, BOB, CY)
            for asset in (SERIES, CREDITS)
        ]
        return [*SYSTEM, defined(), defined(SECOND, "H100b"), defined(MONEY, "CREDITS"), attested(1), *issued]

    def next(self, accepted: list[bytes]) -> bytes:
        if self.what.random() < 0.05 and self.at < len(TIMES) - 1:
            self.at += 1
        draw = self.what.choice(
            [self._move] * 8 + [self._hold] * 7 + [self._rules] * 2 + [self._capacity, self._correct]
        )
        return self._when(draw(accepted))

    def _when(self, body: bytes) -> bytes:
        fields = split(body)
        at = TIMES[max(0, self.at - (self.what.random() < 0.05))]
        fields[2] = split(hold_body(action="ORDERS", reference="", recorded_at=at, sides=[]))[2]
        return joined(fields)

    def _wallet(self) -> UUID:
        return self.what.choice(WALLETS[:3] if self.what.random() < 0.9 else WALLETS)

    def _amount(self) -> int:
        return self.what.choice([1, 1, 5, 5, 20, 60, 5_000_000])

    def _asset(self) -> bytes:
        return self.what.choice([SERIES, SERIES, SERIES, parse_identity(SECOND), CREDITS])

    def _move(self, accepted: list[bytes]) -> bytes:
        kind = self.what.choice(["ISSUE", "ISSUE", "SEND", "GRANT", "TRADE", "REDEEM", "EXPIRE", "FORCE", "RECOVER"])
        giver = ISSUER if kind == "ISSUE" and self.what.random() < 0.95 else self._wallet()
        receiver = {"REDEEM": REDEEMED, "EXPIRE": EXPIRED}.get(kind, self._wallet())
        amount = self._amount()
        last = parse(accepted[-1])
        if last.action == "CAPTURED" and self.what.random() < 0.9:
            side = last.postings[0]
            return moved(
                "REDEEM", (UUID(bytes=side.wallet), -last.captured), (REDEEMED, last.captured), asset=side.asset
            )
        reference = APPROVAL if kind in {"FORCE", "RECOVER"} and self.what.random() < 0.8 else ""
        sides = [(giver, -amount), (receiver, amount + (self.what.random() < 0.03))]
        if self.what.random() < 0.2:
            sides = [(giver, -amount - 1), (receiver, amount), (self._wallet(), 1)]
        if giver == receiver:
            return self._move(accepted)
        return moved(kind, *sides, asset=self._asset(), reference=reference)

    def _hold(self, accepted: list[bytes]) -> bytes:
        holds = [parsed for parsed in map(parse, accepted) if parsed.action == "PLACED"]
        action = self.what.choice(
            ["PLACED", "PLACED", "CAPTURED", "CAPTURED", "RELEASED", "EXPIRED", "ORDERS", "ORDERS"]
        )
        named: dict[str, Any] = {"hold": UUID(int=self.what.randrange(100, 140))}
        sides = [(self._wallet().bytes, self._asset(), self._amount())]
        if action == "ORDERS":
            named = {}
            sides = [(wallet, asset, self.what.choice([amount, -amount])) for wallet, asset, amount in sides]
        elif action == "PLACED":
            named["expires_at"] = self.what.choice([None, None, TIMES[min(self.at + 1, len(TIMES) - 1)]])
        elif holds:
            hold = self.what.choice(holds[-4:])
            side = hold.postings[0]
            named["hold"] = UUID(bytes=hold.hold)
            sides = [(side.wallet, side.asset, -side.amount - (self.what.random() < 0.05))]
        if action == "CAPTURED":
            named["captured"] = self.what.choice([0, 1, abs(sides[0][2]), abs(sides[0][2]), abs(sides[0][2]) + 1])
        return hold_body(action=action, reference="x", recorded_at=NOW, sides=sides, **named)

    def _rules(self, accepted: list[bytes]) -> bytes:
        wallet, some = self._wallet(), [str(wallet) for wallet in (ADA, BOB)]
        until = self.what.choice(TIMES).isoformat()
        changes = self.what.choice([
            {}, {}, {}, {}, {}, {"frozen": True}, {"may_sell": False}, {"locked_until": until}, {"receivers": some},
            {"position_limit": 60}, {"unlimited": True}, {"owner": str(ADA)}, {"role": "FEES"}, {"role": "ISSUER"},
        ])  # fmt: skip
        subject = f"wallet:{wallet}"
        if self.what.random() < 0.3:
            subject = self.what.choice(["asset:H100", "asset:H100b", "asset:none"])
            changes = self.what.choice([
                {}, {}, {}, {"paused": True}, {"locked_until": until}, {"receivers": some}, {"position_limit": 90},
            ])  # fmt: skip
        known = sum(parsed.reference == subject for parsed in map(parse, accepted))
        return rules(subject, known + 1 + (self.what.random() < 0.05), **changes)

    def _capacity(self, accepted: list[bytes]) -> bytes:
        cluster = UUID(int=self.what.choice([20, 21]))
        known = sum(parsed.reference == f"capacity:{cluster}" for parsed in map(parse, accepted))
        starts_at, ends_at = sorted(self.what.sample(TIMES, 2))
        return attested(
            self.what.choice([0, 1, 2]),
            known + 1,
            cluster,
            starts_at=starts_at.isoformat(),
            ends_at=ends_at.isoformat(),
        )

    def _correct(self, accepted: list[bytes]) -> bytes:
        body = self.what.choice(accepted)
        sides = [(UUID(bytes=side.wallet), -side.amount) for side in parse(body).postings]
        if len(sides) == 2 and self.what.random() < 0.5:
            sides = [(wallet, (1 if amount > 0 else -1)) for wallet, amount in sides]
        asset = parse(body).postings[0].asset if sides else SERIES
        return moved("CORRECT", *sides, asset=asset, reference=f"corrects:{leaf_hash(body).hex()}")


def parse_identity(definition: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(definition).digest()


def test_two_replays_accept_the_same_entries():
    histories, steps = count(300), Counter[str]()
    for seed in range(histories):
        drawn, naive, replay, accepted = Drawn(seed), History(), Replay(), []
        for body in drawn.begin():
            assert naive.accepts(body)
            assert replay.apply(body) is None
            accepted.append(body)
        for step in range(60):
            body = drawn.next(accepted)
            # After a fault the first replay's books are worth nothing: it tries on a copy.
            tried = copy.deepcopy(replay)
            fault = tried.apply(body)
            assert naive.accepts(body) == (fault is None), (seed, step, fault, parse(body))
            steps["refused" if fault else parse(body).transfer_kind or parse(body).action or parse(body).kind] += 1
            if fault is None:
                replay = tried
                accepted.append(body)
    print(f"{histories} histories, {steps.total()} entries: {dict(steps.most_common())}")

    assert steps.keys() >= {
        "refused", "ISSUE", "SEND", "GRANT", "TRADE", "REDEEM", "EXPIRE", "FORCE", "RECOVER", "CORRECT", "PLACED",
        "CAPTURED", "RELEASED", "EXPIRED", "ORDERS", "POLICY", "CAPACITY",
    }  # fmt: skip
    assert steps["refused"] < steps.total() * 0.8
