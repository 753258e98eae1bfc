"""The pages of primary issues: all of them, those of one series, and what each came to."""

import pytest
from django.urls import reverse

from tests.market.builders import auction_over, offered, placed, some_instrument, some_trader

pytestmark = pytest.mark.django_db(transaction=True)


def rows(answer):
    """Of each row the figures under their names, as a phone shows them."""
    listed = answer.content.decode().partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]
    return [
        {cell.partition('"')[0]: text(cell.partition(">")[2]) for cell in row.split('data-label="')[1:]}
        | {"address": row.partition('href="')[2].partition('"')[0]}
        for row in listed
    ]


def text(cell):
    while "<span" in cell:
        cell = cell.partition("<span")[2].partition(">")[2]
    return cell.partition("<")[0]


def test_every_offering_is_found_the_newest_first_and_says_what_it_came_to(client):
    series, other = some_instrument("H100-2026Q4"), some_instrument("A100-2026Q4")
    department = some_trader(series, "Physics", credits=0, lots=1000)
    first = offered(series, department, 100, set_aside_percent=20, small_below=10)
    placed(series, some_trader(series, "Ada"), "BUY", 60, 700)
    auction_over(series)
    second = offered(series, department, 250)

    done, running = rows(client.get(reverse("offerings")))[::-1]

    assert (done["address"], running["address"]) == tuple(f"/offerings/{each.public_id}/" for each in (first, second))
    assert [done[name] for name in ("State", "Offered, GPU-h", "Price, cr/GPU-h", "Sold, GPU-h")] == [
        "done", "1.00", "5.00", "0.60",
    ]  # fmt: skip
    assert [running[name] for name in ("State", "Offered, GPU-h", "Price, cr/GPU-h", "Sold, GPU-h")] == [
        "taking bids", "2.50", "–", "–",
    ]  # fmt: skip
    assert done["Set aside for small holders, %"] == "20"
    assert len(rows(client.get(reverse("series-offerings", args=[series.code])))) == 2
    nothing = client.get(reverse("series-offerings", args=[other.code]))
    assert b"Nothing was offered yet" in nothing.content
    assert client.get(reverse("series-offerings", args=["GHOST-2026Q4"])).status_code == 404
    for page in (reverse("instrument", args=[series.code]), reverse("market")):
        assert b'offerings/"' in client.get(page).content
    assert b"Physics" not in client.get(reverse("offerings")).content


def test_many_offerings_are_turned_over_at_the_same_cost(client, django_assert_num_queries):
    series = some_instrument()
    department = some_trader(series, "Physics", credits=0, lots=1000)
    for _ in range(27):
        offered(series, department, 10)
        auction_over(series)

    with django_assert_num_queries(2):
        assert len(rows(client.get(reverse("offerings")))) == 25
    assert len(rows(client.get(reverse("offerings"), {"page": 2}))) == 2
