"""Who may what: the one place that answers it, as querysets to look objects up in and as questions.

What a person may not see is missing from their queryset, so that a foreign object and a missing one answer alike (404).
Auditors read everything and write nothing: `people.middleware` refuses whatever they would post.
"""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from ledger.models import Wallet
from portal.people.errors import AdministersMarket
from portal.people.models import Membership, Organisation, User

Person = User | AnonymousUser
Role = Membership.Role

ACTING = "acting_wallet"
# Who administers the market trades on it for nobody.
_ADMINISTER = (Role.DEPARTMENT_ADMIN, Role.OPERATOR)


# Roles


def roles_of(user: Person) -> frozenset[str]:
    """Every role the person has anywhere. Asked once of each instance, so once in a request."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    if user.known_roles is None:
        user.known_roles = frozenset(Membership.objects.filter(user=user).values_list("role", flat=True))
    return user.known_roles


def has_role(user: Person, *roles: str) -> bool:
    return not roles_of(user).isdisjoint(roles)


def is_auditor(user: Person) -> bool:
    return has_role(user, Role.AUDITOR)


def is_operator(user: Person) -> bool:
    return has_role(user, Role.OPERATOR)


# Organisations


def _organisations(user: Person, role: str) -> QuerySet[Organisation]:
    if not isinstance(user, User) or not user.is_active:
        return Organisation.objects.none()
    return Organisation.objects.filter(memberships__user=user, memberships__role=role)


def departments_administered(user: Person) -> QuerySet[Organisation]:
    return _organisations(user, Role.DEPARTMENT_ADMIN).filter(kind=Organisation.Kind.DEPARTMENT)


def institutes_led(user: Person) -> QuerySet[Organisation]:
    return _organisations(user, Role.INSTITUTE_LEAD).filter(kind=Organisation.Kind.INSTITUTE)


def organisations_governed(user: Person) -> QuerySet[Organisation]:
    """A department admin's departments and the institutes these sponsor."""
    departments = departments_administered(user).values("id")
    return Organisation.objects.filter(Q(id__in=departments) | Q(sponsor__in=departments))


def organisations_read(user: Person) -> QuerySet[Organisation]:
    """What the admin pages list: everything for auditors and operators, one's own for department admins."""
    return Organisation.objects.all() if reads_everything(user) else organisations_governed(user)


# Wallets


def wallets_of(user: Person) -> QuerySet[Wallet]:
    """The wallets this person may act for: their own, and those of institutes they lead and departments they run."""
    if not isinstance(user, User) or not user.is_active:
        return Wallet.objects.none()
    led = institutes_led(user).values("wallet")
    run = departments_administered(user).values("wallet")
    return Wallet.objects.filter(Q(owner=user) | Q(id__in=led) | Q(id__in=run))


def wallets_readable(user: Person) -> QuerySet[Wallet]:
    """The wallets whose balances and activity this person may read."""
    return Wallet.objects.all() if is_auditor(user) else wallets_of(user)


def wallets_governed(user: Person) -> QuerySet[Wallet]:
    """The wallets a department admin answers for: of the organisations, their cohorts and their members."""
    organisations = organisations_governed(user).values("id")
    return Wallet.objects.filter(
        Q(organisation__in=organisations)
        | Q(cohort__institute__in=organisations)
        | Q(owner__in=User.objects.filter(memberships__organisation__in=organisations).values("id"))
    )


def wallets_of_concern(user: Person) -> QuerySet[Wallet]:
    """The wallets about which the person may ask for what takes two: operators any, department admins their own."""
    everything = may_write(user) and (is_operator(user) or is_superuser(user))
    return Wallet.objects.all() if everything else wallets_governed(user)


def wallets_listed(user: Person) -> QuerySet[Wallet]:
    """What the admin pages list."""
    return Wallet.objects.all() if reads_everything(user) else wallets_governed(user)


def people_listed(user: Person) -> QuerySet[User]:
    if reads_everything(user):
        return User.objects.all()
    members = Membership.objects.filter(organisation__in=organisations_governed(user).values("id"))
    return User.objects.filter(id__in=members.values("user"))


