"""The hourglass command against a real site: what it prints, what it refuses, how it logs in."""

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser

from ledger.models import Account
from market.models import Order
from portal.api.models import ApiKey, DeviceLogin
from tests.api.builders import Api, Market, a_market, a_trader
from tests.people.builders import PASSWORD, Role, some_department, some_person
from tests.scheduler.builders import drawn_class

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENT = ROOT / "client"
sys.path.insert(0, str(CLIENT))

from hourglass_client import cli  # noqa: E402
from hourglass_client.client import Client, Problem  # noqa: E402
from hourglass_client.units import LOTS, TICKS, NotExact, shown, units  # noqa: E402

pytestmark = pytest.mark.django_db(transaction=True)


class Shell:
    """Runs `hourglass` as somebody with a key."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: Any, url: str, api: Api) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch
        monkeypatch.setenv("HOURGLASS_URL", url)
        monkeypatch.setenv("HOURGLASS_KEY", api.secret)

    def acts_as(self, api: Api) -> None:
        self.monkeypatch.setenv("HOURGLASS_KEY", api.secret)

    def run(self, *words: str) -> tuple[int, str, str]:
        status = cli.main(words)
        said = self.capsys.readouterr()
        return status, said.out, said.err

    def json(self, *words: str) -> Any:
        status, out, err = self.run(*words, "--json")
        assert status == 0, err
        return json.loads(out)

    def refused(self, *words: str, status: int = 1) -> str:
        """The one line that it fails with."""
        ended, out, err = self.run(*words)
        assert (ended, out) == (status, ""), (ended, out)
        assert err.startswith("hourglass: ")
        assert err.count("\n") == 1, err
        return err


@pytest.fixture
def market() -> Market:
    return a_market()


@pytest.fixture
def shell(monkeypatch, capsys, live_server, market) -> Shell:
    return Shell(monkeypatch, capsys, live_server.url, market.ada)


def test_orders_are_placed_listed_amended_and_cancelled(shell, market):
    code = market.instrument.code
    status, out, _ = shell.run("orders", "place", code, "sell", "1.5", "--price", "2.40")
    assert status == 0
    assert re.fullmatch(r"Order \d+ is open: 0.00 of 1.50 GPU-h traded.\n", out)
    order = Order.objects.get()
    assert (order.limit_price, order.quantity, order.side) == (240, 150, "SELL")

    assert "2.4" in shell.run("orders", "list")[1]
    amended = shell.json("orders", "amend", str(order.id), "--quantity", "0.5")
    assert amended["quantity"] in {50, "50"}
    assert shell.json("orders", "list", "--status", "OPEN")[0]["quantity"] in {50, "50"}
    assert shell.json("orders", "cancel", str(order.id))["status"] == "CANCELLED"
    shell.json("orders", "place", code, "sell", "1", "--price", "3", "--post-only")
    assert shell.json("orders", "cancel-all") == {"cancelled": 1}
    assert shell.json("orders", "timer", "60")["cancel_at"]


def test_a_trade_is_seen_in_book_trades_and_balances(shell, market):
    code = market.instrument.code
    market.bob.post("orders/", {"instrument": code, "side": "SELL", "limit_price": 250, "quantity": 200})
    assert re.search(r"sell\s+2\.50\s+2\.00\n", shell.run("instruments", "book", code)[1])

    done = shell.json("orders", "place", code, "buy", "1", "--price", "2.6", "--market")

    assert done["status"] == "FILLED"
    assert int(done["filled_value"]) == 250 * 100
    assert int(shell.json("instruments", "trades", code)[0]["price"]) == 250
    assert "2.5" in shell.run("instruments", "list")[1]
    have = {each["asset"]: int(each["balance"]) for each in shell.json("balances")}
    account = Account.objects.get(wallet=market.ada.wallet, asset=market.instrument.asset)
    assert have[code] == account.balance
    assert shell.run("balances")[0] == shell.run("instruments", "candles", code)[0] == 0
    entry = str(shell.json("transfers", "list")[0]["entry"])
    assert shell.run("transfers", "list")[0] == 0
    assert "receipts" not in shell.refused("receipts", "get", entry + "000")


def test_the_same_key_places_once(shell, market):
    words = ("orders", "place", market.instrument.code, "buy", "1", "--price", "1", "--key", "mine")
    assert shell.json(*words)["id"] == shell.json(*words)["id"]
    assert Order.objects.count() == 1


def test_tokens_are_sent(shell, market):
    to = str(market.bob.wallet.public_id)
    before = Account.objects.get(wallet=market.bob.wallet, asset=market.instrument.asset).balance
    status, out, err = shell.run("transfers", "send", market.instrument.code, "0.5", "--to", to)
    assert status == 0, err
    assert "0.50 GPU-h" in out
    after = Account.objects.get(wallet=market.bob.wallet, asset=market.instrument.asset).balance
    assert after - before == 1800


def test_a_job_is_run_shown_and_cancelled(shell, market, tmp_path, settings):
    settings.HOURGLASS_JOBS_DIR = tmp_path
    drawn_class("h100-sxm-80gb")
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/bash\ntrue\n")
    made = shell.json("jobs", "run", market.instrument.code, str(script), "--minutes", "5", "--name", "first")
    assert shell.json("jobs", "list")[0]["id"] == made["id"]
    assert shell.run("jobs", "show", made["id"])[0] == 0
    assert shell.run("jobs", "cancel", made["id"])[0] == 0


def test_orders_in_bulk_from_a_file_are_each_answered(shell, market, tmp_path):
    rows = [
        {"instrument": market.instrument.code, "side": "BUY", "limit_price": 100 + n, "quantity": n} for n in range(3)
    ]
    as_list, as_lines = tmp_path / "list", tmp_path / "lines"
    as_list.write_text(json.dumps(rows))
    as_lines.write_text("\n".join(json.dumps(row | {"client_order_id": f"l{n}"}) for n, row in enumerate(rows)))

    answers = shell.json("orders", "bulk", str(as_list))
    status, out, _ = shell.run("orders", "bulk", str(as_lines))

    assert [each["status"] for each in answers] == [422, 201, 201]
    assert (status, [line.split()[-1] for line in out.splitlines()]) == (0, ["became", "out_of_range", "open", "open"])
    assert Order.objects.count() == 4
    assert shell.json("orders", "bulk", str(as_lines))[1:] == shell.json("orders", "bulk", str(as_lines))[1:]
    assert Order.objects.count() == 4


def test_a_timer_is_set_and_asked_for_and_a_series_shown(shell, market):
    assert shell.run("orders", "timer")[1] == "The timer is off.\n"
    shell.json("orders", "timer", "60")
    assert "are cancelled at" in shell.run("orders", "timer")[1]
    assert shell.json("instruments", "show", market.instrument.code)["gpu_memory_gb"] == 80


def test_what_self_trade_and_wallet_say_is_passed_on(shell, market):
    code, words = market.instrument.code, ("--price", "1.50")
    shell.json("orders", "place", code, "sell", "1", *words)
    met = shell.json("orders", "place", code, "buy", "1", *words, "--self-trade", "CANCEL_OLDEST")
    assert (met["status"], [each["status"] for each in shell.json("orders", "list")]) == ("OPEN", ["OPEN", "CANCELLED"])
    foreign = str(market.bob.wallet.public_id)
    for words in (
        ("orders", "place", code, "buy", "1", "--price", "1"), ("orders", "list"), ("orders", "cancel-all"),
        ("orders", "timer"), ("orders", "timer", "60"), ("balances",), ("transfers", "list"), ("jobs", "list"),
        ("transfers", "send", code, "1", "--to", foreign),
    ):  # fmt: skip
        assert "no such wallet" in shell.refused(*words, "--wallet", foreign), words
    department = some_department()
    dora = Api(some_person("Dora", (Role.DEPARTMENT_ADMIN, department)))
    shell.acts_as(dora)
    assert shell.json("balances", "--wallet", str(department.wallet.public_id)) == []


def test_a_refusal_is_one_line_with_its_code(shell, market):
    assert "[not_enough]" in shell.refused("orders", "place", market.instrument.code, "buy", "9999999", "--price", "99")
    assert "[not_found]" in shell.refused("orders", "show", "99999999")
    shell.refused("orders", "place", "NO-SUCH", "buy", "1", "--price", "1")
    shell.refused("jobs", "run", market.instrument.code, "/nonexistent", "--minutes", "1")


@pytest.mark.parametrize("quantity", ["1.005", "0", "-1", "NaN", "Infinity", "one", "1e-3"])
def test_what_is_too_fine_is_refused_and_never_rounded(shell, market, quantity):
    words = ("orders", "place", market.instrument.code, "buy", "--price=1", "--", quantity)
    shell.refused(*words)
    assert not Order.objects.exists()


def test_units_are_exact_both_ways():
    for amount in (1, 7, 10, 99, 100, 12345, 10**15 + 1):
        assert units(shown(amount, TICKS), TICKS, "credits") == amount
    assert shown(None, LOTS) == ""
    with pytest.raises(NotExact):
        units("0.001", LOTS, "GPU-hours")


def test_a_misspelt_command_is_status_2_and_nobody_logged_in_is_said(shell, monkeypatch, tmp_path):
    with pytest.raises(SystemExit) as ended:
        cli.main(["orders", "plaice"])
    assert ended.value.code == 2
    monkeypatch.delenv("HOURGLASS_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    shell.capsys.readouterr()
    assert "hourglass login" in shell.refused("balances")


def test_a_site_that_is_away_or_is_another_is_one_line(shell, monkeypatch):
    monkeypatch.setattr("hourglass_client.client.TRIES", 1)
    monkeypatch.setenv("HOURGLASS_URL", "http://127.0.0.1:9")
    assert "does not answer" in shell.refused("balances", status=3)


def test_a_key_goes_to_no_address_that_anybody_could_read(shell):
    assert "https://" in shell.refused("login", "http://hourglass.example.org")


def signed_in(user: Any) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


def approve(browser: Browser, code: str, **choice: str) -> Any:
    """Type the code, show once more who one is, and decide."""
    page = browser.get("/accounts/device/", {"code": code})
    login = DeviceLogin.objects.get(user_code=code.replace("-", "").upper())
    assert login.name in page.content.decode()
    fields = {"code": code, **choice}
    answer = browser.post(f"/accounts/device/{login.id}/", fields)
    if answer["Location"].startswith("/accounts/reauthenticate/"):
        # What was being done goes on by itself after that.
        answer = browser.post(answer["Location"], {"password": PASSWORD})
    return answer


def test_device_login_from_start_to_first_question(live_server, market, tmp_path):
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(CLIENT)}
    hourglass = [sys.executable, "-m", "hourglass_client.cli"]
    process = subprocess.Popen(
        [*hourglass, "login", live_server.url, "--scope", "read"], env=environment, text=True, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    code = ""
    while not code:
        line = process.stderr.readline()
        assert line, process.wait()
        code = "".join(re.findall(r"and type  ([A-Z]{4}-[A-Z]{4})", line))

    assert approve(signed_in(market.ada.user), code, approve="1")["Location"] == "/accounts/keys/"

    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Logged in" in out
    file = tmp_path / "hourglass" / "key.json"
    assert file.stat().st_mode & 0o777 == 0o600
    key = ApiKey.objects.get(name__startswith="hourglass on")
    assert (key.user, key.scopes) == (market.ada.user, ["read"])

    def again(*words: str) -> str:
        return subprocess.run([*hourglass, *words], env=environment, capture_output=True, text=True, check=True).stdout

    assert {each["asset"] for each in json.loads(again("balances", "--json"))} == {"CREDITS", market.instrument.code}
    assert "forgotten" in again("logout")
    assert not file.exists()


def test_a_program_waits_is_told_to_slow_down_and_gets_its_key_once(live_server, market):
    site = Client(live_server.url)
    started = site.start_device_login("notebook", ["read", "trade"])
    codes = []
    for _ in range(2):
        with pytest.raises(Problem) as waiting:
            site.take_device_key(started["device_code"])
        codes.append((waiting.value.status, waiting.value.code))
    assert codes == [(400, "authorization_pending"), (400, "slow_down")]

    approve(signed_in(market.ada.user), started["user_code"].lower(), approve="1")

    key = site.take_device_key(started["device_code"])
    assert key["token_type"] == "Bearer"
    assert Client(live_server.url, key["access_token"]).balances()
    with pytest.raises(Problem) as over:
        site.take_device_key(started["device_code"])
    assert over.value.code == "expired_token"


def test_no_is_no_and_nobody_decides_without_the_code(live_server, market):
    site = Client(live_server.url)
    started = site.start_device_login("who is this", ["transfer"])
    login = DeviceLogin.objects.get()
    browser = signed_in(market.bob.user)
    approve(browser, started["user_code"], deny="1")
    with pytest.raises(Problem) as denied:
        site.take_device_key(started["device_code"])
    assert denied.value.code == "access_denied"
    assert not ApiKey.objects.filter(name="who is this").exists()

    other = site.start_device_login("another", ["read"])
    assert (
        browser.post(f"/accounts/device/{login.id}/", {"code": other["user_code"], "approve": "1"}).status_code == 404
    )
    assert browser.post("/accounts/device/", {"code": "BCDF-GHJK"}).status_code == 422
    DeviceLogin.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert browser.post("/accounts/device/", {"code": other["user_code"]}).status_code == 422
    with pytest.raises(Problem) as over:
        site.take_device_key(other["device_code"])
    assert over.value.code == "expired_token"


def test_the_command_that_is_installed_is_there():
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    module, name = project["scripts"]["hourglass"].split(":")
    assert callable(getattr(importlib.import_module(module), name))
    assert project["dependencies"] == []


def test_a_bulk_call_answers_each_order(live_server, market):
    site = Client(live_server.url, market.ada.secret)
    order = {"instrument": market.instrument.code, "side": "BUY", "limit_price": 100, "quantity": 1}
    answers = site.place_orders([order, {**order, "quantity": 0}, order])
    assert [int(each["status"]) for each in answers] == [201, 422, 201]
    other = a_trader(market.instrument, "Cy")
    assert not list(Client(live_server.url, other.secret).orders())
