"""The same request twice has one effect and one answer. Keys are the caller's and last as long as the ledger.

A key belongs to a scope, which names whose keys these are, so that different callers never meet. The door keeps keys
by itself (ledger.door.posting); `once` is for steps that do more than the door does.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from ledger.clock import assert_in_transaction
from ledger.door.contents import is_key
from ledger.errors import BadAmount, IdempotencyConflict
from ledger.models import IdempotencyKey, Transfer

Content = Mapping[str, str | int | None]


def once(*, scope: str, key: str, content: Content, now: datetime, make: Callable[[], Transfer]) -> Transfer:
    """Do `make` for this key, or answer with what it made before.

    Raises IdempotencyConflict, naming the first field that differs, when the key was used with other content.
    """
    assert_in_transaction()
    if not is_key(scope, key):
        raise BadAmount(_("An idempotency key is 1 to 120 printable characters."), field="key")
    _queue_for(scope, key)
    known = IdempotencyKey.objects.filter(scope=scope, key=key).first()
    if known is not None:
        compare(known.content, content)
        return Transfer.objects.get(id=known.entry_id)
    made = make()
    IdempotencyKey.objects.create(
        scope=scope, key=key, content=json.dumps(dict(content)), entry_id=made.id, created_at=now
    )
    return made


def compare(known: str, content: Content) -> None:
    theirs = json.loads(known)
    for field, value in content.items():
        if not isinstance(theirs, dict) or theirs.get(field) != value:
            raise IdempotencyConflict(
                _("This key was used before with another %(field)s.") % {"field": field}, field=field
            )


def _queue_for(scope: str, key: str) -> None:
    # Two requests with one key wait for each other here, so that the second sees what the first made.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{scope}\n{key}"])