def acting_wallet(request: HttpRequest) -> Wallet:
    """The wallet the person acts for now: the one they chose, or their own. 403 for one who has none."""
    wallet = acting_wallet_or_none(request)
    if wallet is None:
        raise PermissionDenied(_("You have no wallet to act for. Ask a department admin for a role that has one."))
    return wallet


def acting_wallet_or_none(request: HttpRequest) -> Wallet | None:
    choices = wallet_choices(request)
    chosen = request.session.get(ACTING) if choices else None
    return next((wallet for wallet in choices if str(wallet.public_id) == chosen), choices[0] if choices else None)


def wallet_choices(request: HttpRequest) -> list[Wallet]:
    """The wallets to act for, one's own first; read once for each request."""
    if not hasattr(request, "_wallet_choices"):
        found = list(wallets_of(request.user).order_by("name", "id"))
        own = getattr(request.user, "wallet_id", None)
        request._wallet_choices = sorted(found, key=lambda wallet: wallet.id != own)  # type: ignore[attr-defined]
    choices: list[Wallet] = request._wallet_choices  # type: ignore[attr-defined]
    return choices


# Questions


def may_act_for(user: Person, wallet: Wallet) -> bool:
    return not is_auditor(user) and wallets_of(user).filter(id=wallet.id).exists()


def may_trade(user: Person, wallet: Wallet) -> bool:
    """Whether orders may be placed for the wallet. What the wallet itself may not do, the ledger's policies say."""
    return may_act_for(user, wallet)


def administers_market(user: Person) -> bool:
    """Whether the person can halt or open instruments, issue what they trade, or decide what is a suspicious trade.

    Department admins and operators can do so to every instrument, so it is asked of the person and not of a series.
    """
    return has_role(user, *_ADMINISTER) or is_superuser(user)


def administrators() -> QuerySet[User]:
    """Everybody who administers the market."""
    roles = Membership.objects.filter(role__in=_ADMINISTER).values("user")
    return User.objects.filter(Q(is_superuser=True) | Q(id__in=roles), is_active=True)


def refuse_administrator(user: Person) -> None:
    """To be called wherever a person places or amends an order, for whichever wallet. Cancelling is always allowed."""
    if administers_market(user):
        raise AdministersMarket(
            _("You administer the market, so you cannot trade on it, for no wallet. Open orders can be cancelled.")
        )


def may_write(user: Person) -> bool:
    return not is_auditor(user)


def may_enrol(user: Person) -> bool:
    """Join codes are for students and for people without any role yet, never for those who run the place."""
    return isinstance(user, User) and user.is_active and roles_of(user) <= {Role.STUDENT.value}


def may_use_admin(user: Person) -> bool:
    return has_role(user, Role.DEPARTMENT_ADMIN, Role.AUDITOR, Role.OPERATOR) or is_superuser(user)


def is_superuser(user: Person) -> bool:
    return isinstance(user, User) and user.is_active and user.is_superuser


def reads_everything(user: Person) -> bool:
    return has_role(user, Role.AUDITOR, Role.OPERATOR) or is_superuser(user)


def may_govern(user: Person) -> bool:
    """Issue, grant and freeze, each only where one's departments reach."""
    return may_write(user) and has_role(user, Role.DEPARTMENT_ADMIN)


def may_ask(user: Person) -> bool:
    """Ask for what takes two persons, and decide what somebody else asked for."""
    return may_write(user) and administers_market(user)


def may_halt(user: Person) -> bool:
    return may_write(user) and administers_market(user)


def may_judge_trades(user: Person) -> bool:
    """Say of a flagged trade whether it was made for the tape."""
    return may_write(user) and (is_operator(user) or is_superuser(user))


def may_operate_market(user: Person) -> bool:
    """Halt or resume everything, set fees, bands and modes."""
    return may_write(user) and (is_operator(user) or is_superuser(user))


def may_found(user: Person) -> bool:
    """Make departments and institutes, and say which partitions there are."""
    return may_write(user) and (is_operator(user) or is_superuser(user))


def may_define_series(user: Person) -> bool:
    return may_govern(user) or may_found(user)


def may_watch_health(user: Person) -> bool:
    return has_role(user, Role.OPERATOR, Role.AUDITOR) or is_superuser(user)
