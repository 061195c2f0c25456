"""What is shared between devices whose SSH configuration is asked for at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.model.device import Address
from farm.transport.openssh import configuration
from farm.transport.openssh.configuration import settings_of

LOOK = configuration._start


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """One for each look at whom to ask."""
    monkeypatch.setenv("HOME", str(tmp_path))
    seen: list[str] = []

    def look() -> configuration._Start | None:
        seen.append("look")
        return LOOK()

    monkeypatch.setattr(configuration, "_start", look)
    return seen


async def test_a_hundred_devices_at_once_cost_one_look_and_later_ones_another(looks: list[str]):
    found = await asyncio.gather(*(settings_of(Address(f"board-{n}", user="me")) for n in range(100)))
    assert [one.host for one in found] == [f"board-{n}" for n in range(100)]
    assert len(looks) == 1
    await settings_of(Address("board", user="me"))
    assert len(looks) == 2
    assert not configuration._looks


async def test_each_of_them_is_told_what_is_wrong(looks: list[str], monkeypatch: pytest.MonkeyPatch):
    def look() -> None:
        raise RequestError("cannot be read")

    monkeypatch.setattr(configuration, "_start", look)
    asked = await asyncio.gather(*map(settings_of, map(Address, "abc")), return_exceptions=True)
    assert [str(error) for error in asked] == ["cannot be read"] * 3


async def test_who_is_cancelled_takes_the_look_from_nobody(looks: list[str]):
    first = asyncio.create_task(settings_of(Address("a", user="me")))
    second = asyncio.create_task(settings_of(Address("b", user="me")))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).host == "b"
    assert first.cancelled()
    assert len(looks) == 1
