"""Logging in without a browser on this machine (RFC 8628): show a code, wait until somebody has approved it."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time

from hourglass_client.client import Client, Problem, Unreachable
from hourglass_client.keeping import forget, keep

SCOPES = ("read", "trade", "transfer", "redeem")


def log_in(asked: argparse.Namespace) -> None:
    """Ask for a key, show the code, wait, keep the key."""
    site = Client(asked.url)
    started = site.start_device_login(f"hourglass on {platform.node() or 'a computer'}"[:80], asked.scopes or SCOPES)
    print(
        f"Open {started['verification_uri']}\nand type  {started['user_code']}\n"
        f"or open {started['verification_uri_complete']}\nWaiting …",
        file=sys.stderr, flush=True,
    )  # fmt: skip
    key = _wait(site, started["device_code"], int(started["interval"]), int(started["expires_in"]))
    file = keep(site.url, key)
    print(json.dumps({"url": site.url, "kept_in": str(file)}) if asked.json else f"Logged in. The key is in {file}.")


def log_out(asked: argparse.Namespace) -> None:
    """Forget the key here; on the site it lasts until it is revoked there."""
    had = forget()
    if asked.json:
        print(json.dumps({"forgotten": had}))
    elif had:
        print("The key is forgotten here. On the site it can still be revoked: see API keys.")
    else:
        print("Nobody was logged in.")


def _wait(site: Client, device_code: str, interval: int, expires_in: int) -> str:
    deadline = time.monotonic() + expires_in
    while time.monotonic() < deadline:
        time.sleep(interval)
        try:
            return str(site.take_device_key(device_code)["access_token"])
        except Problem as problem:
            if problem.code == "slow_down":
                interval += 2
            elif problem.code != "authorization_pending":
                raise
    raise Unreachable("Nobody approved the code in time. Run the command again.")
