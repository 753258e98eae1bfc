"""What the verifier says when nothing is wrong: trial balances, in words and as JSON. Pure."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ledger.verifying.replay import Replay
from ledger.verifying.replaying.books import ISSUER


@dataclass(frozen=True)
class Report:
    """What was checked, and the books at the end of it."""

    replay: Replay
    checkpoints: int
    # Whose cosignatures the published checkpoint has, by their names in the policy.
    witnesses: frozenset[str] = frozenset()

    @property
    def entries(self) -> int:
        return self.replay.entries

    @property
    def trial_balance(self) -> dict[str, dict[str, int]]:
        return self.replay.trial_balance()


@dataclass(frozen=True)
class Summary:
    """One asset: `issued` is `circulating`, `redeemed` and `expired` together. `held` is a part of what circulates."""

    code: str
    issued: int
    circulating: int
    redeemed: int
    expired: int
    held: int
    wallets: int


def summaries(replay: Replay) -> list[Summary]:
    """Every asset of the log, in the order in which they were defined."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for account in replay.books.accounts.values():
        row, role = sums[account.asset.code], account.wallet.role
        row[role if role != "FEES" else ""] += account.balance
        row["held"] += account.held
        row["wallets"] += bool(account.balance) and role in {"", "FEES"}
    return [
        Summary(code, -row[ISSUER], row[""], row["REDEEMED"], row["EXPIRED"], row["held"], row["wallets"])
        for code, row in ((asset.code, sums[asset.code]) for asset in replay.books.assets.values())
    ]


def as_json(report: Report) -> dict[str, Any]:
    return {
        "entries": report.entries,
        "checkpoints": report.checkpoints,
        "witnesses": sorted(report.witnesses),
        "assets": {
            summary.code: {
                "issued": summary.issued,
                "circulating": summary.circulating,
                "held": summary.held,
                "redeemed": summary.redeemed,
                "expired": summary.expired,
            }
            for summary in summaries(report.replay)
        },
        "trial_balance": report.trial_balance,
    }


def as_text(report: Report) -> str:
    lines = [f"{report.entries} entries under {report.checkpoints} checkpoints: all as signed, every rule kept."]
    if report.witnesses:
        lines.append(f"Cosigned by {', '.join(sorted(report.witnesses))}.")
    lines += [_line(row) for row in summaries(report.replay)]
    return "\n".join(lines)


def _line(row: Summary) -> str:
    return (
        f"{row.code}: issued {row.issued} = circulating {row.circulating}"
        f" (in {row.wallets} wallets, {row.held} of it held) + redeemed {row.redeemed} + expired {row.expired}"
    )
