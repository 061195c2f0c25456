"""Names under which devices are held."""

from __future__ import annotations

import os

import pytest

from farm.device.former import own_name


def test_a_user_who_has_a_number_and_no_name_can_hold_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that was started with another user's number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321_987)
    assert own_name("run r").startswith("uid-54321987@")
