"""The life of one series in sums: capacity, issued, in circulation, on hold, traded, redeemed, expired. Adds up."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ledger.governance.capacity import attested, issuable
from ledger.governance.deliverable import supply
from ledger.models import Account, Asset, Hold, Wallet
from market.models import GPU_SECONDS_PER_LOT, Trade

_PER_MILLE = 1000


@dataclass(frozen=True)
class Part:
    """So much of what was issued is here. `width` of the bar's thousand units begins at `start`."""

    name: str | Promise
    amount: int
    held: int
    wallets: int
    tone: str
    start: int
    width: int


@dataclass(frozen=True)
class SeriesLife:
    """GPU-seconds. `issued` is the sum of the parts' amounts; `held` is within what circulates."""

    attested: int
    issuable: int
    issued: int
    parts: list[Part]
    held_by_orders: int
    held_for_jobs: int
    trades: int
    traded: int

    @property
    def held(self) -> int:
        return self.held_by_orders + self.held_for_jobs

    @property
    def adds_up(self) -> bool:
        return self.issued == sum(part.amount for part in self.parts)


_PARTS: list[tuple[str, str | Promise, str]] = [
    (Wallet.Kind.PERSON, _("with people"), "person"),
    (Wallet.Kind.COHORT, _("with cohorts"), "cohort"),
    (Wallet.Kind.INSTITUTE, _("with institutes"), "institute"),
    (Wallet.Kind.DEPARTMENT, _("with departments"), "department"),
    (Wallet.Role.FEES, _("as fees"), "fees"),
    (Wallet.Role.REDEEMED, _("redeemed"), "redeemed"),
    (Wallet.Role.EXPIRED, _("expired"), "expired"),
]


def series_life(series: Asset, *, now: datetime) -> SeriesLife:
    """Where all of it is, by kind of wallet; the same few queries however many wallets there are."""
    assert series.expires_at is not None
    is_over = series.expires_at <= now
    sums = _sums(series)
    issued = -sums[Wallet.Role.ISSUER].amount if Wallet.Role.ISSUER in sums else 0
    held = sum(row.held for row in sums.values())
    open_holds = Hold.objects.filter(account__asset=series, status=Hold.Status.OPEN)
    for_jobs = open_holds.aggregate(sum=Sum("amount"))["sum"] or 0
    traded = Trade.objects.filter(instrument__asset=series).aggregate(trades=Count("pk"), lots=Sum("quantity"))
    begins = max(now, series.starts_at or now)
    return SeriesLife(
        attested=0 if is_over else supply(attested(series.resource_class), begins, series.expires_at),
        issuable=0 if is_over else issuable(series, now),
        issued=issued,
        parts=_parts(sums, issued),
        held_by_orders=held - for_jobs,
        held_for_jobs=for_jobs,
        trades=traded["trades"],
        traded=(traded["lots"] or 0) * GPU_SECONDS_PER_LOT,
    )


class _Sum(NamedTuple):
    amount: int
    held: int
    wallets: int


def _sums(series: Asset) -> dict[str, _Sum]:
    """By the kind of wallet, and of system wallets by what they are for."""
    rows = (
        Account.objects.filter(asset=series)
        .values(where=Coalesce("wallet__role", "wallet__kind"))
        .annotate(amount=Sum("balance"), on_hold=Sum("held"), wallets=Count("id", filter=~Q(balance=0)))
        .order_by("where")
        .values_list("where", "amount", "on_hold", "wallets")
    )
    return {where: _Sum(*sums) for where, *sums in rows}


def _parts(sums: dict[str, _Sum], issued: int) -> list[Part]:
    parts: list[Part] = []
    start = 0
    for where, name, tone in _PARTS:
        if where in sums and sums[where].amount:
            row = sums[where]
            width = row.amount * _PER_MILLE // max(issued, 1)
            parts.append(Part(name, row.amount, row.held, row.wallets, tone, start, width))
            start += width
    return parts
