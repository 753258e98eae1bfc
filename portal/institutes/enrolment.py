"""How a student comes into a cohort: with a code, once, and with their allowance in the same transaction."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ledger.clock import database_now
from ledger.errors import NotEnough, Refusal
from ledger.transfers import grant_step
from ledger.wallets import forbid_selling
from portal.institutes.errors import (
    AlreadyEnrolled,
    CodeExpired,
    CodeRevoked,
    CodeUsedUp,
    CohortEnded,
    InstituteShort,
    NotForThisRole,
    UnknownCode,
)
from portal.institutes.models import Enrolment, JoinCode
from portal.people.access import may_enrol
from portal.people.accounts import add_member
from portal.people.models import Membership, User


def normal(code: str) -> str:
    """A code as it is kept: people type it in small letters and with spaces."""
    return "".join(letter for letter in code.upper() if letter == "-" or (letter.isascii() and letter.isalnum()))[:20]


def find_code(code: str) -> JoinCode:
    found = JoinCode.objects.select_related("cohort__institute", "cohort__asset").filter(code=normal(code)).first()
    if found is None:
        raise UnknownCode(_("There is no such code. Check it with whoever gave it to you."), field="code")
    return found


def refusal_for(user: User, code: JoinCode, *, now: datetime) -> Refusal | None:
    """Why this person may not enrol with this code now; None when they may. The page asks it before, `enrol` again."""
    cohort = code.cohort
    if not may_enrol(user):
        return NotForThisRole(_("Join codes are for students; your role here is another."))
    if Enrolment.objects.filter(user=user, cohort=cohort).exists():
        return AlreadyEnrolled(_("You are enrolled in %(name)s already.") % {"name": cohort.name})
    if code.revoked_at is not None:
        return CodeRevoked(_("This code was revoked. Ask your institute for a new one."), field="code")
    if code.expires_at <= now:
        return CodeExpired(_("This code has expired. Ask your institute for a new one."), field="code")
    if code.uses >= code.max_uses:
        return CodeUsedUp(_("This code is used up. Ask your institute for a new one."), field="code")
    if cohort.ends_at <= now:
        return CohortEnded(_("%(name)s has ended.") % {"name": cohort.name})
    return None


@transaction.atomic(durable=True)
def enrol(*, user_id: int, code: str) -> Enrolment:
    """Put a student into the code's cohort and grant its allowance from the institute's wallet."""
    now = database_now()
    # The person first, then the code, then accounts: whoever enrols twice at once waits for themselves here.
    user = User.objects.select_for_update(of=("self",)).get(id=user_id)
    JoinCode.objects.select_for_update(of=("self",)).filter(code=normal(code)).first()
    join_code = find_code(code)
    refusal = refusal_for(user, join_code, now=now)
    if refusal is not None:
        raise refusal
    cohort = join_code.cohort
    assert user.wallet_id is not None, "everybody who signs up has a wallet"
    join_code.uses += 1
    join_code.save(update_fields=["uses"])
    add_member(user=user, role=Membership.Role.STUDENT, organisation=cohort.institute, now=now)
    forbid_selling(wallet_id=user.wallet_id, now=now)
    try:
        transfer = grant_step(
            asset_id=cohort.asset_id,
            from_wallet_id=cohort.institute.wallet_id,
            to_wallet_id=user.wallet_id,
            amount=cohort.allowance,
            now=now,
            scope="enrolment",
            key=f"cohort:{cohort.id}:user:{user.id}",
        )
    except NotEnough as short:
        raise InstituteShort(
            _("%(name)s has too little left for another allowance. You are not enrolled; tell your lead.")
            % {"name": cohort.institute.name}
        ) from short
    return Enrolment.objects.create(
        user=user, cohort=cohort, join_code=join_code, grant_id=transfer.id, enrolled_at=now
    )
