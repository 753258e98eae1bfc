"""The site, the page and the client each have a checksum of their own: they agree with each other and with Kraken's."""

import random
import sys
from pathlib import Path

import pytest

from market.feed import checksum
from tests import full
from tests.browser import chromium, open_page

CLIENT = Path(__file__).resolve().parents[2] / "client"
sys.path.insert(0, str(CLIENT))

from hourglass_client import Book  # noqa: E402

# The example that Kraken publishes with its rule.
ASKS = [(f"0.0{price}", "0.00000500") for price in range(5005, 5055, 5)]
BIDS = [(f"0.0{price}", "0.00000500") for price in (5000, 4995, 4990, 4980, 4975, 4970, 4965, 4960, 4955, 4950)]
PUBLISHED = 974947235


def plain(rows):
    """Prices and quantities as our ticks and lots are written."""
    return [(int(price.replace(".", "")), int(quantity.replace(".", ""))) for price, quantity in rows]


def of_client(asks, bids):
    sides = ([{"price": price, "quantity": quantity, "orders": 1} for price, quantity in side] for side in (bids, asks))
    return Book(dict(zip(("bids", "asks"), sides, strict=True)) | {"number": 0}).checksum


def drawn(chance):
    middle = chance.randint(30, 10_000_000)
    asks = sorted(chance.sample(range(middle, middle + 60), chance.randint(0, 14)))
    bids = sorted(chance.sample(range(max(1, middle - 29), middle), chance.randint(0, 14)), reverse=True)
    return [[(price, chance.randint(1, 10 ** chance.randint(1, 10))) for price in side] for side in (asks, bids)]


def test_krakens_published_example_is_ours():
    assert checksum(ASKS, BIDS) == PUBLISHED
    assert checksum(plain(ASKS), plain(BIDS)) == PUBLISHED
    assert of_client(plain(ASKS), plain(BIDS)) == PUBLISHED


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_site_page_and_client_agree_about_every_book(live_server):
    chance = random.Random(20261123)
    books = [(plain(ASKS), plain(BIDS)), *(drawn(chance) for _ in range(full.count(2_000)))]
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        page.goto("/market/")
        of_page = page.evaluate(
            """async ({url, books}) => {
                const { Book } = await import(url);
                const levels = (rows) => rows.map(([price, quantity]) => [price, quantity, 1]);
                return books.map(([asks, bids]) =>
                    new Book({ asks: levels(asks), bids: levels(bids), levels: 500 }).checksum());
            }""",
            {"url": "/static/js/trading/book.js", "books": books},
        )

    ours = [checksum(asks, bids) for asks, bids in books]
    print(f"\n{len(books)} books, {len(set(ours))} different checksums")
    assert of_page == ours == [of_client(asks, bids) for asks, bids in books]
    assert ours[0] == PUBLISHED
