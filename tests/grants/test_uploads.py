"""A file of grants is granted whole or not at all, once, after being shown."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from ledger.errors import Refusal
from ledger.models import Entry
from ledger.wallets import freeze_wallet
from portal.grants.models import GrantUpload
from portal.grants.uploads import grant_upload
from tests.grants.builders import HOUR, a_world, signed_in
from tests.institutes.builders import balance
from tests.people.builders import now

pytestmark = pytest.mark.django_db(transaction=True)
ADD = "/admin/grants/grantupload/add/"


def a_file(*rows: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("grants.csv", "\n".join(["email,series,amount", *rows]).encode())


def upload(world, *rows: str, by=None):
    return signed_in(by or world.admin).post(ADD, {"wallet": world.department.wallet_id, "file": a_file(*rows)})


def test_a_file_is_shown_first_and_then_granted():
    world = a_world()
    client = signed_in(world.admin)
    answer = upload(world, f"{world.researcher.email},H100-2026Q4,12.5", f"{world.student.email},H100-2026Q4,7.5")
    draft = GrantUpload.objects.get()

    shown = client.get(answer.headers["Location"]).content.decode()
    assert "What will happen" in shown
    assert balance(world.researcher.wallet_id, world.series) == 0

    client.post(answer.headers["Location"], {"grant": "1"})
    draft.refresh_from_db()
    assert draft.status == "GRANTED"
    assert balance(world.researcher.wallet_id, world.series) == 12.5 * HOUR
    assert balance(world.department.wallet_id, world.series) == 980 * HOUR
    assert "Entry" in client.get(answer.headers["Location"]).content.decode()


def test_one_wrong_line_of_500_takes_nothing_and_is_named():
    world = a_world()
    rows = [f"{world.researcher.email},H100-2026Q4,1", *[f"nobody{n}@x.example,H100-2026Q4,1" for n in range(2)]]

    answer = upload(world, *rows, f"{world.student.email},NO-SUCH,1", f"{world.student.email},H100-2026Q4,-1")

    page = answer.content.decode()
    assert answer.status_code == 422
    assert [f"Line {n}" in page for n in (2, 3, 4, 5, 6)] == [False, True, True, True, True]
    assert not GrantUpload.objects.exists()


def test_people_of_another_department_and_nobody_are_told_alike():
    world, other = a_world("Physics"), a_world("Biology")

    page = upload(world, f"{other.researcher.email},H100-2026Q4,1", "ghost@uni.example,H100-2026Q4,1").content.decode()

    assert f"Line 2: nobody in your departments has the address {other.researcher.email}." in page
    assert "Line 3: nobody in your departments has the address ghost@uni.example." in page


def test_more_than_there_is_is_refused_whole():
    world = a_world()
    answer = upload(world, f"{world.researcher.email},H100-2026Q4,600", f"{world.student.email},H100-2026Q4,600")
    client = signed_in(world.admin)
    assert "refused as a whole" in client.get(answer.headers["Location"]).content.decode()

    client.post(answer.headers["Location"], {"grant": "1"})

    assert GrantUpload.objects.get().status == "DRAFT"
    assert balance(world.researcher.wallet_id, world.series) == 0


def test_a_frozen_wallet_in_the_middle_undoes_the_lines_before_it():
    world = a_world()
    upload(world, f"{world.researcher.email},H100-2026Q4,1", f"{world.student.email},H100-2026Q4,1")
    freeze_wallet(wallet_id=world.student.wallet_id, reason="audit", now=now())
    before = Entry.objects.count()

    with pytest.raises(Refusal) as refusal:
        grant_upload(upload_id=GrantUpload.objects.get().id)

    assert "Line 3" in refusal.value.message
    assert Entry.objects.count() == before
    assert balance(world.researcher.wallet_id, world.series) == 0


def test_confirming_eight_times_at_once_grants_once():
    world = a_world()
    upload(world, f"{world.researcher.email},H100-2026Q4,10")
    upload_id = GrantUpload.objects.get().id

    def confirm(_number: int) -> str:
        try:
            grant_upload(upload_id=upload_id)
        except Refusal as refusal:
            return refusal.code
        finally:
            connection.close()
        return "granted"

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(confirm, range(8)))

    assert answers == ["granted"] + ["upload_decided"] * 7
    assert balance(world.researcher.wallet_id, world.series) == 10 * HOUR


def test_a_discarded_draft_cannot_be_granted():
    world = a_world()
    address = upload(world, f"{world.researcher.email},H100-2026Q4,10").headers["Location"]
    client = signed_in(world.admin)

    client.post(address, {"discard": "1"})
    client.post(address, {"grant": "1"})

    assert GrantUpload.objects.get().status == "DISCARDED"
    assert balance(world.researcher.wallet_id, world.series) == 0


def test_a_name_with_a_script_is_shown_as_text():
    world = a_world()
    world.researcher.name = "<script>alert(1)</script>"
    world.researcher.save()

    answer = upload(world, f"{world.researcher.email},H100-2026Q4,1")

    page = signed_in(world.admin).get(answer.headers["Location"]).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_another_departments_wallet_is_no_choice():
    world, other = a_world("Physics"), a_world("Biology")

    answer = signed_in(world.admin).post(
        ADD, {"wallet": other.department.wallet_id, "file": a_file(f"{world.researcher.email},H100-2026Q4,1")}
    )

    assert answer.status_code == 422
    assert not GrantUpload.objects.exists()
