"""What the application's own database role is refused by Postgres itself."""

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from ledger.models import Account, Checkpoint, Entry, Hold, IdempotencyKey, Leaf, Posting
from ledger.transfers import Move, post_transfer
from tests import cluster
from tests.ledger.builders import given, some_series, some_wallet

pytestmark = pytest.mark.django_db


def refused(sql: str, params: list[object] | None = None) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
    return str(caught.value)


def test_the_application_is_not_the_owner():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)")
        assert cursor.fetchone() == ("hourglass", False)


@pytest.mark.parametrize("table", ["entry", "posting", "leaf", "checkpoint", "idempotencykey"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_history_is_refused_to_raw_sql(table, statement):
    given(some_wallet(), some_series(), 100)
    column = {"checkpoint": "size", "leaf": "index", "idempotencykey": "key", "posting": "amount"}.get(table, "id")

    said = refused(statement.format(f"ledger_{table}", column, column))

    assert "permission denied" in said


@pytest.mark.parametrize("model", [Entry, Posting, Leaf, Checkpoint, IdempotencyKey])
def test_history_is_refused_to_the_orm(model):
    given(some_wallet(), some_series(), 100)
    field = model._meta.get_field(
        {"Checkpoint": "note", "Leaf": "entry", "IdempotencyKey": "content", "Posting": "amount"}.get(
            model.__name__, "id"
        )
    ).attname

    with pytest.raises(DatabaseError), transaction.atomic():
        model.objects.update(**{field: 7})


@pytest.mark.parametrize("table", ["entry", "posting"])
@pytest.mark.parametrize("role", ["hourglass_owner"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_history_is_refused_even_to_the_tables_owner(table, role, statement):
    column = {"entry": "kind", "posting": "amount"}[table]
    with (
        psycopg.connect(cluster.dsn(cluster.database_name(), role)) as other,
        pytest.raises(psycopg.Error, match="history is only added to"),
    ):
        other.execute(statement.format(f"ledger_{table}", column, column))


def test_a_balance_cannot_be_written():
    account = given(some_wallet(), some_series(), 100)

    assert "permission denied" in refused("UPDATE ledger_account SET balance = 10 WHERE id = %s", [account.id])
    assert "permission denied" in refused("UPDATE ledger_account SET held = 0 WHERE id = %s", [account.id])
    assert "permission denied" in refused("DELETE FROM ledger_account WHERE id = %s", [account.id])


def test_an_account_starts_empty_and_only_the_issuers_may_go_negative():
    wallet, series = some_wallet(), some_series()

    said = refused(
        "INSERT INTO ledger_account (wallet_id, asset_id, balance, held, may_go_negative) VALUES (%s, %s, 5, 0, false)",
        [wallet.id, series.id],
    )
    account = Account.objects.create(wallet=wallet, asset=series, may_go_negative=True)
    account.refresh_from_db()

    assert "starts empty" in said
    assert account.may_go_negative is False


def test_unbalanced_and_crossed_postings_are_refused():
    wallet = some_wallet()
    h100, a100 = given(wallet, some_series(), 100), given(wallet, some_series("A100-2026Q4"), 100)
    other = given(some_wallet("Bob"), some_series(), 1)
    now = timezone.now()

    for moves in ([Move(other.id, 5)], [Move(h100.id, -5), Move(other.id, 6)], [Move(h100.id, -5), Move(a100.id, 5)]):
        with pytest.raises(IntegrityError, match="sum to zero"), transaction.atomic():
            post_transfer(kind=Entry.TransferKind.SEND, moves=moves, now=now)


def test_postings_need_a_transfer_of_the_same_transaction():
    sender, receiver = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 1)
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as other:
        row = other.execute("SELECT count(*) FROM ledger_entry").fetchone()
    assert row is not None

    said = refused(
        "INSERT INTO ledger_posting (transfer_id, account_id, amount) VALUES (%s, %s, -5), (%s, %s, 5)",
        [987654321, sender.id, 987654321, receiver.id],
    )

    assert "same transaction" in said


def test_the_transaction_number_of_an_entry_cannot_be_written():
    assert "permission denied" in refused(
        "INSERT INTO ledger_entry (kind, body, leaf_hash, reference, recorded_at, xid)"
        " VALUES ('ASSET', '', '', '', now(), '1'::xid8)"
    )


def test_nobody_but_the_issuer_goes_below_zero_and_holds_stay_within_the_balance():
    account = given(some_wallet(), some_series(), 100)
    other = given(some_wallet("Bob"), some_series(), 1)

    assert "account_available_not_negative" in refused("SELECT ledger_change_held(%s, %s)", [[account.id], [101]])
    assert "account_held_not_negative" in refused("SELECT ledger_change_held(%s, %s)", [[account.id], [-1]])
    entry = Entry.objects.create(
        kind="TRANSFER", transfer_kind="SEND", body=b"", leaf_hash=b"", recorded_at=timezone.now()
    )
    said = refused(
        "INSERT INTO ledger_posting (transfer_id, account_id, amount) VALUES (%s, %s, -101), (%s, %s, 101)",
        [entry.id, account.id, entry.id, other.id],
    )
    assert "account_available_not_negative" in said


def test_triggers_and_replica_role_are_refused():
    assert "must be owner" in refused("ALTER TABLE ledger_posting DISABLE TRIGGER ALL")
    assert "permission denied" in refused("SET session_replication_role = replica")


def test_a_resolved_hold_and_a_definition_do_not_change():
    account = given(some_wallet(), some_series(), 100)
    hold = Hold.objects.create(account=account, amount=5, reference="test", placed_at=timezone.now())
    Hold.objects.filter(id=hold.id).update(status="RELEASED")

    assert "resolves once" in refused("UPDATE ledger_hold SET status = 'OPEN' WHERE id = %s", [hold.id])
    assert "definition" in refused("UPDATE ledger_asset SET gpu_type = 'b200' WHERE id = %s", [account.asset_id])
