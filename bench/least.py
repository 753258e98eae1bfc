"""The least that a transfer of two legs can be in Postgres, as one plpgsql function: two updates in id order, a row for
the transfer and one for each leg, and nothing of what the ledger adds (entries, hashes, keys, policies, guards)."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.calling import Caller, per_second, per_second_of_processes, some_pairs
from portal.embedded.postgres import EmbeddedPostgres

ACCOUNTS = 1000
DATABASE = "least"

_SETUP = f"""
CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE transfer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz DEFAULT now());
CREATE TABLE leg (transfer bigint, account bigint, amount bigint, PRIMARY KEY (transfer, account));
INSERT INTO account SELECT id, 1000000000000 FROM generate_series(1, {ACCOUNTS}) AS id;
CREATE FUNCTION move(giver bigint, receiver bigint, amount bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM 1 FROM account a WHERE a.id IN (giver, receiver) ORDER BY a.id FOR UPDATE;
    UPDATE account a SET balance = a.balance - move.amount WHERE a.id = giver AND a.balance >= move.amount;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not enough';
    END IF;
    UPDATE account a SET balance = a.balance + move.amount WHERE a.id = receiver;
    INSERT INTO transfer DEFAULT VALUES RETURNING id INTO made;
    INSERT INTO leg VALUES (made, move.giver, -move.amount), (made, move.receiver, move.amount);
    RETURN made;
END $$;
"""

_SCRIPT = f"""
\\set giver random(1, {ACCOUNTS})
\\set receiver 1 + (:giver + random(0, {ACCOUNTS - 2})) % {ACCOUNTS}
SELECT move(:giver, :receiver, 1);
"""


class Least:
    """The reference: called by pgbench, and by threads of Python as ours is."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        import psycopg

        self.postgres = postgres
        postgres.make_database(DATABASE)
        self.dsn = postgres.dsn(database=DATABASE, role="postgres")
        with psycopg.connect(self.dsn) as connection:
            connection.execute(_SETUP)
        self._folder = Path(tempfile.mkdtemp(prefix="hourglass-bench-"))
        self.script = self._folder / "least.sql"
        self.script.write_text(_SCRIPT)

    def pgbench(self, *, clients: int, seconds: float) -> float:
        """Transfers a second by pgbench, which spends next to nothing on its own side."""
        command = [
            str(self.postgres.bin / "pgbench"), "-h", str(self.postgres.socket_dir), "-U", "postgres", "-n",
            "-f", str(self.script), "-M", "prepared", "-c", str(clients), "-T", str(max(1, round(seconds))), DATABASE,
        ]  # fmt: skip
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        line = next(line for line in output.splitlines() if line.startswith("tps ="))
        return float(line.split()[2])

    def threads(self, *, callers: int, seconds: float, seed: int) -> float:
        """Transfers a second by threads of this process, one connection each, as ours are."""
        return per_second(self._caller(seed), callers=callers, seconds=seconds, close=lambda: None)

    def processes(self, *, callers: int, seconds: float, seed: int) -> float:
        """The same by processes, which no common lock of Python holds up."""
        return per_second_of_processes(self._caller(seed), callers=callers, seconds=seconds)

    def _caller(self, seed: int) -> Caller:
        import psycopg

        def caller(number: int) -> Callable[[], None]:
            pairs = some_pairs(range(1, ACCOUNTS + 1), seed + number)
            # Closed with the last reference, at the end of the thread or process.
            connection = psycopg.connect(self.dsn, autocommit=True)

            def call() -> None:
                connection.execute("SELECT move(%s::bigint, %s::bigint, 1)", next(pairs), prepare=True)

            return call

        return caller
