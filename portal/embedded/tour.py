"""`bin/run --tour`: the whole way of a token over HTTP, as the demo's people, saying what changed in whose wallet.

Grant, enrol, trade, redeem, settle, prove. Nothing here reaches round the site: it reads pages, fills forms, downloads
statements and receipts, and checks the proof with the log's public key alone. Exit status 1 names the step that failed.
"""

import csv
import io
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

import requests

from ledger.entries import leaf_hash
from ledger.proof.notes import UnverifiedNote, parse_verifier
from ledger.proof.policyfile import parse_policy
from ledger.proof.receipts import Receipt, check_receipt, parse_receipt
from portal.demo.people import PASSWORD, email
from portal.demo.visitor import Form, Page, VisitFailed, Visitor

WAIT_SECONDS = 120
HOUR = 3600


class Person:
    """One of the demo's people, signed in."""

    def __init__(self, address: str, name: str) -> None:
        self.name = name.capitalize()
        self.browser = Visitor(address)
        self.browser.sign_in(email(name), PASSWORD)
        self._before: dict[str, Decimal] = {}

    def balances(self) -> dict[str, Decimal]:
        """By asset, from the statement: GPU-hours, or credits."""
        page = self.browser.get("/wallet/")
        link = found(r'href="(/wallets/[0-9a-f-]+/statement\.csv)"', page, "a statement")
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.statement(link):
            unit = HOUR if row["unit"] == "GPU-second" else 1
            sums[row["asset"]] += Decimal(row["amount"]) / unit
        return dict(sums)

    def statement(self, link: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.browser.get(link).text)))

    def remember(self) -> None:
        self._before = self.balances()

    def tell_changes(self) -> dict[str, Decimal]:
        """Print what changed since `remember`, and answer it."""
        after = self.balances()
        changes = {code: after[code] - self._before.get(code, Decimal(0)) for code in sorted(after)}
        changes = {code: change for code, change in changes.items() if change}
        for code, change in changes.items():
            unit = "cr" if code == "CREDITS" else "GPU-h"
            say(f"      {self.name}'s wallet: {change:+.4f} {unit} {code}, now {after[code]:.4f} {unit}")
        if not changes:
            say(f"      {self.name}'s wallet: unchanged")
        return changes


