"""`hourglass`: a Hourglass site from the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from hourglass_client import commands
from hourglass_client.client import BadAddress, Client, Problem, Unreachable
from hourglass_client.keeping import kept
from hourglass_client.login import SCOPES, log_in, log_out
from hourglass_client.tables import table
from hourglass_client.units import NotExact

Act = Callable[[Client, argparse.Namespace], "commands.Said | Iterable[commands.Said]"]


# Exit statuses: 1 the site said no, or it cannot be done so; 2 misspelt; 3 the site does not answer; 130 Ctrl-C.
SELF_TRADES = ["CANCEL_NEWEST", "CANCEL_OLDEST", "CANCEL_BOTH", "DECREMENT"]
REFUSED, MISSPELT, AWAY, STOPPED = 1, 2, 3, 130


class Failed(Exception):
    """The command cannot be carried out; its one line says why and what to do."""


class Parser(argparse.ArgumentParser):
    """Says what is misspelt; as JSON where JSON was asked for."""

    as_json = False

    def error(self, message: str) -> NoReturn:
        if not Parser.as_json:
            self.print_usage(sys.stderr)
        sys.exit(_failed(f"{message}; {self.prog} --help shows how.", "misspelt", MISSPELT))


def main(arguments: Sequence[str] | None = None) -> int:
    """Every way to fail is one line on standard error: a sentence, or with --json the problem as JSON."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    Parser.as_json = "--json" in words
    try:
        asked = parser().parse_args(words)
        asked.run(asked)
        sys.stdout.flush()
    except Problem as problem:
        said = problem.detail if problem.field is None else f"{problem.field}: {problem.detail}"
        return _failed(said, problem.code, document=problem.document)
    except NotExact as error:
        return _failed(str(error), "not_exact")
    except Failed as error:
        return _failed(str(error), "not_logged_in")
    except BadAddress as error:
        return _failed(str(error), "bad_address")
    except Unreachable as error:
        return _failed(str(error), "unreachable", AWAY)
    except BrokenPipeError:
        # Whoever read what we print has enough of it: `hourglass … | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as error:
        return _failed(str(error), "file")
    except KeyboardInterrupt:
        return _failed("Stopped.", "stopped", STOPPED)
    return 0


def _failed(sentence: str, code: str, status: int = REFUSED, document: Mapping[str, Any] | None = None) -> int:
    line = " ".join(sentence.split())
    if Parser.as_json:
        said = json.dumps({"code": code, "detail": line, **(document or {})}, ensure_ascii=False)
    else:
        said = f"hourglass: {line}{f' [{code}]' if document else ''}"
    print(said, file=sys.stderr)
    return status


def _asks(act: Act) -> Callable[[argparse.Namespace], None]:
    """A command that asks the site: prints a table for people, with --json what the site answered."""

    def run(asked: argparse.Namespace) -> None:
        url, key = kept()
        if not url or not key:
            raise Failed("Nobody is logged in. Run: hourglass login URL")
        site = Client(url, key)
        try:
            said = act(site, asked)
            for each in [said] if isinstance(said, commands.Said) else said:
                _print(each, asked)
        except NotExact:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # What the answer lacks, or has of another kind than we know.
            raise Unreachable(f"{site.url} does not answer as a Hourglass site does.") from error

    return run


def _print(said: commands.Said, asked: argparse.Namespace) -> None:
    if asked.json:
        # What goes on and on is a line for each.
        print(json.dumps(said.document, indent=None if said.is_one_of_many else 1, ensure_ascii=False), flush=True)
    else:
        text = said.text if said.text is not None else table(said.heads, said.rows, said.empty)
        print(text, end="", flush=True)


def parser() -> Parser:
    """Every command with its options."""
    top = Parser(
        prog="hourglass", description="Trade, send and redeem compute tokens.",
        epilog="Every command takes --json. Exit status: 0 done, 1 refused, 2 misspelt, 3 the site does not answer.",
    )  # fmt: skip
    groups = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    login = groups.add_parser("login", help="let this program in, on a page of the site")
    login.add_argument("url", help="the site, like https://hourglass.example.org")
    login.add_argument("--scope", dest="scopes", action="append", choices=SCOPES, help="what for (default: all)")
    login.add_argument("--json", action="store_true")
    login.set_defaults(run=log_in)
    logout = groups.add_parser("logout", help="forget the key")
    logout.add_argument("--json", action="store_true")
    logout.set_defaults(run=log_out)

    _market(groups)
    _orders(groups)
    _wallet(groups)
    _jobs(groups)
    return top


def _market(groups: argparse._SubParsersAction[Parser]) -> None:
    verbs = _group(groups, "instruments", "what is traded")
    _verb(verbs, "list", "all of them, with their last price", commands.instruments)
    _verb(verbs, "show", "one of them", commands.instrument, "instrument")
    book = _verb(verbs, "book", "the order book of one", commands.book, "instrument")
    book.add_argument("--levels", type=int, default=10)
    watch = _verb(verbs, "watch", "its book as it changes, proved after every event", commands.watch, "instrument")
    watch.add_argument("--events", type=int, help="stop after so many (default: Ctrl-C)")
    trades = _verb(verbs, "trades", "its newest trades", commands.trades, "instrument")
    trades.add_argument("--limit", type=int, default=20)
    candles = _verb(verbs, "candles", "its prices over time", commands.candles, "instrument")
    candles.add_argument("--interval", choices=["1m", "5m", "1h", "1d"], default="1h")
    candles.add_argument("--limit", type=int, default=24)


