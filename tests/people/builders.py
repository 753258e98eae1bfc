"""People of every role, in two departments that know nothing of each other."""

import itertools
from datetime import datetime
from typing import Any

from django.utils import timezone

from portal.people.accounts import add_member, found_organisation, sign_up
from portal.people.models import Membership, Organisation, User

PASSWORD = "a-long-test-passphrase"
Role = Membership.Role
_numbers = itertools.count(1)


def now() -> datetime:
    return timezone.now()


def some_person(name: str = "Ada Byron", *roles: tuple[str, Organisation | None], **fields: Any) -> User:
    email = fields.pop("email", f"{name.split()[0].lower()}{next(_numbers)}@uni.example")
    user = sign_up(email=email, password=PASSWORD, name=name, now=now(), verified=True)
    for role, organisation in roles:
        add_member(user=user, role=role, organisation=organisation, now=now())
    return user


def some_department(name: str = "Physics") -> Organisation:
    number = next(_numbers)
    return found_organisation(kind="DEPARTMENT", name=name, slug=f"{name.lower()}-{number}", now=now())


def some_institute(sponsor: Organisation, name: str = "Riverbank") -> Organisation:
    number = next(_numbers)
    return found_organisation(kind="INSTITUTE", name=name, slug=f"{name.lower()}-{number}", now=now(), sponsor=sponsor)
