"""Balances, transfers and receipts."""

from collections import defaultdict
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.history import newest_transfers
from ledger.models import Account, Entry, Posting, Transfer, Wallet
from ledger.proof.configured import usable_policy
from ledger.proof.publishing import receipt_for
from ledger.transfers import send
from portal.api.documents import BalancesOut, TransferOut, TransfersOut
from portal.api.examples import SEND
from portal.api.finding import asset_named, receiver, wallet_to_act_for, wallet_to_read
from portal.api.forms import NothingIn, TransferIn, WalletIn, WalletPageQuery
from portal.api.paging import cursor_of, next_cursor
from portal.api.problems import Missing
from portal.api.routing import IDEMPOTENCY_KEY, documented, idempotency_key, query, route, sent


@documented("GET", "balances_list", ok=BalancesOut, query=WalletIn)
@route(GET="read")
def balances(request: Request) -> Response:
    """What the wallet has of every asset, what of it is held, and what is available."""
    wallet = wallet_to_read(request, query(request, WalletIn).get("wallet"))
    found = Account.objects.filter(wallet=wallet).select_related("asset").order_by("asset__expires_at", "asset__code")
    return Response(BalancesOut({"wallet": wallet.public_id, "results": found}).data)


@documented("GET", "transfers_list", ok=TransfersOut, query=WalletPageQuery)
@documented(
    "POST", "transfers_send", ok=TransferOut, status=201, takes=TransferIn, headers=[IDEMPOTENCY_KEY], examples=SEND
)
@route(GET="read", POST="transfer")
def transfers(request: Request) -> Response:
    """Everything that came to the wallet and left it, newest first; or send something."""
    return _send(request) if request.method == "POST" else _listed(request)


@documented("GET", "receipts_get", ok=OpenApiTypes.STR, media="text/plain")
@route(GET="read")
def receipt(request: Request, entry_id: int) -> Any:
    """The proof that an entry is in the signed log, as c2sp.org/tlog-proof has it."""
    query(request, NothingIn)
    found = get_object_or_404(Entry, id=entry_id)
    proof = receipt_for(found.id, usable_policy())
    if proof is None:
        raise Missing(code="not_sealed", detail=_("The entry is not sealed yet: ask again in a moment."))
    return HttpResponse(str(proof), content_type="text/plain; charset=utf-8")


def _send(request: Request) -> Response:
    key, asked = idempotency_key(request), sent(request, TransferIn)
    wallet = wallet_to_act_for(request, asked.get("wallet"))
    asset, to, amount = asset_named(asked["asset"]), receiver(asked["to"]), asked["amount"]
    # Keys are the person's: another's are never met.
    made = send(
        asset_id=asset.id, from_wallet_id=wallet.id, to_wallet_id=to.id, amount=amount,
        scope=f"api:{request.user.id}", key=key,
    )  # fmt: skip
    return Response(_shown(made, [{"asset": asset.code, "amount": -amount}]), status=201)


def _listed(request: Request) -> Response:
    asked = query(request, WalletPageQuery)
    wallet = wallet_to_read(request, asked.get("wallet"))
    name, limit = f"transfers:{wallet.id}", asked["limit"]
    ids = newest_transfers(wallet.id, limit=limit + 1, before=cursor_of(asked, name))
    following = next_cursor(ids[limit - 1], name) if len(ids) > limit else None
    return Response({"results": _sides(wallet, ids[:limit]), "next": following})


def _sides(wallet: Wallet, ids: list[int]) -> list[Any]:
    """Transfers with the wallet's own sides: the other side is somebody else's business."""
    sides: dict[int, list[dict[str, Any]]] = defaultdict(list)
    postings = Posting.objects.filter(account__wallet=wallet, transfer_id__in=ids).select_related("account__asset")
    for posting in postings.order_by("transfer_id", "account_id"):
        sides[posting.transfer_id].append({"asset": posting.account.asset.code, "amount": posting.amount})
    found = Transfer.objects.in_bulk(ids)
    return [_shown(found[id_], sides[id_]) for id_ in ids]


def _shown(transfer: Transfer, sides: list[dict[str, Any]]) -> Any:
    return TransferOut(
        {
            "entry": transfer.id,
            "kind": transfer.transfer_kind,
            "reference": transfer.reference,
            "recorded_at": transfer.recorded_at,
            "sides": sides,
        }
    ).data
