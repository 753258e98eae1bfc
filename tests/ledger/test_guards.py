"""What the application's own database role is refused by Postgres itself."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_the_application_is_not_the_owner():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, (SELECT count(*) FROM ledger_entry)")
        assert cursor.fetchone() == ("hourglass", 0)
