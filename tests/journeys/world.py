"""One object of every kind in each of two departments, and one person of every role."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.test import Client
from django.utils import timezone

from ledger.governance.approvals import ask_approval
from ledger.models import Account, Capacity, Checkpoint, Hold, Policy, Posting
from ledger.proof.configured import configured_sealer
from ledger.proof.keys import make_key
from ledger.proof.sealing import seal_entries
from market.instruments import open_instrument
from market.models import Instrument, InstrumentChange, Offering, Order, Trade
from market.orders import place_order
from market.prices.models import TradeFlag
from market.rules import change_rules
from portal.grants.models import GrantUpload
from portal.people.models import User
from portal.trading.alerts import set_alert
from portal.trading.models import PriceAlert
from scheduler.models import Redemption, ResourceClass
from scheduler.redemptions import redeem_tokens
from tests.grants.builders import HOUR, World, a_world
from tests.ledger.builders import given, the_credits
from tests.people.builders import Role, some_person
from tests.scheduler.builders import drawn_class, drawn_wish, place


@dataclass
class Two:
    """The world of the matrix: arguments for every route, by place."""

    here: World
    there: World
    people: dict[str, User | None]
    objects: dict[str, dict[str, Any]]

    def client(self, role: str) -> Client:
        client, person = Client(), self.people[role]
        if person is not None:
            client.force_login(person)
        return client


def make(settings: Any, home: Path) -> Two:
    settings.LEDGER_SIGNING_KEY_FILE = str(home / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(home / "head")
    settings.HOURGLASS_JOBS_DIR = str(home / "jobs")
    make_key(home / "key.pem")
    drawn_class()
    here, there = a_world("Physics"), a_world("Biology")
    people: dict[str, User | None] = {
        "anonymous": None,
        "student": here.student,
        "researcher": here.researcher,
        "lead": here.lead,
        "admin": here.admin,
        "other": there.admin,
        "auditor": some_person("Otto", (Role.AUDITOR, None)),
        "operator": some_person("Olga", (Role.OPERATOR, None)),
    }
    objects = {"here": objects_of(here), "there": objects_of(there), "missing": MISSING}
    while seal_entries(configured_sealer(), now=timezone.now()) is not None:
        pass
    for place_ in ("here", "there"):
        objects[place_]["ledger.checkpoint"] = Checkpoint.objects.latest("size").pk
    return Two(here, there, people, objects)


def objects_of(world: World) -> dict[str, Any]:
    """The researcher's wallet, order, trade, hold and job; the institute, cohort and code; a draft; by their keys."""
    now, researcher = timezone.now(), world.researcher
    assert researcher.wallet is not None
    account = given(researcher.wallet, world.series, 100 * HOUR)
    given(researcher.wallet, the_credits(), 10_000_000)
    instrument = open_instrument(asset_id=world.series.id, now=now)
    change_rules(instrument_id=instrument.id, changes={"collect_seconds": 120}, reason="matrix", by_id=None, now=now)
    for number, (wallet, side, price) in enumerate(
        [(world.department.wallet, "SELL", 200), (researcher.wallet, "BUY", 200), (researcher.wallet, "BUY", 150)]
    ):
        place_order(
            instrument_id=instrument.id, wallet_id=wallet.id, side=side, limit_price=price, quantity=10,
            time_in_force="GTC", client_order_id=f"matrix-{number}",
        )  # fmt: skip
    wish = drawn_wish(researcher.wallet, world.series)
    redemption = redeem_tokens(wish, user_id=researcher.id, place=place())
    draft = GrantUpload.objects.create(
        wallet=world.department.wallet, user=world.admin, file_name="draft.csv", lines=[], uploaded_at=now
    )
    order = Order.objects.filter(wallet=researcher.wallet, status=Order.Status.OPEN).get()
    trade = Trade.objects.filter(taker__wallet=researcher.wallet).get()
    offering = Offering.objects.create(
        instrument=instrument, wallet=world.department.wallet, order=order, quantity=1, reserve_price=1, status="DONE",
        offered_at=now, done_at=now,
    )  # fmt: skip
    code = world.cohort.codes.get()
    entry = Posting.objects.filter(account__wallet=world.student.wallet).latest("transfer_id").transfer_id
    asked = ask_approval(
        kind="POLICY", content={"wallet": world.student.wallet_id, "of": world.student.wallet_id,
                                "changes": {"position_limit": 3600}},
        reason="matrix", requester_id=world.admin.id, now=now,
    )  # fmt: skip
    return {
        "wallet": researcher.wallet.public_id,
        "redemption": redemption.public_id,
        "order": order.id,
        "alert": some_alert(researcher, instrument).id,
        "code": instrument.code,
        "entry": entry,
        "slug": world.institute.slug,
        "cohort": world.cohort.id,
        "join_code": code.id,
        "people.user": researcher.id,
        "people.organisation": world.institute.id,
        "people.membership": researcher.memberships.get().id,
        "ledger.wallet": researcher.wallet_id,
        "ledger.account": account.id,
        "ledger.entry": entry,
        "ledger.hold": Hold.objects.get(redemption=redemption).id,
        "ledger.asset": world.series.id,
        "ledger.approval": asked.id,
        "ledger.capacity": Capacity.objects.earliest("id").id,
        "ledger.policy": Policy.objects.earliest("id").id,
        "market.instrument": Instrument.objects.get().id,
        "market.instrumentchange": InstrumentChange.objects.earliest("id").id,
        "market.offering": offering.id,
        "offering": offering.public_id,
        "market.order": order.id,
        "market.trade": trade.pk,
        "market.tradeflag": some_flag(trade).id,
        "scheduler.redemption": redemption.id,
        "scheduler.resourceclass": ResourceClass.objects.get().id,
        "institutes.cohort": world.cohort.id,
        "institutes.joincode": code.id,
        "institutes.enrolment": world.cohort.enrolments.get().id,
        "grants.grantupload": draft.id,
    }


