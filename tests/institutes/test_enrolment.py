"""A student enters with a code, once, and their allowance comes in the same transaction."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ledger.errors import Refusal, WalletFrozen
from ledger.models import Entry
from ledger.wallets import freeze_wallet
from portal.institutes.cohorts import revoke_code
from portal.institutes.enrolment import enrol
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
from tests.institutes.builders import HOUR, balance, some_code, some_cohort
from tests.people.builders import Role, some_department, some_person

pytestmark = pytest.mark.django_db(transaction=True)


def test_enrolling_grants_the_allowance_from_the_institutes_wallet():
    cohort = some_cohort(students=10)
    code = some_code(cohort)
    ada = some_person()

    made = enrol(user_id=ada.id, code=f" {code.code.lower()} ")

    assert balance(ada.wallet_id, cohort.asset) == 20 * HOUR
    assert balance(cohort.institute.wallet_id, cohort.asset) == 9 * 20 * HOUR
    assert made.grant.transfer_kind == Entry.TransferKind.GRANT
    assert JoinCode.objects.get(id=code.id).uses == 1
    assert ada.memberships.get().role == Role.STUDENT


def test_an_allowance_may_be_redeemed_not_sold_and_the_log_says_so():
    code = some_code(some_cohort())
    ada = some_person()

    enrol(user_id=ada.id, code=code.code)

    ada.wallet.refresh_from_db()
    assert ada.wallet.may_sell is False
    assert Entry.objects.filter(kind=Entry.Kind.POLICY, reference=f"wallet:{ada.wallet.public_id}").count() == 1


def gone(code: JoinCode) -> None:
    JoinCode.objects.filter(id=code.id).update(expires_at=timezone.now())


def used_up(code: JoinCode) -> None:
    JoinCode.objects.filter(id=code.id).update(uses=code.max_uses)


def revoked(code: JoinCode) -> None:
    revoke_code(code_id=code.id, now=timezone.now())


def ended(code: JoinCode) -> None:
    code.cohort.ends_at = timezone.now()
    code.cohort.save()


@pytest.mark.parametrize(
    ("spoil", "refusal"), [(gone, CodeExpired), (used_up, CodeUsedUp), (revoked, CodeRevoked), (ended, CohortEnded)]
)
def test_a_code_that_lets_nobody_in_says_why_and_nothing_moves(spoil, refusal):
    cohort = some_cohort()
    code = some_code(cohort)
    ada = some_person()
    spoil(code)

    with pytest.raises(refusal):
        enrol(user_id=ada.id, code=code.code)

    assert balance(ada.wallet_id, cohort.asset) == 0
    assert not Enrolment.objects.exists()


@pytest.mark.parametrize("typed", ["", "AAAA-AAAA", "' OR 1=1 --", "\x00", "é" * 400])
def test_a_code_nobody_made_is_unknown(typed):
    some_code(some_cohort())

    with pytest.raises(UnknownCode):
        enrol(user_id=some_person().id, code=typed)


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.DEPARTMENT_ADMIN, Role.AUDITOR, Role.OPERATOR])
def test_codes_are_for_students_only(role):
    code = some_code(some_cohort())
    organisation = None if role in {Role.AUDITOR, Role.OPERATOR} else some_department()
    person = some_person("Rita", (role, organisation))

    with pytest.raises(NotForThisRole):
        enrol(user_id=person.id, code=code.code)


def test_a_student_enrols_in_two_cohorts_but_in_none_twice():
    first = some_cohort(students=2)
    second = some_cohort(students=2, name="Spring", institute=first.institute)
    ada = some_person()
    enrol(user_id=ada.id, code=some_code(first).code)
    enrol(user_id=ada.id, code=some_code(second).code)

    with pytest.raises(AlreadyEnrolled):
        enrol(user_id=ada.id, code=some_code(first).code)

    assert balance(ada.wallet_id, first.asset) == 40 * HOUR


def test_an_institute_with_too_little_left_enrols_nobody():
    cohort = some_cohort(students=0)
    code = some_code(cohort)
    ada = some_person()

    with pytest.raises(InstituteShort):
        enrol(user_id=ada.id, code=code.code)

    ada.wallet.refresh_from_db()
    assert (JoinCode.objects.get(id=code.id).uses, ada.memberships.count(), ada.wallet.may_sell) == (0, 0, True)


def test_a_frozen_institute_grants_nothing():
    cohort = some_cohort()
    freeze_wallet(wallet_id=cohort.institute.wallet_id, reason="audit", now=timezone.now())

    with pytest.raises(WalletFrozen):
        enrol(user_id=some_person().id, code=some_code(cohort).code)


def test_one_student_pressing_sixteen_times_at_once_is_granted_once():
    cohort = some_cohort(students=16)
    code = some_code(cohort)
    ada = some_person()

    answers = at_once([(ada.id, code.code)] * 16)

    assert sorted(answers) == ["already_enrolled"] * 15 + ["enrolled"]
    assert balance(ada.wallet_id, cohort.asset) == 20 * HOUR
    assert JoinCode.objects.get(id=code.id).uses == 1


def test_the_last_place_of_a_code_goes_to_one_of_eight():
    cohort = some_cohort(students=16)
    code = some_code(cohort, max_uses=1)
    students = [some_person(f"S{number}") for number in range(8)]

    answers = at_once([(student.id, code.code) for student in students])

    assert sorted(answers) == ["enrolled"] + ["join_code_used_up"] * 7
    assert balance(cohort.institute.wallet_id, cohort.asset) == 15 * 20 * HOUR


def test_the_last_allowance_goes_to_one_of_eight_with_a_code_each():
    cohort = some_cohort(students=1)
    students = [some_person(f"S{number}") for number in range(8)]
    codes = [some_code(cohort) for _student in students]

    answers = at_once([(student.id, code.code) for student, code in zip(students, codes, strict=True)])

    assert sorted(answers) == ["enrolled"] + ["institute_short"] * 7
    assert balance(cohort.institute.wallet_id, cohort.asset) == 0


def at_once(requests: list[tuple[int, str]]) -> list[str]:
    def attempt(request: tuple[int, str]) -> str:
        try:
            enrol(user_id=request[0], code=request[1])
        except Refusal as refusal:
            return refusal.code
        finally:
            connection.close()
        return "enrolled"

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(attempt, requests))


def test_a_cohort_of_tomorrow_takes_codes_that_end_with_it():
    later = timezone.now() + timedelta(days=5)
    cohort = some_cohort(ends_at=later)

    assert some_code(cohort, expires_at=later).expires_at == later
