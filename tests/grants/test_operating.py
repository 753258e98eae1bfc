"""Operators halt one series or all, set modes, fees and bands; department admins do not."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from market.instruments import open_instrument
from market.models import Instrument, InstrumentChange, Offering, Order
from scheduler.models import ResourceClass
from tests.grants.builders import a_world, signed_in
from tests.market.builders import auction_over, in_auction, placed, some_instrument, some_trader
from tests.people.builders import Role, now, some_person
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/market/instrument"
RULES = {
    "maker_fee_bp": 5, "taker_fee_bp": 20, "static_band_bp": 1000, "dynamic_band_bp": "", "reference_price": 1200,
    "collect_seconds": 60, "no_cancel_seconds": 10, "reason": "As the board decided.",
}  # fmt: skip


@pytest.fixture
def operator():
    return some_person("Olga", (Role.OPERATOR, None))


def test_everything_is_halted_by_one_action_and_resumed_by_auctions(operator):
    one, two = some_instrument("H100-2026Q4"), some_instrument("H100-2027Q1")
    trader = some_trader(one)
    client = signed_in(operator)

    assert client.get(f"{LIST}/halt-all/").status_code == 200
    assert client.post(f"{LIST}/halt-all/", {"reason": ""}).status_code == 422
    client.post(f"{LIST}/halt-all/", {"reason": "The cooling failed."})

    assert {each.phase for each in Instrument.objects.all()} == {"HALTED"}
    assert {each.halted_reason for each in Instrument.objects.all()} == {"The cooling failed."}
    assert placed(one, trader, "BUY", 1, 100).reason == "instrument_halted"
    whole = InstrumentChange.objects.get(instrument=None)
    assert (whole.cause, whole.reason, whole.changed_by) == ("HALTED", "The cooling failed.", operator)
    assert InstrumentChange.objects.filter(instrument__in=[one, two], cause="HALTED", changed_by=operator).count() == 2
    for instrument in (one, two):
        assert instrument.events.order_by("-number").first().payload["phase"] == "HALTED"

    client.post(f"{LIST}/resume-all/", {"reason": "It runs again."})
    assert {each.phase for each in Instrument.objects.all()} == {"AUCTION"}


def test_fees_and_bands_are_set_with_a_reason_that_is_kept(operator):
    instrument = some_instrument()
    client = signed_in(operator)
    page = f"{LIST}/{instrument.id}/rules/"

    assert client.get(page).status_code == 200
    assert client.post(page, RULES | {"maker_fee_bp": 30}).status_code == 422
    assert client.post(page, RULES | {"reason": ""}).status_code == 422
    assert client.post(page, RULES).status_code == 302

    instrument.refresh_from_db()
    assert (instrument.maker_fee_bp, instrument.taker_fee_bp, instrument.static_band_bp) == (5, 20, 1000)
    assert (instrument.dynamic_band_bp, instrument.reference_price) == (None, 1200)
    change = InstrumentChange.objects.get()
    assert (change.reason, change.changed_by) == ("As the board decided.", operator)
    assert change.content["before"]["taker_fee_bp"] == 0
    assert LogEntry.objects.filter(user=operator, object_id=str(instrument.id)).count() == 1


def test_a_mode_is_set_and_a_crossed_book_refuses_it_in_the_form(operator):
    instrument = some_instrument()
    client = signed_in(operator)
    page = f"{LIST}/{instrument.id}/mode/"

    assert client.post(page, {"phase": "CANCEL_ONLY", "reason": "x"}).status_code == 302
    assert Instrument.objects.get().phase == "CANCEL_ONLY"
    client.post(f"{LIST}/{instrument.id}/resume/", {"reason": "x"})
    placed(instrument, some_trader(instrument), "BUY", 1, 100)
    placed(instrument, some_trader(instrument, "Bob"), "SELL", 1, 100)
    refused = client.post(page, {"phase": "CONTINUOUS", "reason": "x"})

    assert refused.status_code == 422
    assert "by an auction" in refused.content.decode()
    assert Instrument.objects.get().phase == "AUCTION"


def test_only_operators_do_this():
    world = a_world()
    instrument = open_instrument(asset_id=world.series.id, now=now())
    for person in (world.admin, some_person("Otto", (Role.AUDITOR, None))):
        client = signed_in(person)
        for path in ("halt-all", "resume-all", f"{instrument.id}/rules", f"{instrument.id}/mode"):
            assert client.get(f"{LIST}/{path}/").status_code == 403, path
            assert client.post(f"{LIST}/{path}/", RULES | {"phase": "CANCEL_ONLY"}).status_code == 403, path
    assert Instrument.objects.get().phase == "CONTINUOUS"


def test_a_department_offers_what_it_has_and_everybody_reads_what_became_of_it():
    world, other = a_world(), a_world("Biology")
    instrument = open_instrument(asset_id=world.series.id, now=now())
    client = signed_in(world.admin)
    typed = {
        "instrument": instrument.id, "wallet": world.department.wallet_id, "quantity": "12.50", "reserve_price": "5.00",
        "set_aside_percent": 20, "small_below": "100", "collect_seconds": 3600, "no_cancel_seconds": 0,
        "reason": "The new partition.",
    }  # fmt: skip

    assert client.get(f"{LIST}/offer/").status_code == 200
    for wrong in (
        {"wallet": other.department.wallet_id},
        {"quantity": "0"},
        {"set_aside_percent": 101},
        {"reason": ""},
    ):
        assert client.post(f"{LIST}/offer/", typed | wrong).status_code == 422, wrong
    assert client.post(f"{LIST}/offer/", typed | {"quantity": "9999999"}).status_code == 422
    assert Instrument.objects.get().phase == "CONTINUOUS"
    assert client.post(f"{LIST}/offer/", typed).status_code == 302

    offering = Offering.objects.get()
    assert (offering.quantity, offering.reserve_price, offering.small_below) == (1250, 500, 10_000)
    assert (offering.wallet, offering.offered_by) == (world.department.wallet, world.admin)
    page = f"/offerings/{offering.public_id}/"
    buyer = some_trader(instrument, "Nina Secret", lots=0)
    placed(instrument, buyer, "BUY", 1000, 700)
    said = Client().get(f"{page}offering.json").json()
    assert (said["status"], said["indicative_price"], said["indicative_volume"]) == ("OPEN", 500, 1000)

    auction_over(instrument)
    said = Client().get(f"{page}offering.json").json()
    assert (said["status"], said["price"], said["sold_quantity"], said["set_aside_sold"]) == ("DONE", 500, 1000, 250)
    assert said["bids"] == [
        {
            "limit_price": 700, "asked_quantity": 1000, "from_set_aside": 250, "from_rest": 750,
            "is_small_holder": True, "why": "WHOLE",
        }
    ]  # fmt: skip
    shown = Client().get(page).content.decode()
    assert "What every bid was given" in shown
    assert "filled whole" in shown
    assert "Secret" not in shown
    assert "My bids" not in shown


def test_who_offers_nothing_of_a_department_may_not():
    world = a_world()
    for person in (world.researcher, world.lead, some_person("Olga", (Role.OPERATOR, None))):
        assert signed_in(person).post(f"{LIST}/offer/", {"reason": "x"}).status_code in {302, 403}
    assert not Offering.objects.exists()


def test_a_new_series_may_open_by_an_auction():
    world = a_world()
    machines = ResourceClass.objects.first() or drawn_class()
    typed = {
        "code": "H100-2090Q1", "resource_class": machines.id, "priority": next(iter(machines.qos_by_priority)),
        "starts_on": "2090-01-01", "ends_on": "2090-03-31",
    }  # fmt: skip
    client = signed_in(world.admin)

    assert client.post("/admin/ledger/asset/add/", typed | {"opens_by_auction": "on"}).status_code == 302
    assert client.post("/admin/ledger/asset/add/", typed | {"code": "H100-2090Q2"}).status_code == 302

    phases = dict(Instrument.objects.values_list("code", "phase"))
    assert (phases["H100-2090Q1"], phases["H100-2090Q2"]) == ("AUCTION", "CONTINUOUS")
    change = InstrumentChange.objects.get(instrument__code="H100-2090Q1")
    assert (change.cause, change.changed_by) == ("OPENED", world.admin)


def test_an_operator_cancels_an_order_that_its_owner_cannot(operator):
    instrument = in_auction(some_instrument(), collect=0, no_cancel=3600)
    kept = placed(instrument, some_trader(instrument), "BUY", 5, 100)
    page = f"/admin/market/order/{kept.order_id}/cancel/"

    assert signed_in(a_world().admin).post(page, {"reason": "x"}).status_code == 403
    assert signed_in(operator).post(page, {"reason": ""}).status_code == 422
    assert signed_in(operator).post(page, {"reason": "Typed a wrong price; asked for by telephone."}).status_code == 302

    order = Order.objects.get(id=kept.order_id)
    assert (order.status, order.reason, order.held) == ("CANCELLED", "by_operator", 0)
    assert LogEntry.objects.get(user=operator).change_message.startswith("Cancelled: Typed")
    assert signed_in(operator).post(page, {"reason": "again"}).status_code == 422
