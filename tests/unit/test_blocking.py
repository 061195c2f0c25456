"""The guard of the event loop itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from blockbuster import BlockingError

from farm.transport.known_hosts import Trust, trust
from tests.blocking import ALLOWED, FARM


async def test_farm_cannot_read_a_file_in_the_loop_but_a_test_can(tmp_path: Path) -> None:
    (tmp_path / "pins").touch()
    loop, seen = asyncio.get_running_loop(), asyncio.Queue[object]()
    loop.set_exception_handler(lambda _, context: seen.put_nowait(context["exception"]))
    loop.call_soon(trust, "name", tmp_path / "pins", ())
    assert isinstance(await asyncio.wait_for(seen.get(), 60), BlockingError)
    assert trust("name", tmp_path / "pins", ()) == Trust()
    assert await asyncio.to_thread(trust, "name", tmp_path / "pins", ()) == Trust()


def test_what_is_allowed_exists() -> None:
    for file, names in ALLOWED.items():
        text = (Path(FARM).parent / file).read_text("utf-8")
        assert [name for name in names if f"def {name}(" not in text] == [], file
