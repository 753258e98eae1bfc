"""What every route answers every role, for an object of one's own department, of another and for one that is missing.

A row of codes is in the order of ROLES. `here` is an object of the Physics department, where everybody but `other`
belongs; for `other`, who runs Biology, it is foreign, and `there` is their own. Foreign equals missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ROLES = ("anonymous", "student", "researcher", "lead", "admin", "other", "auditor", "operator")
LOGIN = 302


def row(anonymous: int, rest: int, **others: int) -> dict[str, int]:
    return {"anonymous": anonymous} | dict.fromkeys(ROLES[1:], rest) | others


@dataclass(frozen=True)
class Rule:
    """Codes by place: `""` for a route without an object."""

    get: dict[str, dict[str, int]] = field(default_factory=dict)
    post: dict[str, dict[str, int]] = field(default_factory=dict)


# A page for reading: posting to it is not understood, and an auditor's post is refused before that is found out.
NO_POST = row(405, 405, auditor=403)
NO_POST_UNKNOWN = row(LOGIN, 405, auditor=403)


def public(*places: str) -> Rule:
    """For everybody; what is missing is 404."""
    get = {place: row(404, 404) if place == "missing" else row(200, 200) for place in places or ("",)}
    return Rule(get, dict.fromkeys(get, NO_POST))


def signed_in() -> Rule:
    return Rule({"": row(LOGIN, 200)}, {"": NO_POST})


def mine(*, wide: dict[str, int] | None = None, no_post: dict[str, int] = NO_POST, own: int = 200) -> Rule:
    """The researcher's own object: theirs, read by auditors, and missing for everybody else."""
    here = row(LOGIN, 404, researcher=own, auditor=own) | (wide or {})
    there = row(LOGIN, 404, auditor=own)
    return Rule(
        {"here": here, "there": there, "missing": row(LOGIN, 404)},
        dict.fromkeys(("here", "there", "missing"), no_post),
    )


def act(*, no_get: dict[str, int] | None = None, **own: int) -> Rule:
    """A post on an object: for who owns it; missing for everybody else; refused to auditors."""
    nothing = row(LOGIN, 404, auditor=403)
    get = no_get or row(405, 405)
    return Rule(
        dict.fromkeys(("here", "there", "missing"), get),
        {"here": nothing | own, "there": nothing, "missing": nothing},
    )


def keyed() -> Rule:
    """The API: a session opens and closes nothing there, whoever's it is (tests/api asks with keys)."""
    return Rule({"": row(401, 401)}, {"": row(401, 401)})


ROSTER = Rule(
    {
        "here": row(LOGIN, 404, lead=200, admin=200, auditor=200),
        "there": row(LOGIN, 404, other=200, auditor=200),
        "missing": row(LOGIN, 404),
    },
    {
        "here": row(LOGIN, 404, lead=422, auditor=403),
        "there": row(LOGIN, 404, auditor=403),
        "missing": row(LOGIN, 404, auditor=403),
    },
)

