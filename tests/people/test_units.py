"""Every number has its unit, no digit too many, and the whole figure in its title."""

import html
import re

import pytest

from portal.people.templatetags import units


def words(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", text))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (units.gpu_hours(44_442), "12.34 GPU-h"),
        (units.gpu_hours(0), "0.00 GPU-h"),
        (units.gpu_hours(1), "<0.01 GPU-h"),
        (units.gpu_hours(-36, "signed"), "−0.01 GPU-h"),
        (units.gpu_hours(36, "signed"), "+0.01 GPU-h"),
        (units.gpu_hours(4_320_000, "bare"), "1,200.00"),
        (units.lots(1234), "12.34 GPU-h"),
        (units.credits(12_345_000), "1,234.50 cr"),
        (units.credits(9_999), "0.99 cr"),
        (units.price(235), "2.35 cr/GPU-h"),
        (units.pflop_hours(3600, 989), "0.98 PFLOP-h"),
        (units.span(3600), "1 h 0 min"),
        (units.span(86400 * 42), "42 days"),
    ],
)
def test_a_figure_is_shown_with_its_unit_and_never_rounded_up(shown, expected):
    assert words(shown) == expected


def test_the_whole_figure_is_in_the_title():
    assert 'title="12.345 GPU-h (44,442 GPU-s)"' in units.gpu_hours(44_442)
    assert 'title="0.9999 cr"' in units.credits(9_999)
