"""Who administers the market does not trade on it: every role with ticket, amendment and API; all may cancel."""

from dataclasses import dataclass

import pytest
from django.test import Client
from django.utils import timezone

from ledger.models import Wallet
from market.models import Instrument, Order
from portal.people.accounts import add_member
from portal.people.models import User
from portal.trading.tasks import cancel_what_is_over
from tests.api.builders import Api, an_order
from tests.ledger.builders import given, ruled, the_credits
from tests.market.builders import assert_value_is_conserved, in_auction, placed, some_instrument, some_trader
from tests.people.builders import Role, some_department, some_institute, some_person

pytestmark = pytest.mark.django_db(transaction=True)
# Role: may they trade?
TRADERS = {"nobody": True, "researcher": True, "student": True, "lead": True}
ADMINISTRATORS = {"admin": False, "both": False, "operator": False, "superuser": False}
ALL = sorted((TRADERS | ADMINISTRATORS).items())


@dataclass
class Desk:
    """A person of a role with credits and one open order."""

    user: User
    wallet: Wallet
    instrument: Instrument
    order: Order
    client: Client
    api: Api

    def ticket(self) -> dict[str, str]:
        return {
            "side": "BUY", "limit_price": "1.50", "quantity": "0.10", "time_in_force": "GTC",
            "client_order_id": f"ticket-{self.user.id}", "kind": "LIMIT", "self_trade": "CANCEL_NEWEST",
        }  # fmt: skip

    def orders(self) -> int:
        return Order.objects.filter(wallet=self.wallet).count()


def desk(role: str) -> Desk:
    department, instrument = some_department(), some_instrument()
    institute = some_institute(department)
    roles = {
        "nobody": [], "researcher": [(Role.RESEARCHER, department)], "student": [(Role.STUDENT, institute)],
        "lead": [(Role.INSTITUTE_LEAD, institute)], "admin": [(Role.DEPARTMENT_ADMIN, department)],
        "both": [(Role.RESEARCHER, some_department("Biology")), (Role.DEPARTMENT_ADMIN, department)],
        "operator": [(Role.OPERATOR, None)], "superuser": [],
    }  # fmt: skip
    user = some_person("Ada", *roles[role])
    if role == "superuser":
        User.objects.filter(id=user.id).update(is_superuser=True)
        user.refresh_from_db()
    assert user.wallet is not None
    given(user.wallet, the_credits(), 10**9)
    order = Order.objects.get(id=placed(instrument, user.wallet, "BUY", 10, 100).order_id)
    client = Client()
    client.force_login(user)
    return Desk(user, user.wallet, instrument, order, client, Api(user))


@pytest.mark.parametrize(("role", "may"), ALL)
def test_the_ticket(role, may):
    ada = desk(role)

    answer = ada.client.post(f"/market/{ada.instrument.code}/place/", ada.ticket())

    assert answer.status_code == (302 if may else 422), answer.content[:2000]
    assert ada.orders() == (2 if may else 1)
    assert ("You administer the market" in answer.content.decode()) is not may


@pytest.mark.parametrize(("role", "may"), ALL)
def test_the_page_says_so_before_anybody_tries(role, may):
    ada = desk(role)

    page = ada.client.get(f"/market/{ada.instrument.code}/").content.decode()

    assert ("You administer the market" in page) is not may
    assert ('name="limit_price"' in page) or not may
    assert f"/orders/{ada.order.id}/cancel/" in page


@pytest.mark.parametrize(("role", "may"), ALL)
def test_amending(role, may):
    ada = desk(role)

    answer = ada.client.post(f"/orders/{ada.order.id}/amend/", {"limit_price": "0.90", "quantity": "0.10"})

    ada.order.refresh_from_db()
    assert answer.status_code == (302 if may else 422)
    assert ada.order.limit_price == (90 if may else 100)


@pytest.mark.parametrize(("role", "may"), ALL)
def test_the_api(role, may):
    ada = desk(role)
    bulk = {"orders": [an_order(client_order_id="one"), an_order(client_order_id="two")]}

    one, many = ada.api.post("orders/", an_order()), ada.api.post("orders/bulk/", bulk, key=None)
    amended = ada.api.send("PATCH", f"orders/{ada.order.id}/", {"limit_price": 90}, key=None)

    assert (one.status, many.status, amended.status) == ((201, 200, 200) if may else (422, 422, 422))
    if not may:
        assert {one.code, many.code, amended.code} == {"administers_market"}
    assert ada.orders() == (4 if may else 1)


@pytest.mark.parametrize(("role", "_may"), ALL)
def test_cancelling_is_always_allowed(role, _may):
    ada = desk(role)
    second = placed(ada.instrument, ada.wallet, "BUY", 10, 90).order_id
    third = placed(ada.instrument, ada.wallet, "BUY", 10, 80).order_id

    assert ada.client.post(f"/orders/{ada.order.id}/cancel/").status_code == 302
    assert ada.api.send("DELETE", f"orders/{second}/", key=None).status == 200
    assert ada.api.post("orders/cancel-all/", {}, key=None).json == {"cancelled": 1}

    assert {order.status for order in Order.objects.filter(id__in=[ada.order.id, second, third])} == {"CANCELLED"}


def test_for_a_departments_wallet_its_admin_does_not_trade_either():
    department, instrument = some_department(), some_instrument()
    admin = some_person("Ada", (Role.DEPARTMENT_ADMIN, department))
    given(department.wallet, instrument.asset, 36_000)

    answer = Api(admin).post("orders/", an_order(side="SELL", wallet=str(department.wallet.public_id)))

    assert answer.code == "administers_market"


@pytest.mark.parametrize("role", [Role.DEPARTMENT_ADMIN, Role.OPERATOR, "superuser"])
def test_who_comes_to_administer_the_market_has_no_order_left_in_any_book(role):
    department, instrument, in_last_part = some_department(), some_instrument(), some_instrument("H100-2027Q1")
    ada, ben = some_person("Ada"), some_person("Ben")
    puppet = some_trader(instrument, "Ada's other")
    ruled(puppet, owner=str(ada.wallet.public_id))
    in_auction(in_last_part, collect=0, no_cancel=3600)
    for wallet in (ada.wallet, ben.wallet):
        given(wallet, the_credits(), 10**9)
    for wallet in (ada.wallet, ben.wallet, puppet):
        placed(instrument, wallet, "BUY", 10, 100)
    placed(in_last_part, ada.wallet, "BUY", 10, 100)
    cancel_what_is_over()
    assert Order.objects.filter(status="OPEN").count() == 4

    if role == "superuser":
        User.objects.filter(id=ada.id).update(is_superuser=True)
    else:
        add_member(
            user=ada, role=role, organisation=department if role == Role.DEPARTMENT_ADMIN else None, now=timezone.now()
        )
    assert cancel_what_is_over() == 3

    assert [order.wallet_id for order in Order.objects.filter(status="OPEN")] == [ben.wallet.id]
    assert set(Order.objects.exclude(status="OPEN").values_list("reason", flat=True)) == {"administers_market"}
    assert cancel_what_is_over() == 0
    assert_value_is_conserved()


def test_an_auditor_neither_trades_nor_cancels():
    instrument = some_instrument()
    user = some_person("Otto", (Role.AUDITOR, None))
    given(user.wallet, the_credits(), 10**9)
    order = placed(instrument, user.wallet, "BUY", 10, 100).order_id
    api, client = Api(user), Client()
    client.force_login(user)

    assert api.post("orders/", an_order()).code == "auditors_write_nothing"
    assert client.post(f"/orders/{order}/cancel/").status_code == 403
    assert Order.objects.get().status == "OPEN"
