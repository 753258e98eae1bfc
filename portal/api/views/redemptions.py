"""Redeeming tokens for jobs."""

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.documents import RedemptionOut, RedemptionsOut
from portal.api.examples import REDEEM
from portal.api.finding import asset_named, wallet_to_act_for, wallet_to_read
from portal.api.forms import NothingIn, RedeemIn, WalletPageQuery
from portal.api.paging import page
from portal.api.routing import IDEMPOTENCY_KEY, documented, idempotency_key, query, route, sent
from portal.redemptions.redeeming import redemptions_of, redemptions_to_cancel, slurm_account_of
from portal.redemptions.tasks import wake_submitter
from scheduler.configured import job_place
from scheduler.redemptions import Wish, cancel_redemption, redeem_tokens


@documented("GET", "redemptions_list", ok=RedemptionsOut, query=WalletPageQuery)
@documented(
    "POST", "redemptions_make", ok=RedemptionOut, status=201, takes=RedeemIn, headers=[IDEMPOTENCY_KEY], examples=REDEEM
)
@route(GET="read", POST="redeem")
def redemptions(request: Request) -> Response:
    """The wallet's redemptions, newest first; or redeem tokens for a job."""
    return _redeem(request) if request.method == "POST" else _listed(request)


@documented("GET", "redemptions_get", ok=RedemptionOut)
@documented("DELETE", "redemptions_cancel", ok=RedemptionOut, problems=[409])
@route(GET="read", DELETE="redeem")
def redemption(request: Request, public_id: UUID) -> Response:
    """One redemption: read it, or ask for its job to be ended. What was not used comes back."""
    if request.method == "DELETE":
        mine = get_object_or_404(redemptions_to_cancel(request.user), public_id=public_id)
        cancel_redemption(redemption_id=mine.id)
    else:
        query(request, NothingIn)
    return Response(RedemptionOut(get_object_or_404(redemptions_of(request.user), public_id=public_id)).data)


def _listed(request: Request) -> Response:
    asked = query(request, WalletPageQuery)
    wallet = wallet_to_read(request, asked.get("wallet"))
    rows = redemptions_of(request.user).filter(wallet=wallet)
    name = f"redemptions:{wallet.id}"
    return Response(
        page(rows, by="id", named=name, asked=asked, shown=lambda some: RedemptionOut(some, many=True).data)
    )


def _redeem(request: Request) -> Response:
    key, asked = idempotency_key(request), sent(request, RedeemIn)
    wallet = wallet_to_act_for(request, asked.pop("wallet", None))
    user: Any = request.user
    wish = Wish(
        # The same person's same key is the same wish.
        public_id=uuid5(NAMESPACE_URL, f"hourglass:redemption:{user.id}:{key}"),
        wallet_id=wallet.id,
        asset_id=asset_named(asked.pop("asset")).id,
        slurm_account=slurm_account_of(user, wallet),
        **asked,
    )
    made = redeem_tokens(wish, user_id=user.id, place=job_place())
    wake_submitter(made.id)
    return Response(RedemptionOut(redemptions_of(user).get(id=made.id)).data, status=201)
