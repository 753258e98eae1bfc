"""Deciding a batch, row by row, over balances in memory (TigerBeetle's rules). Pure: no database, no clock.

A refused row changes nothing and spoils nobody else's. Rows of one chain stand or fall together.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from ledger.door.book import MAX_BALANCE, AccountState, AssetState, Book, Undo
from ledger.door.contents import LONGEST_REFERENCE, Content, content_of, first_difference, is_key, read_content
from ledger.door.legs import Legs, Refused, checked, net
from ledger.door.requests import (
    CONFLICT,
    CREATED,
    EXISTS,
    REFUSED,
    Answer,
    HoldState,
    NewCapture,
    NewHold,
    NewRelease,
    NewTransfer,
    PlannedEntry,
    Request,
)
from ledger.entries import TransferBodies, hold_body, leaf_hash, pack_side
from ledger.governance import rules


class Batch:
    """A batch being decided: the book as the rows so far leave it, and what is to be written."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.entries: list[PlannedEntry] = []
        self.placed: list[HoldState] = []
        self.resolved: list[HoldState] = []
        self.keys: dict[tuple[str, str], tuple[Content, Answer]] = {}
        # How to take back what the chain at hand did; None outside chains.
        self._undo: list[Undo] | None = None
        self._bodies = TransferBodies(book.now)
        # Verdicts of policies that hang on neither the other side nor a position, by kind, asset, rules and direction.
        self._verdicts: dict[tuple[str, int, int, bool], str | None] = {}

    def decide(self, rows: Sequence[Request]) -> list[Answer]:
        answers: list[Answer] = []
        seen: set[int] = set()
        for chain, group in groupby(rows, key=lambda row: row.chain):
            if chain is None:
                answers.extend(map(self._answer, group))
                continue
            assert chain not in seen, "the rows of a chain follow each other"
            seen.add(chain)
            answers.extend(self._answer_chain(list(group)))
        return answers

    def _answer_chain(self, rows: Sequence[Request]) -> list[Answer]:
        """All or nothing. A chain asked for again as a whole answers as it did; one that is half known fails."""
        self._undo = []
        answers: list[Answer] = []
        for row in rows:
            answers.append(self._answer(row))
            if not answers[-1].is_done:
                break
        undo, self._undo = self._undo, None
        if len(answers) == len(rows) and len({answer.status for answer in answers}) == 1 and answers[0].is_done:
            return answers
        for take_back in reversed(undo):
            take_back()
        failed = [a if a.status not in {CREATED} else Answer(REFUSED, "chain_failed") for a in answers]
        return failed + [Answer(REFUSED, "chain_failed") for _ in rows[len(answers) :]]

    def _answer(self, row: Request) -> Answer:
        try:
            if not row.reference.isprintable() or len(row.reference) > LONGEST_REFERENCE:
                raise Refused("bad_reference", "reference")
            if not row.scope and not row.key:
                return self._make(row)
            if not is_key(row.scope, row.key):
                raise Refused("bad_key", "key")
            hold = self.book.holds.get(row.hold) if isinstance(row, NewCapture | NewRelease) else None
            content = content_of(row, self.book.issuer_id, hold)
            known = self._known(row, content)
            if known is not None:
                return known
            answer = self._make(row)
        except Refused as refused:
            return refused.answer
        name = (row.scope, row.key)
        self.keys[name] = (content, answer)
        if self._undo is not None:
            self._undo.append(lambda: self.keys.pop(name, None) and None)
        return answer

    def _known(self, row: Request, content: Content) -> Answer | None:
        """The answer to a key that was used before, in this batch or ever."""
        name = (row.scope, row.key)
        if name in self.keys:
            theirs, first = self.keys[name]
            field = first_difference(theirs, content)
            known = Answer(EXISTS, entry=first.entry, hold=first.hold)
        elif name in self.book.keys:
            key = self.book.keys[name]
            field = first_difference(read_content(key.content), content)
            known = Answer(EXISTS, known_entry_id=key.entry_id, known_hold_id=key.hold_id)
        else:
            return None
        return known if field is None else Answer(CONFLICT, "idempotency_conflict", field)

    def _make(self, row: Request) -> Answer:
        match row:
            case NewTransfer():
                return self._transfer(row)
            case NewHold():
                return self._place(row)
            case NewCapture():
                return self._capture(row)
            case NewRelease():
                return self._release(row)
        legs = net([(self.book.accounts[move.account_id], move.amount) for move in row.moves])
        return Answer(CREATED, entry=self._post(row.kind, row.reference, legs))

    def _transfer(self, row: NewTransfer) -> Answer:
        amount, kind = checked(row.amount), row.kind
        giver = self._account(row.from_wallet_id, row.asset_id, "from_wallet")
        receiver = self._account(row.to_wallet_id, row.asset_id, "to_wallet")
        if giver is receiver:
            raise Refused("same_wallet", "to_wallet")
        legs = ((giver, -amount), (receiver, amount))
        self._check_policy(kind, giver, -amount, receiver, legs)
        self._check_policy(kind, receiver, amount, giver, legs)
        if giver.balance - amount < giver.held and not giver.may_go_negative:
            raise Refused("not_enough", "amount")
        if giver.balance - amount < -MAX_BALANCE or receiver.balance + amount > MAX_BALANCE:
            raise Refused("overflow", "amount")
        if kind == "ISSUE":
            self._check_supply(legs)
        return Answer(CREATED, entry=self._write(kind, row.reference, legs))

    def _place(self, row: NewHold) -> Answer:
        amount, now = checked(row.amount), self.book.now
        account = self._account(row.wallet_id, row.asset_id, "from_wallet")
        target = None if row.to_wallet_id is None else self._account(row.to_wallet_id, row.asset_id, "to_wallet")
        if target is account:
            raise Refused("same_wallet", "to_wallet")
        asset = self.book.assets[row.asset_id]
        # A hold is the holder's own act, whatever it is captured for later.
        code = rules.refusal("HOLD", asset.rules, account.rules, gives=True, now=now, wallet_id=account.tag)
        if code is not None:
            raise Refused(code, about=asset.code)
        if account.available < amount:
            raise Refused("not_enough", "amount")
        if row.hold in self.book.holds:
            raise Refused("hold_known", "hold")
        expires_at = row.expires_at if row.timeout is None else now + row.timeout
        hold = HoldState(
            0, row.hold, account.id, target.id if target else None, amount, row.reference, "OPEN", expires_at
        )
        hold.placed = self._log_hold("PLACED", hold, hold.reference, account, amount, expires_at=expires_at)
        self._change(account, 0, amount)
        self.placed.append(hold)
        self.book.holds[hold.name] = hold
        if self._undo is not None:
            self._undo.append(lambda: self._forget(hold))
        return Answer(CREATED, entry=hold.placed, hold=hold)

    def _capture(self, row: NewCapture) -> Answer:
        hold = self._hold(row.hold)
        taken = hold.amount if row.amount is None else row.amount
        if isinstance(taken, bool) or not isinstance(taken, int) or taken < 0:
            raise Refused("bad_amount", "amount")
        if taken > hold.amount:
            raise Refused("hold_exceeded", "amount")
        self._check_open(hold)
        if not taken:
            return self._give_back(hold, row.reference, "RELEASED")
        target_id = hold.to_account_id if row.to_account_id is None else row.to_account_id
        if target_id is None:
            raise Refused("no_receiver", "to_wallet")
        account, target = self.book.accounts[hold.account_id], self.book.accounts[target_id]
        if account is target:
            raise Refused("same_wallet", "to_wallet")
        reference = row.reference or hold.reference
        legs = ((account, -taken), (target, taken))
        # Of what is held, so that there is enough; but not everybody may be given everything.
        self._check_legs(row.kind, legs, freed=hold.amount)
        hold.resolved = self._log_hold("CAPTURED", hold, reference, account, -hold.amount, captured=taken)
        self._resolve(hold, "CAPTURED", taken)
        self._change(account, 0, -hold.amount)
        return Answer(CREATED, entry=self._write(row.kind, reference, legs), hold=hold)

    def _release(self, row: NewRelease) -> Answer:
        hold = self._hold(row.hold)
        if row.expires:
            if hold.status != "OPEN" or not self._is_due(hold):
                raise Refused("hold_not_due", "hold")
            return self._give_back(hold, row.reference, "EXPIRED")
        self._check_open(hold)
        return self._give_back(hold, row.reference, "RELEASED")

    def _give_back(self, hold: HoldState, reference: str, status: str) -> Answer:
        account = self.book.accounts[hold.account_id]
        hold.resolved = self._log_hold(status, hold, reference or hold.reference, account, -hold.amount)
        self._resolve(hold, status, 0)
        self._change(account, 0, -hold.amount)
        return Answer(CREATED, entry=hold.resolved, hold=hold)

    def _post(self, kind: str, reference: str, legs: Legs) -> PlannedEntry:
        self._check_legs(kind, legs)
        return self._write(kind, reference, legs)

    def _check_legs(self, kind: str, legs: Legs, *, freed: int = 0) -> None:
        """Refuse by policy, then for want of funds; `freed` is what a capture gives back to the first leg's account."""
        for account, amount in legs:
            others = [leg for leg, _ in legs if leg.asset_id == account.asset_id and leg is not account]
            self._check_policy(kind, account, amount, others[0] if len(others) == 1 else None, legs)
        left: dict[int, int] = {}
        for account, amount in legs:
            left[account.id] = left.get(account.id, account.balance) + amount
        if freed:
            left[legs[0][0].id] += freed
        for account, amount in legs:
            if amount < 0 and not account.may_go_negative and left[account.id] < account.held:
                raise Refused("not_enough", "amount")
            if not -MAX_BALANCE <= left[account.id] <= MAX_BALANCE:
                raise Refused("overflow", "amount")
        if kind == "ISSUE":
            self._check_supply(legs)

    def _check_policy(
        self, kind: str, account: AccountState, amount: int, other: AccountState | None, legs: Legs
    ) -> None:
        asset = self.book.assets[account.asset_id]
        plain = not self.book.positions and account.rules.receivers is None and asset.rules.receivers is None
        name = (kind, asset.id, id(account.rules), amount < 0)
        if plain and name in self._verdicts:
            code = self._verdicts[name]
        else:
            code = rules.refusal(
                kind,
                asset.rules,
                account.rules,
                gives=amount < 0,
                now=self.book.now,
                wallet_id=account.tag,
                other=None if other is None else other.tag,
                position=self._position(account, legs) if amount > 0 else None,
            )
            if plain:
                self._verdicts[name] = code
        if code is not None:
            raise Refused(code, "amount" if code == "position_limit" else None, about=asset.code)

    def _position(self, account: AccountState, legs: Legs) -> int | None:
        """What the beneficial owner would have afterwards, where anybody asks."""
        has = self.book.positions.get((account.owner_id, account.asset_id))
        if has is None:
            return None
        owner, asset = account.owner_id, account.asset_id
        return has + sum(change for leg, change in legs if leg.owner_id == owner and leg.asset_id == asset)

    def _check_supply(self, legs: Legs) -> None:
        for account, amount in legs:
            asset = self.book.assets[account.asset_id]
            supply = self.book.supplies.get(asset.resource_class)
            if amount > 0 and supply is not None and not supply.can_issue(asset.id, amount, self.book.now):
                raise Refused("not_deliverable", "amount", about=asset.code)

    def _write(self, kind: str, reference: str, legs: Legs) -> PlannedEntry:
        assets = self.book.assets
        sides = b"".join([pack_side(account.tag, assets[account.asset_id].tag, amount) for account, amount in legs])
        body = self._bodies.body(kind, reference, sides)
        plain = self._undo is None and not self.book.positions
        for account, amount in legs:
            if plain:
                account.balance += amount
            else:
                self._change(account, amount, 0)
            if kind == "ISSUE" and amount > 0:
                self._issue(assets[account.asset_id], amount)
        postings = [(account.id, amount) for account, amount in legs]
        return self._log(PlannedEntry("TRANSFER", kind, reference, body, leaf_hash(body), postings, self.book.now))

    def _log_hold(
        self,
        action: str,
        hold: HoldState,
        reference: str,
        account: AccountState,
        change: int,
        *,
        expires_at: datetime | None = None,
        captured: int | None = None,
    ) -> PlannedEntry:
        now = self.book.now
        body = hold_body(
            action=action,
            reference=reference,
            recorded_at=now,
            sides=[(account.tag, self.book.assets[account.asset_id].tag, change)],
            hold=hold.name,
            expires_at=expires_at,
            captured=captured,
        )
        return self._log(PlannedEntry("HOLD", None, reference, body, leaf_hash(body), (), now))

    def _log(self, entry: PlannedEntry) -> PlannedEntry:
        self.entries.append(entry)
        if self._undo is not None:
            self._undo.append(lambda: self.entries.remove(entry))
        return entry

    def _change(self, account: AccountState, balance: int, held: int) -> None:
        self._apply(account, balance, held)
        if self._undo is not None:
            self._undo.append(lambda: self._apply(account, -balance, -held))

    def _apply(self, account: AccountState, balance: int, held: int) -> None:
        account.balance += balance
        account.held += held
        if balance and self.book.positions:
            owned = (account.owner_id, account.asset_id)
            if owned in self.book.positions:
                self.book.positions[owned] += balance

    def _issue(self, asset: AssetState, amount: int) -> None:
        supply = self.book.supplies.get(asset.resource_class)
        if supply is None:
            return
        supply.issue(asset.id, amount)
        if self._undo is not None:
            self._undo.append(lambda: supply.issue(asset.id, -amount))

    def _resolve(self, hold: HoldState, status: str, captured: int) -> None:
        hold.status, hold.captured = status, captured
        if hold.id:
            self.resolved.append(hold)
        if self._undo is not None:
            self._undo.append(lambda: self._reopen(hold))

    def _reopen(self, hold: HoldState) -> None:
        hold.status, hold.captured, hold.resolved = "OPEN", 0, None
        if hold.id:
            self.resolved.remove(hold)

    def _forget(self, hold: HoldState) -> None:
        self.placed.remove(hold)
        del self.book.holds[hold.name]

    def _account(self, wallet_id: int, asset_id: int, field: str) -> AccountState:
        account = self.book.by_pair.get((wallet_id, asset_id))
        if account is not None:
            return account
        if asset_id not in self.book.assets:
            raise Refused("asset_unknown", "asset")
        raise Refused("wallet_unknown", field)

    def _hold(self, name: object) -> HoldState:
        hold = self.book.holds.get(name)  # type: ignore[call-overload]
        if hold is None:
            raise Refused("hold_unknown", "hold")
        return hold  # type: ignore[no-any-return]

    def _check_open(self, hold: HoldState) -> None:
        if hold.status != "OPEN":
            raise Refused(f"hold_already_{hold.status.lower()}" if hold.status != "EXPIRED" else "hold_expired", "hold")
        if self._is_due(hold):
            raise Refused("hold_expired", "hold")

    def _is_due(self, hold: HoldState) -> bool:
        """A hold's time is over once its end is reached, that instant included, whether or not anybody noticed."""
        return hold.expires_at is not None and hold.expires_at <= self.book.now