class Tour:
    """The steps, in their order; each leaves what the next one needs."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.rin = Person(address, "rin")
        page = self.rin.browser.get("/market/")
        self.code = found(r'href="/market/(H100-[0-9A-Z]+)/"', page, "an H100 series")
        self.job = ""

    def grant(self) -> None:
        """Ada, department admin, grants Rin tokens in the admin."""
        ada = Person(self.address, "ada").browser
        self.rin.remember()
        start = ada.get("/admin/")
        page = ada.get(found(r'href="(/admin/[a-z/]+/grant/)"', start, "a way to grant"))
        form = page.form("wallet", "to_wallet", "asset", "amount")
        chosen = {
            "wallet": option(form, "wallet", "Language Models"),
            "to_wallet": option(form, "to_wallet", email("rin")),
            "asset": option(form, "asset", self.code),
        }
        review = ada.send(page, form, amount="5.00", review="1", **chosen)
        done = ada.send(review, review.form("to_wallet", "amount"), confirm="1")
        expect(done.status == 200, f"the grant answered {done.status}")
        expect(self.rin.tell_changes().get(self.code) == 5, "Rin did not get 5 GPU-h")

    def enrol(self) -> None:
        """Lea gives Sam a join code; enrolling grants the cohort's allowance."""
        lea, sam = Person(self.address, "lea").browser, Person(self.address, "sam")
        sam.remember()
        institute = lea.get("/institutes/northgate/")
        cohort = lea.get(found(r'href="(/institutes/northgate/cohorts/\d+/)"', institute, "a cohort"))
        code = found(r"<code>([A-Z0-9]{4}-[A-Z0-9]{4})</code>", cohort, "a join code")
        page = sam.browser.get("/enrol/")
        page = sam.browser.send(page, page.form("code"), code=code)
        if "already" in page.text.lower():
            say("      Sam is enrolled already, from an earlier tour.")
            return
        forms = [form for form in page.forms if form.fields.get("code") == code and form.method == "post"]
        expect(bool(forms), "the code shows nothing to enrol in")
        sam.browser.send(page, forms[0])
        expect(bool(sam.tell_changes()), "Sam got no allowance")

    def trade(self) -> None:
        """Mika buys what is offered cheapest and bids there for one more; Rin sells into it, and both wallets change
        at once."""
        mika = Person(self.address, "mika")
        book = requests.get(f"{self.address}/market/{self.code}/book.json", timeout=20).json()
        ask, offered, _orders = book["asks"][0]
        price = f"{ask / 100:.2f}"
        # Whatever is one tick cheaper has others before it; here nobody is.
        self._order(mika.browser, "BUY", price, quantity=f"{offered / 100 + 1:.2f}")
        self.rin.remember()
        mika.remember()
        answer = self._order(self.rin.browser, "SELL", price)
        expect("is filled" in answer.text, "Rin's order was not filled")
        say(f"      1.00 GPU-h of {self.code} at {price} cr/GPU-h")
        expect(self.rin.tell_changes().get(self.code) == -1, "Rin did not give 1 GPU-h")
        expect(mika.tell_changes().get(self.code) == 1, "Mika did not get 1 GPU-h")

    def redeem(self) -> None:
        """Rin redeems 2 GPUs for 5 minutes with an example job, seeing the job script before confirming."""
        self.rin.remember()
        page = self.rin.browser.get(f"/redeem/?series={self.code}&example=option-price")
        form = page.form("asset", "gpus", "walltime_minutes", "script")
        preview = self.rin.browser.send(page, form, asset=self.code, gpus="2", walltime_minutes="5", step="preview")
        expect("#SBATCH" in preview.text, "the job script was not shown before confirming")
        done = self.rin.browser.send(preview, preview.form("script", "key"), step="confirm")
        self.job = done.url.removeprefix(self.address)
        expect(self.job.startswith("/redemptions/"), f"confirming led to {done.url}")
        say(f"      held 0.1667 GPU-h for {self.job}")

    def settle(self) -> None:
        """The worker submits it, the job runs, it is charged for what it used and the rest is back."""
        shown = ""

        def is_settled() -> bool:
            nonlocal shown
            page = self.rin.browser.get(self.job)
            state = found(r'<span class="badge [a-z]*">([^<]+)</span>', page, "a state")
            if state != shown:
                say(f"      {state}")
                shown = state
            return state.lower() in {"settled", "cancelled", "parked"}

        wait(is_settled, "the job did not settle")
        expect(shown.lower() == "settled", f"the job ended {shown}")
        output = self.rin.browser.get(self.job + "output").text.strip().splitlines()
        said = output[-1].strip() if output else "nothing"
        say(f"      the job says: {said}")
        outcome = found(r'<span class="mono">([A-Z_]+)</span>', self.rin.browser.get(self.job), "an outcome")
        expect(outcome == "COMPLETED", f"the job ended {outcome}: {said}")
        changes = self.rin.tell_changes()
        charged = -changes.get(self.code, Decimal(0))
        expect(Decimal(0) < charged < Decimal(600) / HOUR, f"{charged} GPU-h were charged for a hold of 600 GPU-s")

    def prove(self) -> None:
        """Rin's receipt for the charge verifies offline, with the log's public key and its witnesses'."""
        page = self.rin.browser.get(self.job)
        entry = found(r'href="(/explorer/\d+/)"', page, "the entry of the charge")
        wait(lambda: self._answers(entry + "receipt"), "the entry was not sealed")
        policy = parse_policy(requests.get(self.address + "/log/policy", timeout=20).content)

        def is_cosigned() -> bool:
            return policy.is_met_by(policy.cosigners(self._receipt(entry).checkpoint))

        wait(is_cosigned, "the entry was not cosigned")
        receipt = self._receipt(entry)
        body = requests.get(self.address + entry + "bytes", timeout=20).content
        keys = requests.get(self.address + "/log/key", timeout=20).text.split()
        checkpoint = check_receipt(receipt, leaf_hash(body), [parse_verifier(key) for key in keys])
        say(f"      entry {receipt.index} of {checkpoint.size} in {checkpoint.origin}: signature and hashes are right")
        say(f"      cosigned by {', '.join(sorted(policy.cosigners(receipt.checkpoint)))}")

    def _receipt(self, entry: str) -> Receipt:
        return parse_receipt(requests.get(f"{self.address}{entry}receipt", timeout=20).text)

    def _order(self, browser: Visitor, side: str, price: str, *, quantity: str = "1.00") -> Page:
        page = browser.get(f"/market/{self.code}/")
        form = page.form("quantity", "limit_price", "client_order_id")
        answer = browser.send(page, form, side=side, quantity=quantity, limit_price=price, time_in_force="GTC")
        expect(answer.status == 200, f"the order answered {answer.status}")
        return answer

    def _answers(self, path: str) -> bool:
        return requests.get(self.address + path, timeout=20).status_code == 200


STEPS: list[tuple[str, Callable[[Tour], None]]] = [
    ("grant", Tour.grant),
    ("enrol", Tour.enrol),
    ("trade", Tour.trade),
    ("redeem", Tour.redeem),
    ("settle", Tour.settle),
    ("prove", Tour.prove),
]


def found(pattern: str, page: Page, what: str) -> str:
    match = re.search(pattern, page.text)
    if match is None:
        raise VisitFailed(f"{page.url} shows no sign of {what}.")
    return match.group(1)


def option(form: Form, name: str, words: str) -> str:
    """The value of the choice whose label has these words."""
    for value, label in form.choices.get(name, []):
        if words in label:
            return value
    raise VisitFailed(f"{name} offers no {words}.")


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise VisitFailed(otherwise)


def wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        expect(time.monotonic() < deadline, f"{otherwise} within {WAIT_SECONDS} s")
        time.sleep(0.3)


def say(text: str) -> None:
    print(text, flush=True)


def main(address: str) -> int:
    say(f"\nThe way of a token, at {address}")
    name = "sign in"
    try:
        tour = Tour(address)
        for number, (name, act) in enumerate(STEPS, start=1):
            say(f"\n  {number}. {name}: {(act.__doc__ or '').strip()}")
            act(tour)
    except (VisitFailed, UnverifiedNote, requests.RequestException, LookupError, ValueError) as error:
        say(f"\nThe tour failed at step “{name}”: {error}")
        return 1
    say("\nEvery step did what it said.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