def _orders(groups: argparse._SubParsersAction[Parser]) -> None:
    verbs = _group(groups, "orders", "place, list, amend and cancel orders")
    place = _verb(verbs, "place", "place one order", commands.place, "instrument")
    place.add_argument("side", choices=["buy", "sell"])
    place.add_argument("quantity", help="GPU-hours, in steps of 0.01")
    place.add_argument("--price", required=True, help="limit in credits a GPU-hour, in steps of 0.01")
    place.add_argument("--market", action="store_true", help="trade at once, the price being a protection limit")
    place.add_argument("--tif", choices=["GTC", "GTD", "IOC", "FOK"], help="how long it stays (default GTC)")
    place.add_argument("--until", metavar="TIME", help="for GTD: an instant like 2026-12-01T12:00:00Z")
    place.add_argument("--post-only", action="store_true", help="reject it rather than trade at once")
    place.add_argument("--self-trade", choices=SELF_TRADES, help="where it would meet an order of your own")
    place.add_argument("--key", help="client order id: the same one places the order once, however often it is asked")
    _wallet_option(place)
    bulk = _verb(verbs, "bulk", "place up to 1,000 orders from a file, each answered", commands.bulk, "file")
    _wallet_option(bulk)
    listed = _verb(verbs, "list", "the newest orders", commands.orders)
    listed.add_argument("--instrument")
    listed.add_argument("--status", choices=["OPEN", "WAITING", "FILLED", "CANCELLED", "REJECTED"])
    listed.add_argument("--limit", type=int, default=20)
    _wallet_option(listed)
    _verb(verbs, "show", "one order", commands.order, "id")
    amend = _verb(verbs, "amend", "change quantity or price in place", commands.amend, "id")
    amend.add_argument("--quantity", help="new total in GPU-hours, what is filled included")
    amend.add_argument("--price", help="new limit in credits a GPU-hour")
    _verb(verbs, "cancel", "cancel one order", commands.cancel, "id")
    everything = _verb(verbs, "cancel-all", "cancel all open orders", commands.cancel_all)
    everything.add_argument("--instrument", help="only those in this one")
    _wallet_option(everything)
    timer = _verb(verbs, "timer", "cancel all unless this is run again in time", commands.timer)
    timer.add_argument("seconds", type=int, nargs="?", help="0 switches it off; nothing shows whether one is set")
    _wallet_option(timer)


def _wallet(groups: argparse._SubParsersAction[Parser]) -> None:
    balances = groups.add_parser("balances", help="what the wallet has")
    balances.add_argument("--json", action="store_true")
    balances.set_defaults(run=_asks(commands.balances))
    _wallet_option(balances)
    verbs = _group(groups, "transfers", "what came and went")
    listed = _verb(verbs, "list", "the newest transfers", commands.transfers)
    listed.add_argument("--limit", type=int, default=20)
    _wallet_option(listed)
    send = _verb(verbs, "send", "send to another wallet", commands.send, "asset")
    send.add_argument("amount", help="GPU-hours of a series, or credits")
    send.add_argument("--to", required=True, help="the receiving wallet's public id")
    send.add_argument("--key", help="the same key sends once, however often it is asked")
    _wallet_option(send)
    _verb(_group(groups, "receipts", "proofs"), "get", "an entry's receipt", commands.receipt, "entry")


def _jobs(groups: argparse._SubParsersAction[Parser]) -> None:
    verbs = _group(groups, "jobs", "redeem tokens, follow jobs")
    listed = _verb(verbs, "list", "the newest jobs", commands.jobs)
    listed.add_argument("--limit", type=int, default=20)
    _wallet_option(listed)
    _verb(verbs, "show", "one job", commands.job, "id")
    run = _verb(verbs, "run", "redeem tokens for a job that runs a script", commands.run, "asset")
    run.add_argument("script", help="a file; - for standard input")
    run.add_argument("--gpus", type=int, default=1)
    run.add_argument("--minutes", type=int, required=True, help="walltime; what is not used comes back")
    run.add_argument("--name", default="hourglass")
    run.add_argument("--key", help="the same key runs once, however often it is asked")
    _wallet_option(run)
    _verb(verbs, "cancel", "cancel one job", commands.cancel_job, "id")


def _wallet_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--wallet", metavar="ID", help="act for this wallet, of those you may act for (default: yours)"
    )


def _group(groups: argparse._SubParsersAction[Parser], name: str, about: str) -> argparse._SubParsersAction[Parser]:
    return groups.add_parser(name, help=about).add_subparsers(required=True, metavar="VERB")


def _verb(verbs: argparse._SubParsersAction[Parser], name: str, about: str, act: Act, *places: str) -> Parser:
    command = verbs.add_parser(name, help=about)
    for place in places:
        command.add_argument(place)
    command.add_argument("--json", action="store_true", help="what the site answered, in its smallest units")
    command.set_defaults(run=_asks(act))
    return command


if __name__ == "__main__":
    sys.exit(main())