RULES: dict[str, Rule] = {
    "landing": public(),
    "status": public(),
    "price-index": public(),
    # Nothing is published in the matrix's world.
    "index-json": public("missing"),
    "index-csv": public("missing"),
    "index-note": public("missing"),
    "conversion": public(),
    "concentration": public(),
    "livez": public(),
    "readyz": public(),
    "institutes": public(),
    "institute": public("here", "there", "missing"),
    "market": public(),
    "instrument": public("here", "missing"),
    "book": public("here", "missing"),
    "trades": public("here", "missing"),
    "candles": public("here", "missing"),
    "phase": public("here", "missing"),
    "offerings": public(),
    "series-offerings": public("here", "missing"),
    "offering": public("here", "missing"),
    "offering-json": public("here", "missing"),
    "positions": signed_in(),
    "alerts": Rule({"here": row(LOGIN, 200), "missing": row(LOGIN, 404)}, {"here": NO_POST, "missing": NO_POST}),
    "set-alert": Rule(
        {"here": row(405, 405), "missing": row(405, 405)},
        {"here": row(LOGIN, 422, auditor=403), "missing": row(LOGIN, 404, auditor=403)},
    ),
    "drop-alert": act(researcher=302),
    "see-alerts": Rule({"": row(405, 405)}, {"": row(LOGIN, 302, auditor=403)}),
    "explorer": public(),
    "entry": public("here", "there", "missing"),
    "receipt": public("here", "there", "missing"),
    "entry-bytes": public("here", "there", "missing"),
    "log-checkpoint": public(),
    "log-key": public(),
    "log-older-checkpoint": public("here", "missing"),
    "log-verifier": public(),
    "series-life": public("here", "missing"),
    "explorer-wallet": public("here", "there", "missing"),
    "verify": public(),
    "log-policy": public("missing"),
    "log-tile": public("missing"),
    "wallet": signed_in(),
    "read-wallet": mine(),
    "statement": mine(),
    "redeem": Rule({"": row(LOGIN, 200)}, {"": row(LOGIN, 422, auditor=403)}),
    "redemptions": signed_in(),
    "redemption": mine(),
    "redemption-live": mine(),
    "redemption-output": mine(own=404),
    "cancel-redemption": act(researcher=302),
    "retry-redemption": act(researcher=302),
    "my-orders": Rule({"here": row(LOGIN, 200), "missing": row(LOGIN, 404)}, {"here": NO_POST, "missing": NO_POST}),
    "preview-order": Rule(
        {"here": row(405, 405), "missing": row(405, 405)},
        {"here": row(LOGIN, 200, auditor=403), "missing": row(LOGIN, 404, auditor=403)},
    ),
    "place-order": Rule(
        {"here": row(405, 405), "missing": row(405, 405)},
        {"here": row(LOGIN, 422, auditor=403), "missing": row(LOGIN, 404, auditor=403)},
    ),
    "cancel-order": act(researcher=302),
    "amend-order": act(researcher=422),
    "cancel-all": Rule(
        {"here": row(405, 405), "missing": row(405, 405)},
        {"here": row(LOGIN, 302, auditor=403), "missing": row(LOGIN, 404, auditor=403)},
    ),
    "enrol": Rule({"": row(LOGIN, 200)}, {"": row(LOGIN, 200, auditor=403)}),
    "new-cohort": Rule(
        {"here": row(LOGIN, 404, lead=200), "there": row(LOGIN, 404), "missing": row(LOGIN, 404)},
        {
            "here": row(LOGIN, 404, lead=422, auditor=403),
            "there": row(LOGIN, 404, auditor=403),
            "missing": row(LOGIN, 404, auditor=403),
        },
    ),
    "cohort": ROSTER,
    "roster-csv": Rule(ROSTER.get, dict.fromkeys(("here", "there", "missing"), NO_POST_UNKNOWN)),
    "revoke-code": act(lead=302, no_get=row(LOGIN, 405)),
    "profile": Rule({"": row(LOGIN, 200)}, {"": row(LOGIN, 422)}),
    "act-for": Rule(
        dict.fromkeys(("here", "there", "missing"), row(LOGIN, 405)),
        {
            "here": row(LOGIN, 404, researcher=302, auditor=403),
            "there": row(LOGIN, 404, auditor=403),
            "missing": row(LOGIN, 404, auditor=403),
        },
    ),
    "api:schema": Rule({"": row(200, 200)}, {"": row(405, 405)}),
    "api-unknown": Rule({"": row(404, 404)}, {"": row(404, 404)}),
    "api:instruments": keyed(),
    "api:instrument": keyed(),
    "api:book": keyed(),
    "api:trades": keyed(),
    "api:candles": keyed(),
    "api:statistics": keyed(),
    "api:index": keyed(),
    "api:conversions": keyed(),
    "api:concentrations": keyed(),
    "api:orders": keyed(),
    "api:bulk": keyed(),
    "api:cancel-all": keyed(),
    "api:order": keyed(),
    "api:cancel-timer": keyed(),
    "api:balances": keyed(),
    "api:transfers": keyed(),
    "api:receipt": keyed(),
    "api:redemptions": keyed(),
    "api:redemption": keyed(),
    # Making and revoking keys asks once more who one is: nobody gets further than that here.
    "api-keys": Rule({"": row(LOGIN, 200)}, {"": row(LOGIN, 302)}),
    "device": Rule({"": row(LOGIN, 200)}, {"": row(LOGIN, 302)}),
    "decide-device": Rule({"": row(405, 405)}, {"": row(LOGIN, 302)}),
    # A program without a key yet, and nobody signed in: a form instead of JSON is refused whoever sends it.
    "api:device-start": Rule({"": row(405, 405)}, {"": row(415, 415)}),
    "api:device-token": Rule({"": row(405, 405)}, {"": row(415, 415)}),
    "revoke-api-key": Rule({"": row(405, 405)}, {"": row(LOGIN, 302)}),
    "set_language": Rule({"": row(302, 302)}, {"": row(302, 302)}),
}

# allauth's own: what somebody not signed in may see. Every other of its routes sends them to sign in, or has nothing.
OPEN_OF_ALLAUTH = {
    "account_login",
    "account_signup",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "account_inactive",
    "account_email_verification_sent",
    "account_confirm_email",
    "mfa_login_webauthn",
    "socialaccount_login_cancelled",
    "socialaccount_login_error",
}
# Routes without a name that only lead to others: each model's short address in the admin, and allauth's former ones.
REDIRECTS = ("admin/", "accounts/social/")
ALLAUTH = ("account_", "mfa_", "usersessions_", "socialaccount_", "openid_connect_")

