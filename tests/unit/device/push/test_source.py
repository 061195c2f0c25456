"""Blocks of files for all devices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from farm.device.push.archive import MOST_BYTES, MOST_FILES, archives
from farm.device.push.source import BLOCK_BYTES, Source
from farm.model.artifact import Artifact


async def test_a_block_is_read_once_for_those_who_ask_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a" * BLOCK_BYTES + b"rest")
    source = Source()
    blocks = await asyncio.gather(
        *(source.block(path, offset) for offset in (0, BLOCK_BYTES, 0, BLOCK_BYTES))
    )
    assert blocks == [b"a" * BLOCK_BYTES, b"rest"] * 2
    assert source.read_bytes == BLOCK_BYTES + 4
    assert await source.block(path, BLOCK_BYTES + 4) == b""


async def test_what_is_remembered_has_a_limit_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(4 * BLOCK_BYTES))
    source = Source(2 * BLOCK_BYTES)
    for offset in (0, 1, 2, 2, 1, 0):
        await source.block(path, offset * BLOCK_BYTES)
    assert source.read_bytes == 4 * BLOCK_BYTES


async def test_a_file_that_cannot_be_read_is_tried_again(tmp_path: Path) -> None:
    source = Source()
    with pytest.raises(FileNotFoundError):
        await source.block(tmp_path / "f", 0)
    (tmp_path / "f").write_bytes(b"there now")
    assert await source.block(tmp_path / "f", 0) == b"there now"


async def test_one_device_that_gives_up_takes_no_block_from_another(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"content")
    source = Source()
    first, second = (asyncio.create_task(source.block(path, 0)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == b"content"


def test_archives_have_limits(tmp_path: Path) -> None:
    files = [Artifact("f", f"{number:064x}", 10_000, tmp_path) for number in range(2500)]
    groups = list(archives(files))
    assert [one for group in groups for one in group] == files
    assert all(len(group) <= MOST_FILES for group in groups)
    assert all(sum(one.size_bytes for one in group) <= MOST_BYTES for group in groups)
    assert list(archives([])) == []
