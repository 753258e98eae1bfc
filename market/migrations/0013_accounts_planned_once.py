"""A process asks for the accounts of wallets that it meets for the first time by their keys; nothing is planned anew."""

from django.db import migrations

PLANNED = "ALTER FUNCTION market_accounts SET enable_seqscan = off SET plan_cache_mode = force_generic_plan;"


class Migration(migrations.Migration):
    dependencies = [("market", "0012_reference_of_an_auction")]

    operations = [migrations.RunSQL(PLANNED, "ALTER FUNCTION market_accounts RESET ALL;")]