STAFF = ("admin", "other", "auditor", "operator")
# Rows of the admin that belong to nobody: all staff read them.
SHARED = {
    "ledger.asset",
    "ledger.capacity",
    "ledger.checkpoint",
    "ledger.policy",
    "market.instrument",
    "market.instrumentchange",
    "market.offering",
    "scheduler.resourceclass",
}
# Rows that tell who traded with whom: those who read everything, and no department's admin.
WATCHED = {"market.tradeflag"}
# What is made in the admin, and by whom of its roles.
ADDED_BY = {
    "people.membership": ("admin", "other"),
    "grants.grantupload": ("admin", "other"),
    "ledger.asset": ("admin", "other", "operator"),
    "ledger.capacity": ("admin", "other", "operator"),
    "people.organisation": ("operator",),
    "scheduler.resourceclass": ("operator",),
}
# Asking for what takes two persons: department admins about their own, operators about anything.
ASK = {
    "here": row(LOGIN, LOGIN, admin=200, other=404, auditor=403, operator=200),
    "there": row(LOGIN, LOGIN, admin=404, other=200, auditor=403, operator=200),
    "missing": row(LOGIN, LOGIN, admin=404, other=404, auditor=403, operator=404),
}
# Deciding about a suspicious trade.
JUDGE = {
    "here": row(LOGIN, LOGIN, admin=403, other=403, auditor=403, operator=200),
    "there": row(LOGIN, LOGIN, admin=403, other=403, auditor=403, operator=200),
    "missing": row(LOGIN, LOGIN, admin=403, other=403, auditor=403, operator=404),
}
# Running the market.
OPERATE = {
    "here": row(LOGIN, LOGIN, admin=403, other=403, auditor=403, operator=200),
    "missing": row(LOGIN, LOGIN, admin=403, other=403, auditor=403, operator=404),
}
# Pages of our own within the admin, beside the models': who may open them.
ADMIN_PAGES: dict[str, dict[str, dict[str, int]]] = {
    "issue_tokens": {"": row(LOGIN, LOGIN, admin=200, other=200, auditor=403, operator=403)},
    "grant_tokens": {"": row(LOGIN, LOGIN, admin=200, other=200, auditor=403, operator=403)},
    "ledger_wallet_freeze": {
        "here": row(LOGIN, LOGIN, admin=200, other=404, auditor=403, operator=403),
        "there": row(LOGIN, LOGIN, admin=404, other=200, auditor=403, operator=403),
        "missing": row(LOGIN, LOGIN, admin=404, other=404, auditor=403, operator=403),
    },
    "ledger_wallet_unfreeze": ASK,
    "ledger_wallet_change_policy": ASK,
    "ledger_wallet_force": ASK,
    "ledger_wallet_recover": ASK,
    "ledger_entry_correct": ASK,
    "ledger_asset_change_policy": {
        "here": row(LOGIN, LOGIN, admin=200, other=200, auditor=403, operator=200),
        "missing": row(LOGIN, LOGIN, admin=404, other=404, auditor=403, operator=404),
    },
    "market_instrument_halt": {
        "here": row(LOGIN, LOGIN, admin=200, other=200, auditor=403, operator=200),
        "missing": row(LOGIN, LOGIN, admin=404, other=404, auditor=403, operator=404),
    },
    "market_order_cancel": OPERATE,
    "market_instrument_set_mode": OPERATE,
    "market_instrument_set_rules": OPERATE,
    "market_instrument_offer": {"": row(LOGIN, LOGIN, admin=200, other=200, auditor=403, operator=403)},
    "market_instrument_halt_all": {"": row(LOGIN, LOGIN, admin=403, other=403, auditor=403, operator=200)},
    "market_instrument_resume_all": {"": row(LOGIN, LOGIN, admin=403, other=403, auditor=403, operator=200)},
    "market_tradeflag_confirm": JUDGE,
    "market_tradeflag_clear": JUDGE,
    "market_instrument_resume": {
        "here": row(LOGIN, LOGIN, admin=200, other=200, auditor=403, operator=200),
        "missing": row(LOGIN, LOGIN, admin=404, other=404, auditor=403, operator=404),
    },
}
# Django's and Unfold's own pages of the admin; nothing of anybody's is on them but what the lists above let through.
ADMIN_FRAME = {
    "index", "login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n", "view_on_site",
    "app_list", "search",
}  # fmt: skip
