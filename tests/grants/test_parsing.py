"""What a CSV file of grants says, and every way in which it can be wrong, with the line."""

from decimal import Decimal

import pytest

from portal.grants.errors import BadUpload
from portal.grants.parsing import Line, parse

HEAD = "email,series,amount\n"


def test_columns_may_come_in_any_order_and_with_others_between():
    lines, problems = parse(b"Amount,Note,EMAIL,series\n12.50,x,Ada@Uni.example,H100\n\n3,y,b@uni.example,H100\n")

    assert lines == [
        Line(2, "ada@uni.example", "H100", Decimal("12.50")),
        Line(4, "b@uni.example", "H100", Decimal(3)),
    ]
    assert problems == []


def test_a_byte_order_mark_is_no_part_of_the_first_column():
    lines, _ = parse("﻿email,series,amount\na@b.example,H100,1\n".encode())

    assert lines[0].email == "a@b.example"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "lacks email, series, amount"),
        (b"email,series\n", "lacks amount"),
        (HEAD.encode(), "no lines below"),
        (HEAD.encode() + b"a@b.example,H100,1\n\xff\xfe,H100,1\n", "Line 3 is not UTF-8"),
        ("email,series,amount\nä@b.example,H100,1\n".encode("utf-16"), "not UTF-8"),
        (HEAD.encode() + b"a@b.example,H\x00,1\n", "Line 2 holds a NUL"),
        (HEAD.encode() + b'"a@b.example,H100,1\n', "is not CSV"),
        (HEAD.encode() + b"a@b.example,H100,1\n" * 5_001, "more than 5000 lines"),
        (b"x" * 1_000_001, "larger than"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(data, said):
    with pytest.raises(BadUpload) as refusal:
        parse(data)

    assert said in refusal.value.message


@pytest.mark.parametrize(
    "amount",
    ["0", "-1", "1e3", "NaN", "Infinity", "1,000", "=1+1", "1.234", "", "٣", "1" * 10, "0x10", "1 000", "+1", "1_0"],
)
def test_an_amount_is_plain_figures_above_zero(amount):
    lines, problems = parse(f'{HEAD}a@b.example,H100,"{amount}"\n'.encode())

    assert lines == []
    assert [problem.line for problem in problems] == [2]


def test_a_line_that_repeats_another_names_it():
    _, problems = parse(f"{HEAD}a@b.example,H100,1\nb@b.example,H100,1\nA@b.example,H100,2\n".encode())

    assert [str(problem) for problem in problems] == ["Line 4: repeats line 2."]


def test_line_numbers_count_lines_of_the_file_also_inside_quotes():
    _, problems = parse(f'{HEAD}"a\n@b.example",H100,1\nb@b.example,H100,zero\n'.encode())

    assert [problem.line for problem in problems] == [4]
