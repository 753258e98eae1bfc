"""Letting time pass in the tables: written by the database's superuser, whom no trigger stops."""

import psycopg
from psycopg import sql

from tests import cluster


def made_older(table: str, column: str, *, seconds: int) -> None:
    """Everything in the table happened so much earlier."""
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            sql.SQL("UPDATE {} SET {} = {} - make_interval(secs => %s)").format(
                sql.Identifier(table), sql.Identifier(column), sql.Identifier(column)
            ),
            [seconds],
        )
