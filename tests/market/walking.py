"""Walks migrations there and back in a database of its own; prints what each step left. Run as a program, by the owner.

A line of JSON a step: where it is, and everything of the schema by name, with what the application may do with it.
"""

import json
import sys
from typing import Any

import django
from django.core.management import call_command
from django.db import connection

SCHEMA = """
    SELECT 'column ' || table_name || '.' || column_name,
        concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default, is_identity)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint ' || conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
    UNION ALL SELECT 'index ' || tablename || '.' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'function ' || proname, pg_get_functiondef(oid) || coalesce(proacl::text, '')
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger ' || tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'right ' || table_name || ' ' || privilege_type, grantee
    FROM information_schema.role_table_grants WHERE grantee = 'hourglass_app'
    UNION ALL SELECT 'right ' || table_name || '.' || column_name || ' ' || privilege_type, grantee
    FROM information_schema.column_privileges WHERE grantee = 'hourglass_app'
    UNION ALL SELECT 'options ' || relname, reloptions::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL
"""


def schema() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        return dict(sorted(cursor.fetchall()))


def main(steps: list[str]) -> None:
    """Steps are `app:name`, or `all`."""
    django.setup()
    for step in steps:
        call_command("migrate", *([] if step == "all" else step.split(":")), verbosity=0)
        print(json.dumps({"step": step, "schema": schema()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
