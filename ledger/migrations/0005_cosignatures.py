"""Cosignatures of witnesses."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_governance")]

    operations = []
