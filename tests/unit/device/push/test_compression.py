"""When a file is compressed on its way."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest

from farm.device.push import compression
from farm.device.push.compression import Judge, Trial, compressed, is_worth, trial


@pytest.mark.parametrize(
    ("line_bytes_per_s", "ratio", "expected"),
    [(1e6, 0.5, True), (25e6, 0.9, True), (26e6, 0.5, False), (1e6, 0.91, False), (1e9, 0.1, False)],
)
def test_only_a_line_that_is_slower_than_the_compressor_is_worth_it(
    line_bytes_per_s: float, ratio: float, expected: bool
) -> None:
    assert is_worth(line_bytes_per_s, Trial(ratio, 100e6)) is expected


def test_a_trial_has_the_ratio_and_the_speed() -> None:
    times = iter((1.0, 1.5))
    tried = trial(bytes(1000), lambda: next(times))
    assert tried.ratio < 0.1
    assert tried.bytes_per_s == 2000


async def blocks(count: int, content: bytes = bytes(1 << 20)) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield content


async def test_the_judge_stops_once_where_the_rest_should_be_compressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compression, "TIMES_FASTER", 0)
    judge = Judge()
    assert len([one async for one in judge.passed(blocks(20))]) == 12
    assert judge.line_bytes_per_s is not None
    judge = Judge()
    assert len([one async for one in judge.passed(blocks(11))]) == 11
    assert judge.line_bytes_per_s is None


async def test_the_judge_lets_all_pass_on_a_fast_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "TIMES_FASTER", 1e12)
    judge = Judge()
    assert len([one async for one in judge.passed(blocks(20))]) == 20
    assert judge.line_bytes_per_s is None


async def test_what_is_compressed_is_one_stream_of_gzip() -> None:
    taken: list[int] = []
    data = b"".join([one async for one in compressed(blocks(3, b"ab" * 1000), taken.append)])
    assert gzip.decompress(data) == b"ab" * 3000
    assert taken == [2000, 4000, 6000]
