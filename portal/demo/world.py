"""Makes the demo world, once, through the same actions as anybody's."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from ledger.assets import credits as credit_asset
from ledger.assets import define_pool_series
from ledger.governance.approvals import approve, ask_approval
from ledger.governance.capacity import issuable
from ledger.governance.governing import utc_text
from ledger.models import SECONDS_PER_GPU_HOUR, UNITS_PER_CREDIT, Approval, Asset, Capacity, Posting, Wallet
from ledger.transfers import grant, issue
from market.answers import NewOrder
from market.instruments import open_instrument
from market.models import LOTS_PER_GPU_HOUR, Instrument
from market.offerings.models import Offering
from market.offerings.offering import offer_series
from market.orders import place_orders
from portal.demo import people
from portal.demo.series import GPU_TYPES, GPUS_PER_NODE, GpuType, quarters
from portal.demo.strategy import BUY, SELL, Quote, Seen, makes, mood, quotes
from portal.institutes.cohorts import make_code, make_cohort
from portal.people.accounts import add_member, found_organisation, sign_up
from portal.people.models import Membership, Organisation, User
from scheduler.models import ResourceClass

ISSUED_GPU_HOURS = 40_000
RESEARCHER_GPU_HOURS = 60
TRADER_GPU_HOURS = 1_500
# Who has less of all series together is a small holder in the demo's offering: researchers who do not trade all day.
SMALL_GPU_HOURS = 1_000
Role = Membership.Role


@dataclass
class World:
    """What has been made so far."""

    now: datetime
    departments: dict[str, Organisation] = field(default_factory=dict)
    institutes: dict[str, Organisation] = field(default_factory=dict)
    people: dict[str, User] = field(default_factory=dict)
    series: dict[str, tuple[GpuType, Asset]] = field(default_factory=dict)


def is_made() -> bool:
    return User.objects.filter(email=people.email("oli")).exists()


def make_world() -> World:
    """Everything of the demo. The last thing made is the operator: without them it is made again, each step once."""
    world = World(timezone.now())
    make_resource_classes()
    make_organisations(world)
    make_series(world)
    make_people(world)
    attest(world)
    hand_out(world)
    make_cohorts(world)
    make_orders(world)
    offer(world)
    person(world, "oli", Role.OPERATOR, None)
    return world


def make_resource_classes() -> None:
    for gpu in GPU_TYPES:
        ResourceClass.objects.update_or_create(
            code=gpu.code,
            defaults={
                "name": gpu.name,
                "partition": gpu.gpu.lower(),
                "gres_type": gpu.gpu.lower(),
                "qos_by_priority": {"normal": "normal"},
                "gpus_per_node": GPUS_PER_NODE,
                "total_gpus": gpu.nodes * GPUS_PER_NODE,
                "gpu_name": gpu.name,
                "gpu_memory_gb": gpu.memory_gb,
                "network_gbps": gpu.network_gbps,
                "dense_bf16_tflops": gpu.dense_bf16_tflops,
            },
        )


def make_organisations(world: World) -> None:
    kind = Organisation.Kind
    for slug, name, description in people.DEPARTMENTS:
        world.departments[slug] = organisation(world, kind.DEPARTMENT, slug, name, description, None)
    for slug, name, sponsor, description in people.INSTITUTES:
        department = world.departments[sponsor]
        world.institutes[slug] = organisation(world, kind.INSTITUTE, slug, name, description, department)


def organisation(
    world: World, kind: str, slug: str, name: str, description: str, sponsor: Organisation | None
) -> Organisation:
    found = Organisation.objects.filter(slug=slug).first()
    return found or found_organisation(
        kind=kind, name=name, slug=slug, description=description, slurm_account="team_a", sponsor=sponsor, now=world.now
    )


def make_series(world: World) -> None:
    for quarter in quarters(world.now):
        for gpu in GPU_TYPES:
            asset = define_pool_series(
                code=f"{gpu.gpu}-{quarter.name}",
                resource_class=gpu.code,
                gpu_type=gpu.gpu.lower(),
                gpu_memory_gb=gpu.memory_gb,
                network_gbps=gpu.network_gbps,
                priority="normal",
                dense_bf16_tflops=gpu.dense_bf16_tflops,
                starts_at=quarter.starts_at,
                expires_at=quarter.ends_at,
                now=world.now,
            )
            world.series[asset.code] = (gpu, asset)
            open_instrument(asset_id=asset.id, now=world.now)


def make_people(world: World) -> None:
    first, *others = world.departments.values()
    institute = world.institutes["northgate"]
    person(world, "rin", Role.RESEARCHER, first)
    person(world, "sam", Role.STUDENT, institute)
    person(world, "lea", Role.INSTITUTE_LEAD, institute)
    person(world, "ada", Role.DEPARTMENT_ADMIN, first)
    person(world, "bea", Role.DEPARTMENT_ADMIN, first)
    person(world, "aud", Role.AUDITOR, None)
    for number, name in enumerate(people.TRADERS):
        person(world, name, Role.RESEARCHER, [first, *others][number % (len(others) + 1)])


_PASSWORD: list[str] = []


def person(world: World, name: str, role: str, organisation: Organisation | None) -> User:
    """A person of the demo. Hashing a password is slow on purpose, so one hash serves them all."""
    address = people.email(name)
    user = User.objects.filter(email=address).first()
    if user is None:
        called = (people.NAMES | people.TRADERS)[name]
        user = sign_up(email=address, password=None, name=called, now=world.now, verified=True)
        if not _PASSWORD:
            _PASSWORD.append(make_password(people.PASSWORD))
        user.password = _PASSWORD[0]
        user.is_staff = role in {Role.DEPARTMENT_ADMIN, Role.AUDITOR, Role.OPERATOR}
        user.save(update_fields=["password", "is_staff"])
    add_member(user=user, role=role, organisation=organisation, now=world.now)
    world.people[name] = user
    return user


def attest(world: World) -> None:
    """Say what the cluster can deliver in the two quarters: one admin asks, the other approves."""
    first, last = (quarter for quarter in quarters(world.now))
    for gpu in GPU_TYPES:
        if not Capacity.objects.filter(resource_class=gpu.code).exists():
            content = {
                "resource_class": gpu.code, "gpus": gpu.nodes * GPUS_PER_NODE,
                "starts_at": utc_text(first.starts_at), "ends_at": utc_text(last.ends_at),
            }  # fmt: skip
            by_two(world, Approval.Kind.CAPACITY, content, f"All {gpu.name} nodes of the demo cluster.")


def by_two(world: World, kind: str, content: dict[str, Any], reason: str) -> None:
    asks, approves = world.people["ada"].id, world.people["bea"].id
    asked = ask_approval(kind=kind, content=content, reason=reason, requester_id=asks, now=world.now)
    approve(approval_id=asked.id, approver_id=approves, now=world.now)


def hand_out(world: World) -> None:
    """Departments are issued tokens and credits; they grant them on. Late in a quarter there is less to hand out."""
    money = credit_asset(now=world.now)
    hours = {code: share_of(world, asset) for code, (_, asset) in world.series.items()}
    for slug, department in world.departments.items():
        issued(world, money, department.wallet, 2_000_000 * UNITS_PER_CREDIT, f"{slug}-credits")
        for code, (_, asset) in world.series.items():
            issued(world, asset, department.wallet, hours[code] * SECONDS_PER_GPU_HOUR, f"{slug}-{code}")
    for slug, institute in world.institutes.items():
        assert institute.sponsor is not None
        for code, (_, asset) in world.series.items():
            amount = hours[code] // 20 * SECONDS_PER_GPU_HOUR
            granted(world, asset, institute.sponsor.wallet, institute.wallet, amount, slug + code)
    source = world.departments["language-models"].wallet
    for name in ("rin", *people.TRADERS):
        wallet = wallet_of(world.people[name])
        granted(world, money, source, wallet, 20_000 * UNITS_PER_CREDIT, f"{name}-credits")
        for code, (_, asset) in world.series.items():
            most = min(RESEARCHER_GPU_HOURS, hours[code] // 25) if name == "rin" else trader_hours(hours[code])
            amount = most * SECONDS_PER_GPU_HOUR
            granted(world, asset, source, wallet, amount, f"{name}-{code}")


def trader_hours(share: int) -> int:
    """GPU-hours of a series that each simulated trader is granted."""
    return min(TRADER_GPU_HOURS, share // 25)


def share_of(world: World, asset: Asset) -> int:
    """GPU-hours of a series for each department: a quarter of what can be delivered before it expires, at most
    40,000. Asked again it is what it was, as the keys of the issues are."""
    first = next(iter(world.departments.values())).wallet
    made = Posting.objects.filter(
        transfer__transfer_kind="ISSUE", account__wallet=first, account__asset=asset, amount__gt=0
    ).first()
    if made is not None:
        return made.amount // SECONDS_PER_GPU_HOUR
    return min(ISSUED_GPU_HOURS, issuable(asset, world.now) // SECONDS_PER_GPU_HOUR // 4)


def issued(world: World, asset: Asset, wallet: Wallet, amount: int, key: str) -> None:
    issue(asset_id=asset.id, wallet_id=wallet.id, amount=amount, now=world.now, scope="demo", key=f"issue-{key}")


def granted(world: World, asset: Asset, giver: Wallet, receiver: Wallet, amount: int, key: str) -> None:
    grant(
        asset_id=asset.id, from_wallet_id=giver.id, to_wallet_id=receiver.id, amount=amount,
        now=world.now, scope="demo", key=f"grant-{key}",
    )  # fmt: skip


def wallet_of(user: User) -> Wallet:
    assert user.wallet is not None
    return user.wallet


def make_cohorts(world: World) -> None:
    quarter = quarters(world.now)[0]
    for slug, name, gpu, hours in people.COHORTS:
        institute = world.institutes[slug]
        if institute.cohorts.filter(name=name).exists():
            continue
        cohort = make_cohort(
            institute=institute,
            name=name,
            asset=world.series[f"{gpu}-{quarter.name}"][1],
            allowance=hours * SECONDS_PER_GPU_HOUR,
            starts_at=world.now,
            ends_at=quarter.ends_at,
            now=world.now,
        )
        make_code(cohort=cohort, max_uses=40, expires_at=world.now + timedelta(days=30), now=world.now)


def make_orders(world: World) -> None:
    """A full book and a short run of trades in every series, by the simulated traders as they trade later on."""
    wallets = {name: wallet_of(world.people[name]).id for name in people.TRADERS}
    at, money = world.now.timestamp(), 20_000 * UNITS_PER_CREDIT
    orders = []
    for series, (code, (gpu, asset)) in enumerate(world.series.items()):
        instrument = Instrument.objects.get(asset=asset).id
        lots = trader_hours(share_of(world, asset)) * LOTS_PER_GPU_HOUR
        seen = Seen(code, at, gpu.price, None, None, (), lots, lots, money)
        makers = [name for trader, name in enumerate(wallets) if makes(trader, series)]
        takers = [name for trader, name in enumerate(wallets) if not makes(trader, series)]
        rows = [(name, quote, True) for name, quote in first_quotes(makers, seen)]
        rows += [(name, quote, False) for name, quote in first_trades(takers, seen)]
        orders += [
            NewOrder(
                instrument, wallets[name], quote.side, quote.price, quote.quantity, f"demo-{code}-{number}",
                "GTC" if waits else "IOC", post_only=waits,
            )
            for number, (name, quote, waits) in enumerate(rows)
        ]  # fmt: skip
    place_orders(orders)


def offer(world: World) -> None:
    """A department offers of next quarter's scarcest series, and the simulated traders bid for more than there is: an
    auction for the first minutes, and afterwards what everybody was given."""
    series, (code, (gpu, asset)) = list(enumerate(world.series.items()))[-1]
    instrument = Instrument.objects.get(asset=asset)
    if Offering.objects.filter(instrument=instrument).exists():
        return
    lots = trader_hours(share_of(world, asset)) * LOTS_PER_GPU_HOUR
    offer_series(
        instrument_id=instrument.id, wallet_id=world.departments["language-models"].wallet.id, quantity=lots,
        reserve_price=gpu.price * 95 // 100, set_aside_percent=20, small_below=SMALL_GPU_HOURS * LOTS_PER_GPU_HOUR,
        collect_seconds=150, no_cancel_seconds=30, reason="The first nodes of next quarter.",
        by_id=world.people["ada"].id, now=timezone.now(),
    )  # fmt: skip
    takers = [name for trader, name in enumerate(people.TRADERS) if not makes(trader, series)]
    place_orders([
        NewOrder(
            instrument.id, wallet_of(world.people[name]).id, BUY, gpu.price * (103 - 2 * number) // 100,
            lots * 3 // 4, f"demo-offer-{code}",
        )
        for number, name in enumerate(takers)
    ])  # fmt: skip


def first_quotes(makers: Sequence[str], seen: Seen) -> Iterator[tuple[str, Quote]]:
    """What the makers quote, one after the other, each seeing what stands there already."""
    for name in makers:
        found = quotes(name, seen)
        bids, asks = ([quote.price for quote in found if quote.side == side] for side in (BUY, SELL))
        best_bid, best_ask = max([*bids, seen.best_bid or 0]), min([*asks, seen.best_ask or asks[0]])
        seen = replace(seen, best_bid=best_bid, best_ask=best_ask)
        yield from ((name, quote) for quote in found)


def first_trades(takers: Sequence[str], seen: Seen) -> Iterator[tuple[str, Quote]]:
    """What the takers buy and sell, each in the direction in which they will go on, so that nothing goes round."""
    chance = random.Random(seen.code)  # noqa: S311
    moods = {name: mood(seen.code, turn / len(takers), seen.at) for turn, name in enumerate(takers)}
    names = [name for name in takers if moods[name]]
    for number in range(12):
        name = names[number % len(names)]
        side = moods[name] or BUY
        quantity = max(1, int(seen.usual * chance.uniform(0.001, 0.005)))
        yield name, Quote(side, round(seen.list_price * (1.1 if side == BUY else 0.9)), quantity)
