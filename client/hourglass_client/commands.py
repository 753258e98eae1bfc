"""What each command asks the site, and how the answer looks to people."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hourglass_client.client import Client, Document
from hourglass_client.units import CREDIT_UNITS, GPU_SECONDS, LOTS, TICKS, NotExact, shown, units

CREDITS = "CREDITS"


@dataclass(frozen=True)
class Said:
    """What the site answered (`document`), and the same as a table, or as text."""

    document: Any
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    empty: str = "There is nothing."
    text: str | None = None


def instruments(site: Client, asked: argparse.Namespace) -> Said:
    found = site.instruments()
    rows = [[each["code"], each["phase"], shown(each["last_price"], TICKS), each["expires_at"]] for each in found]
    return Said(found, ["series", "phase", "last cr", "expires at"], rows, "Nothing is traded yet.")


def book(site: Client, asked: argparse.Namespace) -> Said:
    found = site.book(asked.instrument, levels=asked.levels)
    sides = [("sell", level) for level in reversed(found["asks"])] + [("buy", level) for level in found["bids"]]
    rows = [[side, shown(level["price"], TICKS), shown(level["quantity"], LOTS)] for side, level in sides]
    return Said(found, ["side", "price cr", "quantity GPU-h"], rows, "Nobody offers or bids.")


def trades(site: Client, asked: argparse.Namespace) -> Said:
    found = _some(site.trades(asked.instrument, limit=min(asked.limit, 500)), asked.limit)
    rows = [
        [each["traded_at"], each["taker_side"].lower(), shown(each["price"], TICKS), shown(each["quantity"], LOTS)]
        for each in found
    ]
    return Said(found, ["at", "taker", "price cr", "quantity GPU-h"], rows, "Nothing has been traded yet.")


def candles(site: Client, asked: argparse.Namespace) -> Said:
    found = _some(site.candles(asked.instrument, interval=asked.interval, limit=min(asked.limit, 500)), asked.limit)
    prices = ("open", "high", "low", "close")
    rows = [
        [each["starts_at"], *(shown(each[name], TICKS) for name in prices), shown(each["volume"], LOTS)]
        for each in found
    ]
    heads = ["from", *(f"{name} cr" for name in prices), "volume GPU-h"]
    return Said(found, heads, rows, "Nothing was traded in that time.")


def place(site: Client, asked: argparse.Namespace) -> Said:
    more: dict[str, Any] = {"time_in_force": asked.tif or ("IOC" if asked.market else "GTC")}
    if asked.market:
        more["kind"] = "MARKET"
    if asked.until:
        more["expires_at"] = asked.until
    if asked.post_only:
        more["post_only"] = True
    placed = site.place_order(
        asked.instrument, asked.side.upper(), limit_price=units(asked.price, TICKS, "credits"),
        quantity=units(asked.quantity, LOTS, "GPU-hours"), key=asked.key, **more,
    )  # fmt: skip
    return _became(placed)


def orders(site: Client, asked: argparse.Namespace) -> Said:
    wanted = {name: getattr(asked, name) for name in ("instrument", "status") if getattr(asked, name)}
    return _orders(_some(site.orders(limit=min(asked.limit, 500), **wanted), asked.limit))


def order(site: Client, asked: argparse.Namespace) -> Said:
    return _one(site.order(asked.id))


def amend(site: Client, asked: argparse.Namespace) -> Said:
    changes = {}
    if asked.quantity:
        changes["quantity"] = units(asked.quantity, LOTS, "GPU-hours")
    if asked.price:
        changes["limit_price"] = units(asked.price, TICKS, "credits")
    if not changes:
        raise NotExact("Say what is to change: --quantity, --price or both.")
    return _became(site.amend_order(asked.id, **changes))


def cancel(site: Client, asked: argparse.Namespace) -> Said:
    return _one(site.cancel_order(asked.id))


def cancel_all(site: Client, asked: argparse.Namespace) -> Said:
    count = site.cancel_orders(asked.instrument)
    return Said({"cancelled": count}, text=f"Cancelled: {count}.\n")


def timer(site: Client, asked: argparse.Namespace) -> Said:
    found = site.set_cancel_timer(asked.seconds)
    at = found["cancel_at"]
    return Said(found, text=f"All orders are cancelled at {at}.\n" if at else "The timer is off.\n")


def balances(site: Client, asked: argparse.Namespace) -> Said:
    found = site.balances()
    rows = [
        [
            each["asset"],
            *(_amount(each["asset"], each[name]) for name in ("balance", "held", "available")),
            each["expires_at"] or "",
        ]
        for each in found
    ]
    return Said(found, ["asset", "balance", "held", "available", "expires at"], rows, "The wallet is empty.")


def transfers(site: Client, asked: argparse.Namespace) -> Said:
    found = _some(site.transfers(limit=min(asked.limit, 500)), asked.limit)
    rows = [
        [str(each["entry"]), each["recorded_at"], each["kind"].lower(), _sides(each["sides"]), each["reference"]]
        for each in found
    ]
    return Said(found, ["entry", "at", "kind", "amounts", "reference"], rows, "Nothing has come or gone yet.")


def send(site: Client, asked: argparse.Namespace) -> Said:
    is_credits = asked.asset == CREDITS
    amount = units(asked.amount, CREDIT_UNITS if is_credits else GPU_SECONDS, "credits" if is_credits else "GPU-hours")
    sent = site.send(to=asked.to, asset=asked.asset, amount=amount, key=asked.key)
    return Said(sent, text=f"Sent: {_amount(asked.asset, amount)} of {asked.asset}, entry {sent['entry']}.\n")


def receipt(site: Client, asked: argparse.Namespace) -> Said:
    text = site.receipt(asked.entry)
    return Said({"entry": asked.entry, "receipt": text}, text=text)


def jobs(site: Client, asked: argparse.Namespace) -> Said:
    found = _some(site.redemptions(limit=min(asked.limit, 500)), asked.limit)
    rows = [
        [each["id"], each["job_name"], each["asset"], str(each["gpus"]), each["status"].lower(), each["created_at"]]
        for each in found
    ]
    return Said(found, ["id", "name", "asset", "GPUs", "status", "since"], rows, "No job yet.")


def job(site: Client, asked: argparse.Namespace) -> Said:
    return _one(site.redemption(asked.id))


def run(site: Client, asked: argparse.Namespace) -> Said:
    script = sys.stdin.read() if asked.script == "-" else Path(asked.script).read_text(encoding="utf-8")
    made = site.redeem(
        asset=asked.asset, kind="SCRIPT", gpus=asked.gpus, walltime_minutes=asked.minutes, job_name=asked.name,
        script=script, key=asked.key,
    )  # fmt: skip
    return Said(made, text=f"{made['id']} is {made['status'].lower()}.\n")


def cancel_job(site: Client, asked: argparse.Namespace) -> Said:
    return _one(site.cancel_redemption(asked.id))


def _some(rows: Iterable[Document], limit: int) -> list[Document]:
    return list(itertools.islice(rows, max(0, limit)))


def _became(placed: Document) -> Said:
    """What happened to an order that was placed or amended."""
    filled = f"{shown(placed['filled_quantity'], LOTS)} of {shown(placed['quantity'], LOTS)} GPU-h"
    cost = f" for {shown(placed['filled_value'], CREDIT_UNITS)} cr" if int(placed["filled_value"]) else ""
    fee = f", fee {shown(placed['fees_paid'], CREDIT_UNITS)} cr" if int(placed.get("fees_paid") or 0) else ""
    text = f"Order {placed['id']} is {placed['status'].lower()}: {filled} traded{cost}{fee}.\n"
    return Said(placed, text=text)


def _orders(found: list[Document]) -> Said:
    rows = [
        [
            str(each["id"]), each["instrument"], each["side"].lower(), shown(each["limit_price"], TICKS),
            shown(each["quantity"], LOTS), shown(each["filled_quantity"], LOTS), each["status"].lower(),
        ]
        for each in found
    ]  # fmt: skip
    return Said(
        found, ["id", "series", "side", "price cr", "quantity GPU-h", "filled GPU-h", "status"], rows, "No order."
    )


def _one(found: Document) -> Said:
    """One thing, a line for each of its fields."""
    return Said(
        found, ["field", "value"], [[name, "" if value is None else str(value)] for name, value in found.items()]
    )


def _amount(asset: str, amount: int | str) -> str:
    if asset == CREDITS:
        return f"{shown(amount, CREDIT_UNITS)} cr"
    # A whole lot is exact in hours; anything else is said in seconds rather than rounded.
    return f"{int(amount)} GPU-s" if int(amount) % 36 else f"{shown(amount, GPU_SECONDS)} GPU-h"


def _sides(sides: Sequence[Document]) -> str:
    return ", ".join(f"{_amount(side['asset'], side['amount'])} {side['asset']}" for side in sides)
