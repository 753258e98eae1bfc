"""The posting trigger joins by hashing from a few postings on: what is looked up among a trade's accounts is an array in
memory, each lookup in which reads all of it."""

from importlib import import_module

from django.db import migrations

_before = import_module("ledger.migrations.0008_lean_posting_trigger")
FEW = 12
TRIGGER = _before.TRIGGER.replace(f"rows > {_before.MANY}", f"rows > {FEW}")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_lean_posting_trigger")]

    operations = [migrations.RunSQL(TRIGGER, _before.TRIGGER)]
