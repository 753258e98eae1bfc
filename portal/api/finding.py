"""What a request names, looked up among what its person may see."""

import re
from functools import lru_cache

from django.db.models import Q
from django.utils.translation import gettext as _
from rest_framework.request import Request

from ledger.errors import Unknown
from ledger.models import Asset, Wallet
from market.models import Instrument
from portal.api.problems import Missing
from portal.people.access import wallets_of, wallets_readable

# A wallet's id has one form: no capitals, braces or `urn:uuid:`.
PUBLIC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def wallet_to_read(request: Request, public_id: str | None) -> Wallet:
    return _wallet(request, public_id, reads=True)


def wallet_to_act_for(request: Request, public_id: str | None) -> Wallet:
    """The person's own wallet, or the one that is named among those they may act for."""
    return _wallet(request, public_id, reads=False)


def _wallet(request: Request, public_id: str | None, *, reads: bool) -> Wallet:
    if public_id is None:
        # Always among those: a key is of somebody who is still here. It was read with the key.
        found: Wallet | None = request.user.wallet
    else:
        choices = (wallets_readable if reads else wallets_of)(request.user)
        found = choices.filter(public_id=public_id).first() if PUBLIC_ID.fullmatch(public_id) else None
    if found is None:
        raise Missing(field="wallet", detail=_("There is no such wallet, or none that you may use."))
    return found


def receiver(public_id: str) -> Wallet:
    """Whom one may send to: people who are still here, and organisations."""
    if PUBLIC_ID.fullmatch(public_id):
        somebody = Wallet.objects.exclude(kind=Wallet.Kind.SYSTEM).filter(public_id=public_id)
        found = somebody.filter(Q(owner=None) | Q(owner__is_active=True)).first()
        if found is not None:
            return found
    raise Unknown(_("There is no such wallet."), field="to")


def asset_named(code: str) -> Asset:
    found = Asset.objects.filter(code=code).first()
    if found is None:
        raise Unknown(_("There is no such asset."), field="asset")
    return found


@lru_cache(1000)
def instrument_id(code: str) -> int:
    """The id of the instrument that a body names. Neither ever changes, so each process asks once; not for what is
    unknown yet."""
    found = Instrument.objects.filter(code=code).values_list("id", flat=True).first()
    if found is None:
        raise Unknown(_("There is no such instrument."), field="instrument")
    return found
