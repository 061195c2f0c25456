from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.cores import core_list
from farm.report.numerals import (
    MISSING,
    as_duration,
    as_ratio,
    decimals_for,
    in_bytes,
    in_memory,
    in_ms,
    moment,
)


@pytest.mark.parametrize(
    ("values_ms", "decimals"),
    [
        ([], 3),
        ([0.0], 3),
        ([0.021, 0.969], 3),
        ([1.19, 54.4], 2),
        ([12.3], 1),
        ([120.4, 830.0], 1),
        ([1523.0], 0),
    ],
)
def test_times_of_one_model_share_decimals_that_give_the_smallest_three_digits(values_ms, decimals):
    assert decimals_for(values_ms) == decimals


@given(st.lists(st.floats(1e-9, 1e9), min_size=1))
def test_decimals_are_never_more_than_the_program_prints(values_ms):
    assert 0 <= decimals_for(values_ms) <= 3


def test_what_is_not_known_is_a_dash_and_never_a_zero():
    assert in_ms(None, 2) == in_memory(None) == in_bytes(None) == MISSING
    assert in_ms(0.0, 2) == "0.00"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0421, "0.042"),
        (0.7149, "0.71"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (250.4, "250"),
        (float("inf"), MISSING),
    ],
)
def test_a_ratio_has_about_three_digits(ratio, text):
    assert as_ratio(ratio) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 Bytes"),
        (999, "999 Bytes"),
        (1000, "1 kB"),
        (84_512_332, "84.5 MB"),
        (999_900, "1 MB"),
        (3 * 10**12, "3 TB"),
    ],
)
def test_sizes_are_decimal(size_bytes, text):
    assert in_bytes(size_bytes) == text


def test_durations_name_their_two_largest_units():
    assert [as_duration(s) for s in (0.4, 59.6, 374, 7260)] == ["0 s", "1 min 0 s", "6 min 14 s", "2 h 1 min"]


def test_cores_are_written_as_linux_writes_them():
    assert core_list([6, 0, 1, 2, 3, 3]) == "0-3,6"
    assert core_list([]) == ""


def test_a_time_without_an_offset_is_utc_and_no_time_is_none():
    assert moment("2026-11-23T11:30:27") == datetime(2026, 11, 23, 11, 30, 27, tzinfo=UTC)
    assert moment("yesterday") is None
    assert moment(None) is None


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 MiB"), (192 << 20, "192 MiB"), (1 << 30, "1.0 GiB"), (25 << 30, "25.0 GiB")],
)
def test_the_memory_of_a_board_is_told_in_mib(size_bytes: int, text: str) -> None:
    assert in_memory(size_bytes) == text
