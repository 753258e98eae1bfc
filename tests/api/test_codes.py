"""Every code that a program can be answered with stands in the documentation."""

from collections.abc import Iterator
from pathlib import Path

from rest_framework import exceptions, serializers

import market.errors
import scheduler.errors
from ledger import errors as ledger_errors
from ledger.errors import Refusal
from portal.api import fields
from portal.api.problems import CONFLICTS

API = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
# What no request of the API can lead to: acts of operators, of the admin and of programs inside.
ELSEWHERE = {
    "refused", "hold_unknown", "hold_exceeded", "hold_expired", "hold_already_captured", "hold_already_released",
    "hold_already_resolved", "chain_failed", "already_defined", "not_deliverable", "not_approved", "approval_decided",
    "not_correctable", "allowance_exceeded", "permit_refused", "bad_policy_change", "bad_rule", "bad_offering",
    "offering_refused", "book_crossed", "not_openable", "flag_decided", "reason_missing", "job_script_changed",
    # An amendment's refusal says the reason of the order that it would have been.
    "amendment_refused",
}  # fmt: skip


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    yield kind
    for each in kind.__subclasses__():
        yield from refusals(each)


def test_every_code_is_documented():
    modules = {module.__name__ for module in (ledger_errors, market.errors, scheduler.errors)}
    codes = {each.code for each in refusals() if each.__module__ in modules} - ELSEWHERE
    codes |= set(market.errors.REASONS) | (CONFLICTS - ELSEWHERE)
    kinds = [fields.Units, fields.Words, fields.Text, fields.OneOf, fields.YesNo, fields.Instant, fields.Strict]
    codes |= {code for kind in kinds for code in kind.default_error_messages}
    codes |= set(serializers.ListField.default_error_messages) - {"empty"}
    codes |= {kind.default_code for kind in (exceptions.MethodNotAllowed, exceptions.UnsupportedMediaType)}

    missing = {code for code in codes if f"`{code}`" not in API}

    print(f"\n{len(codes)} codes, {len(missing)} of them not in docs/api.md")
    assert missing == set()
