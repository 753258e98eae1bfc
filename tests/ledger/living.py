"""A small ledger that lives at random: whatever the site lets happen, in a seeded order. What is refused is refused."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from ledger.clock import database_now
from ledger.errors import Refusal
from ledger.governance.expiry import expire_balances, series_to_sweep
from ledger.governance.governing import change_asset_policy, change_wallet_policy
from ledger.holds import capture_hold, expire_holds, place_hold, release_hold
from ledger.models import Account, Approval, Asset, Hold, Transfer, Wallet
from ledger.proof.configured import configured_sealer
from ledger.proof.sealing import seal_entries
from ledger.transfers import grant, issue, send
from ledger.wallets import account_of, freeze_wallet, system_wallet, unfreeze_wallet
from market.instruments import open_instrument
from market.models import Order
from market.orders import cancel_order, place_order
from tests.killing import killed_before_statement
from tests.ledger.builders import approved, attested, given, some_series, some_wallet, the_credits
from tests.waiting import wait_until

KINDS = (Wallet.Kind.PERSON, Wallet.Kind.PERSON, Wallet.Kind.INSTITUTE)


class Life:
    """Four wallets, two series (one that soon expires), credits and a market for one of the series."""

    def __init__(self, seed: int, *, soon: timedelta = timedelta(seconds=3)) -> None:
        self.random = random.Random(seed)
        self.refused = self.killed = 0
        self._number = 0
        self.wallets = [some_wallet(name, kind=self._one(KINDS)) for name in ("Ada", "Bob", "Cy", "Dee")]
        self.series = some_series()
        self.soon = some_series("H100-SOON", expires_at=timezone.now() + soon)
        self.credits = the_credits()
        self.instrument = open_instrument(asset_id=self.series.id, now=timezone.now())
        for wallet in self.wallets:
            for asset in (self.series, self.soon, self.credits):
                given(wallet, asset, 100_000)

    def go_on(self, steps: int) -> None:
        """So many random steps; now and then one is killed halfway."""
        acts: list[Callable[[], object]] = [
            self._issue, self._grant, self._send, self._send, self._hold, self._hold, self._resolve, self._resolve,
            self._order, self._order, self._order, self._cancel, self._freeze, self._wallet_policy, self._asset_policy,
            self._capacity, self._correct, self._force, self._sweep, self._seal, self._rotate,
        ]  # fmt: skip
        for _ in range(steps):
            act = self._one(acts)
            if self.random.random() < 0.04:
                # Twins of a step that dies: what it drew is drawn again by nobody.
                self.killed += killed_before_statement(self.random.randint(1, 25), lambda: self._try(act))  # noqa: B023
                self.random.random()
            else:
                self._try(act)

    def relax(self) -> None:
        """Lift what stops everything, so that a life does not end in a standstill."""
        now = timezone.now()
        plain = {
            "frozen": False, "may_sell": True, "position_limit": None, "receivers": None, "locked_until": None,
        }  # fmt: skip
        with transaction.atomic():
            for wallet in self.wallets:
                change_wallet_policy(wallet_id=wallet.id, changes=plain, now=now)
            for asset in (self.series, self.soon):
                changes = {"paused": False, "position_limit": None, "receivers": None, "locked_until": None}
                change_asset_policy(asset_id=asset.id, changes=changes, now=now)

    def settle(self) -> None:
        """What a life may lack by chance: a send that is corrected; holds that are open, released, captured."""
        # In its last moments what is left of a series cannot be delivered, and nothing of its class may be issued.
        wait_until(lambda: self.soon.expires_at <= database_now())
        self.relax()
        attested(gpus=10**6)
        ada, bob = self.wallets[:2]
        account = given(ada, self.series, 1_000)
        sent = send(asset_id=self.series.id, from_wallet_id=ada.id, to_wallet_id=bob.id, amount=10, **self._key())
        approved(Approval.Kind.CORRECT, {"transfer": sent.id})
        redeemed = system_wallet(Wallet.Role.REDEEMED, now=timezone.now())
        target = account_of(wallet_id=redeemed.id, asset_id=self.series.id)
        with transaction.atomic():
            holds = [place_hold(account_id=account.id, amount=10, reference="life:hold") for _ in range(3)]
            release_hold(hold_id=holds[0].id)
            capture_hold(hold_id=holds[1].id, amount=7, to_account_id=target.id, kind="REDEEM", reference="life:redeem")

    def end(self) -> None:
        """What comes only with time: one series expires and is swept, and the key is changed."""
        wait_until(lambda: self.soon.expires_at <= database_now())
        self._sweep()
        self.settle()
        self.rotate()

    def seal(self) -> None:
        while seal_entries(configured_sealer(), now=timezone.now()) is not None:
            pass

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Refusal:
            self.refused += 1

    def _one(self, things: Any) -> Any:
        return things[self.random.randrange(len(things))]

    def _amount(self) -> int:
        return self.random.choice((1, 7, 36, 360, 720, 3_600, 3_600, 36_000, 10**14))

    def _key(self) -> dict[str, str]:
        self._number += 1
        return {"scope": "life", "key": f"{self._number}-{self.random.random()}"}

    def _asset(self) -> Asset:
        asset: Asset = self._one((self.series, self.series, self.soon, self.credits))
        return asset

    def _issue(self) -> object:
        return issue(
            asset_id=self._asset().id, wallet_id=self._one(self.wallets).id, amount=self._amount(), **self._key()
        )

    def _grant(self) -> object:
        return grant(
            asset_id=self._asset().id, from_wallet_id=self._one(self.wallets).id,
            to_wallet_id=self._one(self.wallets).id, amount=self._amount(), **self._key(),
        )  # fmt: skip

    def _send(self) -> object:
        return send(
            asset_id=self._asset().id, from_wallet_id=self._one(self.wallets).id,
            to_wallet_id=self._one(self.wallets).id, amount=self._amount(), **self._key(),
        )  # fmt: skip

    def _hold(self) -> object:
        account = account_of(wallet_id=self._one(self.wallets).id, asset_id=self._asset().id)
        ends = self._one((None, None, timezone.now() + timedelta(milliseconds=self.random.randrange(1, 400))))
        with transaction.atomic():
            return place_hold(account_id=account.id, amount=self._amount(), reference="life:hold", expires_at=ends)

    def _resolve(self) -> object:
        hold = self._one([*Hold.objects.order_by("-id")[:6], None])
        if hold is None:
            return expire_holds()
        redeemed = system_wallet(Wallet.Role.REDEEMED, now=timezone.now())
        target = account_of(wallet_id=redeemed.id, asset_id=hold.account.asset_id)
        with transaction.atomic():
            if self.random.random() < 0.4:
                return release_hold(hold_id=hold.id)
            return capture_hold(
                hold_id=hold.id, amount=self.random.choice((0, 1, hold.amount // 2, hold.amount, hold.amount + 1)),
                to_account_id=target.id, kind="REDEEM", reference="life:redeem",
            )  # fmt: skip

    def _order(self) -> object:
        return place_order(
            instrument_id=self.instrument.id, wallet_id=self._one(self.wallets).id, side=self._one(("BUY", "SELL")),
            limit_price=self.random.randint(95, 105), quantity=self._one((1, 5, 20, 400)),
            time_in_force=self._one(("GTC", "GTC", "IOC")), client_order_id=self._key()["key"][:36],
        )  # fmt: skip

    def _cancel(self) -> object:
        order = Order.objects.filter(status=Order.Status.OPEN).order_by("id").first()
        return cancel_order(order_id=order.id, now=timezone.now()) if order else None

    def _freeze(self) -> object:
        wallet = self._one(self.wallets)
        wallet.refresh_from_db()
        if wallet.frozen_at is None:
            return freeze_wallet(wallet_id=wallet.id, reason="life", now=timezone.now())
        return unfreeze_wallet(wallet_id=wallet.id, now=timezone.now())

    def _wallet_policy(self) -> object:
        now, names = timezone.now(), [str(wallet.public_id) for wallet in self.wallets]
        changes = self._one((
            {"may_sell": False}, {"may_sell": True}, {"locked_until": now + timedelta(milliseconds=300)},
            {"position_limit": self._amount()}, {"position_limit": None}, {"receivers": names[:2]},
            {"receivers": None}, {"owner": names[0]}, {"owner": None}, {"unlimited": True},
        ))  # fmt: skip
        with transaction.atomic():
            return change_wallet_policy(wallet_id=self._one(self.wallets).id, changes=changes, now=now)

    def _asset_policy(self) -> object:
        now, names = timezone.now(), [str(wallet.public_id) for wallet in self.wallets]
        changes = self._one((
            {"paused": True}, {"paused": False}, {"position_limit": 150_000}, {"position_limit": None},
            {"receivers": names[1:]}, {"receivers": None}, {"locked_until": now + timedelta(milliseconds=300)},
        ))  # fmt: skip
        with transaction.atomic():
            return change_asset_policy(asset_id=self._one((self.series, self.soon)).id, changes=changes, now=now)

    def _capacity(self) -> object:
        known = Approval.objects.filter(kind=Approval.Kind.CAPACITY).order_by("id").first()
        assert known is not None
        assert known.entry is not None
        return attested(gpus=self._one((0, 1, 50, 10**6)), attestation=str(known.entry.capacity.attestation))

    def _correct(self) -> object:
        transfer = self._one([*Transfer.objects.order_by("-id")[:8]])
        return approved(Approval.Kind.CORRECT, {"transfer": transfer.id})

    def _force(self) -> object:
        content = {
            "asset": self._asset().id, "from": self._one(self.wallets).id, "to": self._one(self.wallets).id,
            "amount": self._amount(),
        }  # fmt: skip
        if self.random.random() < 0.5:
            return approved(Approval.Kind.FORCE, content)
        return approved(Approval.Kind.RECOVER, {"wallet": content["from"], "to": content["to"]})

    def _sweep(self) -> None:
        for asset_id in series_to_sweep():
            while expire_balances(asset_id=asset_id, limit=2):
                pass

    def _seal(self) -> object:
        return seal_entries(configured_sealer(), now=timezone.now(), limit=self._one((3, 20, 20_000)))

    def rotate(self) -> None:
        call_command("rotate_key", verbosity=0, stdout=_Nowhere())

    def _rotate(self) -> None:
        if self.random.random() < 0.2:
            self.rotate()


class _Nowhere:
    def write(self, _text: str) -> None: ...


__all__ = ["Account", "Life"]