def some_alert(user: User, instrument: Instrument) -> PriceAlert:
    return set_alert(user=user, instrument_id=instrument.id, direction="ABOVE", price=900, now=timezone.now())


def some_flag(trade: Trade) -> TradeFlag:
    """As if the trade had been found suspicious."""
    return TradeFlag.objects.create(
        trade=trade, instrument_id=trade.instrument_id, number=trade.number, kind="SAME_OWNER",
        closing_trade=trade.number, facts={}, method=1, found_at=timezone.now(),
    )  # fmt: skip


NO_ID = 987_654
MISSING: dict[str, Any] = {
    "wallet": uuid.UUID(int=1),
    "redemption": uuid.UUID(int=1),
    "order": NO_ID,
    "offering": uuid.UUID(int=1),
    "alert": NO_ID,
    "code": "GHOST-2026Q4",
    "entry": NO_ID,
    "slug": "ghost",
    "cohort": NO_ID,
    "join_code": NO_ID,
    "ledger.checkpoint": NO_ID,
}


def arguments(name: str, objects: dict[str, Any]) -> dict[str, Any]:
    """What the route's address needs, out of one place's objects."""
    return {
        "institute": {"slug": objects["slug"]},
        "new-cohort": {"slug": objects["slug"]},
        "cohort": {"slug": objects["slug"], "cohort_id": objects["cohort"]},
        "roster-csv": {"slug": objects["slug"], "cohort_id": objects["cohort"]},
        "revoke-code": {"slug": objects["slug"], "code_id": objects["join_code"]},
        "instrument": {"code": objects["code"]},
        "book": {"code": objects["code"]},
        "trades": {"code": objects["code"]},
        "candles": {"code": objects["code"]},
        "phase": {"code": objects["code"]},
        "series-offerings": {"code": objects["code"]},
        "offering": {"public_id": objects["offering"]},
        "offering-json": {"public_id": objects["offering"]},
        "my-orders": {"code": objects["code"]},
        "preview-order": {"code": objects["code"]},
        "place-order": {"code": objects["code"]},
        "amend-order": {"order_id": objects["order"]},
        "cancel-all": {"code": objects["code"]},
        "cancel-order": {"order_id": objects["order"]},
        "alerts": {"code": objects["code"]},
        "set-alert": {"code": objects["code"]},
        "drop-alert": {"alert_id": objects["alert"]},
        "entry": {"entry_id": objects["entry"]},
        "receipt": {"entry_id": objects["entry"]},
        "entry-bytes": {"entry_id": objects["entry"]},
        "log-older-checkpoint": {"size": objects["ledger.checkpoint"]},
        "series-life": {"code": objects["code"]},
        "explorer-wallet": {"public_id": objects["wallet"]},
        "log-tile": {"level": "0", "path": "999"},
        "read-wallet": {"public_id": objects["wallet"]},
        "statement": {"public_id": objects["wallet"]},
        "redemption": {"public_id": objects["redemption"]},
        "redemption-live": {"public_id": objects["redemption"]},
        "redemption-output": {"public_id": objects["redemption"]},
        "cancel-redemption": {"public_id": objects["redemption"]},
        "api:instrument": {"code": objects["code"]},
        "api:book": {"code": objects["code"]},
        "api:trades": {"code": objects["code"]},
        "api:candles": {"code": objects["code"]},
        "api:statistics": {"code": objects["code"]},
        "api:order": {"order_id": objects["order"]},
        "api:receipt": {"entry_id": objects["entry"]},
        "api:redemption": {"public_id": objects["redemption"]},
        "revoke-api-key": {"key_id": NO_ID},
        "decide-device": {"login_id": NO_ID},
        "retry-redemption": {"public_id": objects["redemption"]},
    }.get(name, {})


__all__ = ["MISSING", "NO_ID", "Account", "Redemption", "Two", "arguments", "make"]
