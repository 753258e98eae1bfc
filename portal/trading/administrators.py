"""Who comes to administer the market takes nothing along that still trades on it."""

from django.db.models import Exists, OuterRef, Q

from ledger.models import Wallet
from market.models import Order
from market.orders import cancel_orders
from portal.people.access import administrators


def cancel_for_administrators() -> int:
    """Cancel what is left in the books for those who administer the market by now; answers how many orders.

    Their own wallets' orders, and those of wallets whose beneficial owner they are. An auction that lets nobody cancel
    does not keep them: nobody of its kind may trade in it.
    """
    theirs = administrators().exclude(wallet=None).values("wallet")
    open_orders = Order.objects.filter(wallet=OuterRef("id"), status=Order.Status.OPEN)
    wallets = Wallet.objects.filter(Q(id__in=theirs) | Q(beneficial_owner__in=theirs), Exists(open_orders))
    return sum(
        cancel_orders(wallet_id=wallet_id, reason="administers_market", always=True)
        for wallet_id in wallets.order_by("id").values_list("id", flat=True)
    )
