"""What each command asks the site, and how the answer looks to people."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hourglass_client.client import Client, Document
from hourglass_client.feed import BUY, SELL, TOP, Follower
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
    is_one_of_many: bool = False


def instruments(site: Client, asked: argparse.Namespace) -> Said:
    found = site.instruments()
    rows = [[each["code"], each["phase"], shown(each["last_price"], TICKS), each["expires_at"]] for each in found]
    return Said(found, ["series", "phase", "last cr", "expires at"], rows, "Nothing is traded yet.")


def instrument(site: Client, asked: argparse.Namespace) -> Said:
    return _one(site.instrument(asked.instrument))


def book(site: Client, asked: argparse.Namespace) -> Said:
    found = site.book(asked.instrument, levels=asked.levels)
    sides = [("sell", level) for level in reversed(found["asks"])] + [("buy", level) for level in found["bids"]]
    rows = [[side, shown(level["price"], TICKS), shown(level["quantity"], LOTS)] for side, level in sides]
    return Said(found, ["side", "price cr", "quantity GPU-h"], rows, "Nobody offers or bids.")


def watch(site: Client, asked: argparse.Namespace) -> Iterator[Said]:
    """Each event with the ten best levels after it; every one of them proved, or it would not be here."""
    follower = Follower(site, asked.instrument, lost=lambda: _tell_lost(asked))
    for count, (live, event) in enumerate(follower.updates()):
        bids, asks = live.levels(BUY, TOP), live.levels(SELL, TOP)
        document = {"number": live.number, **(event or {}), "checksum": live.checksum, "bids": bids, "asks": asks}
        best = " · ".join(
            f"{name} {shown(levels[0][1], LOTS)} GPU-h at {shown(levels[0][0], TICKS)} cr" if levels else f"no {name}"
            for name, levels in (("bid", bids), ("ask", asks))
        )
        traded = "".join(
            f"; {side.lower()} {shown(quantity, LOTS)} at {shown(price, TICKS)}"
            for _number, price, quantity, side in (event or {}).get("trades", ())
        )
        yield Said(document, text=f"{live.number} {best}{traded}\n", is_one_of_many=True)
        if asked.events is not None and count >= asked.events:
            return


def _tell_lost(asked: argparse.Namespace) -> None:
    if not asked.json:
        print("The connection is lost; connecting again …", file=sys.stderr, flush=True)


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
    if asked.self_trade:
        more["self_trade"] = asked.self_trade
    placed = site.place_order(
        asked.instrument, asked.side.upper(), limit_price=units(asked.price, TICKS, "credits"),
        quantity=units(asked.quantity, LOTS, "GPU-hours"), key=asked.key, **more, **_wallet(asked),
    )  # fmt: skip
    return _became(placed)


def bulk(site: Client, asked: argparse.Namespace) -> Said:
    """A JSON list of orders as the API takes them, or one order a line."""
    answers = site.place_orders(_rows(_read(asked.file)), **_wallet(asked))
    rows = []
    for number, answer in enumerate(answers):
        order, problem = answer.get("order", {}), answer.get("problem", {})
        rows.append(
            [
                str(number), str(answer.get("client_order_id") or ""), str(answer["status"]), str(order.get("id", "")),
                problem["code"] if problem else order["status"].lower(),
            ]
        )  # fmt: skip
    return Said(answers, ["row", "client order id", "status", "order", "became"], rows)


def orders(site: Client, asked: argparse.Namespace) -> Said:
    wanted = {name: getattr(asked, name) for name in ("instrument", "status") if getattr(asked, name)}
    return _orders(_some(site.orders(limit=min(asked.limit, 500), **wanted, **_wallet(asked)), asked.limit))


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
    count = site.cancel_orders(asked.instrument, **_wallet(asked))
    return Said({"cancelled": count}, text=f"Cancelled: {count}.\n")


def timer(site: Client, asked: argparse.Namespace) -> Said:
    mine = _wallet(asked)
    found = site.cancel_timer(**mine) if asked.seconds is None else site.set_cancel_timer(asked.seconds, **mine)
    at = found["cancel_at"]
    return Said(found, text=f"All orders are cancelled at {at}.\n" if at else "The timer is off.\n")


def balances(site: Client, asked: argparse.Namespace) -> Said:
    found = site.balances(**_wallet(asked))
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
    found = _some(site.transfers(limit=min(asked.limit, 500), **_wallet(asked)), asked.limit)
    rows = [
        [str(each["entry"]), each["recorded_at"], each["kind"].lower(), _sides(each["sides"]), each["reference"]]
        for each in found
    ]
    return Said(found, ["entry", "at", "kind", "amounts", "reference"], rows, "Nothing has come or gone yet.")


def send(site: Client, asked: argparse.Namespace) -> Said:
    is_credits = asked.asset == CREDITS
    amount = units(asked.amount, CREDIT_UNITS if is_credits else GPU_SECONDS, "credits" if is_credits else "GPU-hours")
    sent = site.send(to=asked.to, asset=asked.asset, amount=amount, key=asked.key, **_wallet(asked))
    return Said(sent, text=f"Sent: {_amount(asked.asset, amount)} of {asked.asset}, entry {sent['entry']}.\n")


def receipt(site: Client, asked: argparse.Namespace) -> Said:
    text = site.receipt(asked.entry)
    return Said({"entry": asked.entry, "receipt": text}, text=text)


def jobs(site: Client, asked: argparse.Namespace) -> Said:
    found = _some(site.redemptions(limit=min(asked.limit, 500), **_wallet(asked)), asked.limit)
    rows = [
        [each["id"], each["job_name"], each["asset"], str(each["gpus"]), each["status"].lower(), each["created_at"]]
        for each in found
    ]
    return Said(found, ["id", "name", "asset", "GPUs", "status", "since"], rows, "No job yet.")


def job(site: Client, asked: argparse.Namespace) -> Said:
    return _one(site.redemption(asked.id))


def run(site: Client, asked: argparse.Namespace) -> Said:
    script = _read(asked.script)
    made = site.redeem(
        asset=asked.asset, kind="SCRIPT", gpus=asked.gpus, walltime_minutes=asked.minutes, job_name=asked.name,
        script=script, key=asked.key, **_wallet(asked),
    )  # fmt: skip
    return Said(made, text=f"{made['id']} is {made['status'].lower()}.\n")


def cancel_job(site: Client, asked: argparse.Namespace) -> Said:
    return _one(site.cancel_redemption(asked.id))


def _read(file: str) -> str:
    """A file's text, or standard input's for -."""
    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotExact(f"{file} is not text in UTF-8.") from error


def _rows(text: str) -> list[Any]:
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        raise NotExact(f"That is neither a JSON list of orders nor one order a line: {error}.") from error
    if not all(isinstance(row, dict) for row in found):
        raise NotExact("An order is a JSON object.")
    return list(found)


def _wallet(asked: argparse.Namespace) -> dict[str, str]:
    return {"wallet": asked.wallet} if asked.wallet else {}


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
