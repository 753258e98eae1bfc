"""Two departments that know nothing of each other, each with people, an institute, tokens and an admin."""

from dataclasses import dataclass

from django.test import Client

from ledger.models import Asset
from portal.institutes.enrolment import enrol
from portal.institutes.models import Cohort
from portal.people.models import Organisation, User
from tests.institutes.builders import some_code, some_cohort
from tests.ledger.builders import given, some_series
from tests.people.builders import Role, some_department, some_institute, some_person

HOUR = 3600


@dataclass
class World:
    department: Organisation
    institute: Organisation
    admin: User
    researcher: User
    lead: User
    student: User
    cohort: Cohort
    series: Asset


def a_world(name: str = "Physics") -> World:
    department = some_department(name)
    institute = some_institute(department, name=f"{name}-Institute")
    series = some_series()
    given(department.wallet, series, 1000 * HOUR)
    cohort = some_cohort(students=20, institute=institute, name=f"{name} autumn")
    student = some_person(f"Student {name}")
    enrol(user_id=student.id, code=some_code(cohort).code)
    return World(
        department=department,
        institute=institute,
        admin=some_person(f"Admin {name}", (Role.DEPARTMENT_ADMIN, department)),
        researcher=some_person(f"Researcher {name}", (Role.RESEARCHER, department)),
        lead=some_person(f"Lead {name}", (Role.INSTITUTE_LEAD, institute)),
        student=student,
        cohort=cohort,
        series=series,
    )


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client
