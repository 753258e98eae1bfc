"""What the fast door needs."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_cosignatures")]

    operations = []
