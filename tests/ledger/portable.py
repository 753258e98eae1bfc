"""Runs TigerBeetle's cases, as they were made portable, through the ledger's door.

Which choice this ledger made where a case says there is one (`tags`):
- failed_id: a key whose attempt was refused may be used again; such rows are left out.
- zero_amount: a transfer of nothing is refused (left out); a capture of nothing is a release, with the same balances.
- release_amount: a release names no amount; such rows are left out.
- asset_on_transfer: a transfer names its asset. An unknown asset, a missing one, or one in which nobody has a wallet,
  is refused; where the case names another asset under a known key, the conflict is in the asset.
- overflow: balances are net, of up to 63 bits; rows about gross totals are left out.
- account_chain, exists_breaks_chain: accounts are opened one by one; rows of chains that are refused are left out.
Accounts without may_not_go_negative are given what they spend beforehand, by an issue of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ledger.door.book import MAX_AMOUNT
from ledger.door.posting import post_batch
from ledger.door.requests import ISSUER, Answer, NewCapture, NewHold, NewRelease, NewTransfer, Request
from ledger.history import GIVES, RECEIVES, account_history
from ledger.models import Account, Asset, Hold, IdempotencyKey, Wallet
from tests.clock import put_clock_ahead
from tests.ledger.builders import some_series, some_wallet, the_credits

SKIPPED_TAGS = {"failed_id", "release_amount", "overflow"}
PLENTY = 10**12
Step = dict[str, Any]

REASONS = {
    "insufficient funds": {"not_enough"},
    "hold unknown": {"hold_unknown"},
    "hold already captured": {"hold_already_captured"},
    "hold already released": {"hold_already_released"},
    "hold expired": {"hold_expired"},
    "more than the hold": {"hold_exceeded"},
    "another row of the chain failed": {"chain_failed"},
    "debit account unknown": {"wallet_unknown", "asset_unknown"},
    "credit account unknown": {"wallet_unknown", "asset_unknown"},
    "no asset named": {"asset_unknown"},
    "debit and credit account are the same": {"same_wallet"},
}
FIELDS = {"debit_account": "from_wallet", "credit_account": "to_wallet", "memo": "reference"}


@dataclass
class Portable:
    """One case at work: its names and what they stand for here."""

    name: str
    wallets: dict[str, Wallet] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)  # asset and memo, as opened
    bounded: set[str] = field(default_factory=set)
    answers: dict[str, Answer] = field(default_factory=dict)
    opening: dict[str, list[int]] = field(default_factory=dict)  # given and received before the case
    placed: dict[str, Any] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    waited: int = 0
    checked: int = 0
    skipped: int = 0

    def run(self, steps: list[Step]) -> None:
        for step in steps:
            if step["op"] == "setup":
                self._open(step["account"])
        for group in batches(steps):
            if group[0]["op"] in REQUESTS:
                self._request(group)
            else:
                getattr(self, f"_{group[0]['op']}")(group[0])

    def _account(self, step: Step) -> None:
        """Accounts open when first used; that two requests for one differ is seen by what was opened."""
        if {"account_chain", "exists_breaks_chain"} & set(step.get("tags", [])) and step["expect"] != "created":
            self.skipped += 1
            return
        asked = (step["asset"], step.get("memo", ""))
        known = self.accounts.get(step["id"])
        if known is None:
            self.accounts[step["id"]] = asked
            if step.get("may_not_go_negative"):
                self.bounded.add(step["id"])
            found = "created"
        else:
            same = [name for name, ours, theirs in zip(("asset", "memo"), asked, known, strict=True) if ours != theirs]
            found = f"conflict({same[0]})" if same else "exists"
        assert found == step["expect"]
        self._wallet(step["id"])
        self._asset(step["asset"])
        self.checked += 1

    def _setup(self, step: Step) -> None:
        """Net balances by an issue; what is pending by holds against a wallet outside the case."""
        account = step["account"]
        given, received = _amount(step["debits_posted"]), _amount(step["credits_posted"])
        if account in self.bounded:
            self._issue(account, received - given)
        else:
            self._open(account)
        self.opening[account] = [given, received]
        outside = some_wallet(f"outside {self.name}")
        asset = self._asset(self.accounts[account][0])
        for name, gives in (("debits_pending", True), ("credits_pending", False)):
            amount = _amount(step[name])
            if not amount:
                continue
            if not gives:
                self._issue_to(outside, asset, amount)
            giver, receiver = (self._wallet(account), outside) if gives else (outside, self._wallet(account))
            row = NewHold(asset_id=asset.id, wallet_id=giver.id, to_wallet_id=receiver.id, amount=amount)
            assert post_batch([row])[0].status == "CREATED"

    def _request(self, group: list[Step]) -> None:
        steps = [step for step in group if not self._is_left_out(step)]
        self.skipped += len(group) - len(steps)
        self.left_out |= {step["id"] for step in group if step not in steps and step["expect"] == "created"}
        for step in steps:
            if step["op"] in {"transfer", "hold"}:
                self._fund(step["debit_account"], _amount(step["amount"]) if step["expect"] == "created" else 0)
        answers = post_batch([self._row(step) for step in steps]) if steps else []
        for step, answer in zip(steps, answers, strict=True):
            self._check(step, answer)

    def _is_left_out(self, step: Step) -> bool:
        of_nothing = step["op"] in {"transfer", "hold"} and step["amount"] == "0"
        return of_nothing or bool(SKIPPED_TAGS & set(step.get("tags", [])))

    def _row(self, step: Step) -> Request:
        shared = {
            "scope": self.name, "key": step["id"], "reference": _memo(step),
            "chain": step.get("chain"),
        }  # fmt: skip
        match step["op"]:
            case "transfer":
                return NewTransfer(
                    kind="SEND", asset_id=self._asset_of(step), from_wallet_id=self._wallet_id(step["debit_account"]),
                    to_wallet_id=self._wallet_id(step["credit_account"]), amount=_amount(step["amount"]), **shared,
                )  # fmt: skip
            case "hold":
                timeout = step.get("timeout_seconds")
                row = NewHold(
                    asset_id=self._asset_of(step), wallet_id=self._wallet_id(step["debit_account"]),
                    to_wallet_id=self._wallet_id(step["credit_account"]), amount=_amount(step["amount"]),
                    timeout=None if timeout is None else timedelta(seconds=timeout), **shared,
                )  # fmt: skip
                self.placed.setdefault(step["id"], row.hold)
                return row
            case "capture":
                amount = None if step["amount"] == "all" else _amount(step["amount"])
                return NewCapture(hold=self._hold(step["hold"]), amount=amount, **shared)
        return NewRelease(hold=self._hold(step["hold"]), **shared)

    def _check(self, step: Step, answer: Answer) -> None:
        expect = step["expect"]
        self.checked += 1
        if expect == "created":
            assert answer.status == "CREATED", (step, answer)
            self.answers[step["id"]] = answer
        elif expect == "exists":
            first = self.answers[step["id"]]
            assert (answer.status, answer.entry_id) == ("EXISTS", first.entry_id), (step, answer)
        elif expect.startswith("conflict"):
            wanted = {_inside(expect), *step.get("also_differs", [])}
            assert answer.status == "CONFLICT", (step, answer)
            assert answer.field in {FIELDS.get(name, name) for name in wanted}, (step, answer)
        else:
            reasons = [_inside(expect), *step.get("also_true", [])]
            codes = set().union(*(REASONS.get(reason, set()) for reason in reasons))
            assert answer.status == "REFUSED", (step, answer)
            # A reason that has no counterpart here is a refusal of another kind; the class is what counts.
            assert not codes or answer.code in codes, (step, answer)

    def _wait(self, step: Step) -> None:
        self.waited += step["seconds"]
        put_clock_ahead(timedelta(seconds=self.waited))

    def _balances(self, step: Step) -> None:
        self.checked += 1
        account = step["account"]
        if step.get("exists") is False:
            assert account not in self.accounts
            return
        held, promised = self._pending(self._account_row(account))
        given, received = self._gross(account)
        found = self._account_row(account)
        assert (held, given, promised, received) == tuple(
            _amount(step[name])
            for name in ("debits_pending", "debits_posted", "credits_pending", "credits_posted")
        ), step  # fmt: skip
        if found is not None:
            assert found.held == held

    def _lookup(self, step: Step) -> None:
        key = IdempotencyKey.objects.filter(scope=self.name, key=step["id"]).first()
        if step["id"] in self.left_out:
            self.skipped += 1
            return
        self.checked += 1
        assert (key is not None) == step.get("exists", True), step
        if "amount" in step:
            assert self._moved(step["id"]) == _amount(step["amount"])

    def _history(self, step: Step) -> None:
        if {step.get("from"), step.get("to")} & self.left_out:
            self.skipped += 1
            return
        self.checked += 1
        found = self._account_row(step["account"])
        sides = [{"debits": GIVES, "credits": RECEIVES}[side] for side in step["sides"]]
        ours = {a.entry_id: name for name, a in self.answers.items()}
        bounds = {
            "first": self.answers[step["from"]].entry_id if "from" in step else min(ours, default=0),
            "last": self.answers[step["to"]].entry_id if "to" in step else None,
        }
        # A capture writes two entries, of which the transfer's is the one that is named here.
        lines = account_history(
            found.id if found else 0, sides=sides, limit=1000, newest_first=step["newest_first"], **bounds
        )
        lines = [line for line in lines if line.entry_id in ours][: step["limit"]]
        named = {e["id"] if isinstance(e, dict) else e for e in step["expect"]}
        assert named <= self.answers.keys() | self.left_out
        expected = [e for e in step["expect"] if (e["id"] if isinstance(e, dict) else e) not in self.left_out]
        assert [ours[line.entry_id] for line in lines] == [e["id"] if isinstance(e, dict) else e for e in expected]
        for line, wanted in zip(lines, expected, strict=True):
            if isinstance(wanted, dict):
                before = self.opening.get(step["account"], [0, 0])
                stated = (line.held_after, line.given_until + before[0], line.promised_after, line.received_until)
                opened = self._opened(step["account"])
                assert (*stated[:3], stated[3] - opened + before[1]) == tuple(
                    _amount(wanted[name])
                    for name in ("debits_pending", "debits_posted", "credits_pending", "credits_posted")
                ), (step, line)  # fmt: skip

    def _gross(self, account: str) -> tuple[int, int]:
        """Given and received since the case began, and before it by its setup."""
        found = self._account_row(account)
        lines = account_history(found.id, limit=1, sides=[GIVES, RECEIVES]) if found else []
        before = self.opening.get(account, [0, 0])
        if not lines:
            return before[0], before[1]
        return lines[0].given_until + before[0], lines[0].received_until - self._opened(account) + before[1]

    def _pending(self, account: Account | None) -> tuple[int, int]:
        if account is None:
            return 0, 0
        now = timezone.now() + timedelta(seconds=self.waited)
        # TigerBeetle gives a hold back the moment its time is over; here that is expire_holds' task, so it is due.
        from ledger.holds import expire_holds

        expire_holds()
        held = Hold.objects.filter(status="OPEN").exclude(expires_at__lte=now)
        return (
            sum(held.filter(account=account).values_list("amount", flat=True)),
            sum(held.filter(to_account=account).values_list("amount", flat=True)),
        )

    def _moved(self, name: str) -> int:
        answer = self.answers[name]
        if answer.entry is not None and answer.entry.postings:
            return max(amount for _, amount in answer.entry.postings)
        assert answer.hold is not None
        return answer.hold.amount if answer.hold.placed is answer.entry else answer.hold.captured

    def _hold(self, name: str) -> Any:
        from uuid import uuid4

        return self.placed.setdefault(name, uuid4())

    def _wallet(self, name: str) -> Wallet:
        if name not in self.wallets:
            self.wallets[name] = some_wallet(name)
        return self.wallets[name]

    def _wallet_id(self, name: str) -> int:
        return self.wallets[name].id if name in self.wallets else 10**9 + int(name[1:])

    def _asset(self, name: str) -> Asset:
        if name not in self.assets:
            # Credits need no capacity: a case may move the greatest amount there is.
            self.assets[name] = some_series(f"{name}-SERIES") if self.assets else the_credits()
        return self.assets[name]

    def _asset_of(self, step: Step) -> int:
        if "asset" in step:
            named = step["asset"]
            return 10**9 if named is None else self.assets[named].id if named in self.assets else 10**9 + 1
        known = [
            self.accounts[step[side]][0] for side in ("debit_account", "credit_account") if step[side] in self.accounts
        ]
        # Accounts of two assets cannot be named here: a transfer names one asset, and this one is unknown.
        return self._asset(known[0]).id if len(set(known)) == 1 else 10**9

    def _account_row(self, name: str) -> Account | None:
        if name not in self.accounts:
            return None
        asset = self._asset(self.accounts[name][0])
        return Account.objects.filter(wallet=self._wallet(name), asset=asset).first()

    def _fund(self, account: str, amount: int) -> None:
        if account in self.bounded or account not in self.accounts:
            return
        self._open(account)
        if amount > PLENTY // 1000:
            self._issue(account, amount)

    def _open(self, account: str) -> None:
        if account in self.accounts and account not in self.bounded and not self._opened(account):
            self._issue(account, PLENTY)

    def _issue(self, account: str, amount: int) -> None:
        if amount:
            self._issue_to(self._wallet(account), self._asset(self.accounts[account][0]), amount)

    def _issue_to(self, wallet: Wallet, asset: Asset, amount: int) -> None:
        row = NewTransfer(kind="ISSUE", asset_id=asset.id, from_wallet_id=ISSUER, to_wallet_id=wallet.id, amount=amount)
        answer = post_batch([row])[0]
        assert answer.status == "CREATED", answer
        self._openings[wallet.id] = self._openings.get(wallet.id, 0) + amount

    def _opened(self, account: str) -> int:
        return self._openings.get(self._wallet(account).id, 0)

    def __post_init__(self) -> None:
        self._openings: dict[int, int] = {}


REQUESTS = {"transfer", "hold", "capture", "release"}


def batches(steps: list[Step]) -> Iterator[list[Step]]:
    """Requests of one batch number together, everything else by itself."""
    group: list[Step] = []
    for step in steps:
        if group and (step["op"] not in REQUESTS or step.get("batch") != group[0].get("batch")):
            yield group
            group = []
        if step["op"] in REQUESTS:
            group.append(step)
        else:
            yield [step]
    if group:
        yield group


def _amount(text: str) -> int:
    if text.startswith("MAX"):
        return MAX_AMOUNT - int(text[4:] or "0")
    return int(text)


def _memo(step: Step) -> str:
    return str(step.get("memo", ""))


def _inside(expect: str) -> str:
    return expect.split("(", 1)[1].rstrip(")")
