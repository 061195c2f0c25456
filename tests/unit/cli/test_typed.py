"""What is kept of a command has no password."""

from __future__ import annotations

import pytest

from farm.cli.typed import own_command, without_passwords


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("postgresql://farm:hunter2@db/farm", "postgresql://farm:***@db/farm"),
        ("--store=postgresql://farm:p@ss/w:rd@db:5432/farm", "--store=postgresql://farm:***@db:5432/farm"),
        ("postgresql://:hunter2@db/farm", "postgresql://:***@db/farm"),
        ("postgresql://farm@db:5432/farm", "postgresql://farm@db:5432/farm"),
        ("sqlite:///farm-store.db", "sqlite:///farm-store.db"),
        ("ann@lab", "ann@lab"),
        ("bundled:tiny", "bundled:tiny"),
    ],
)
def test_a_password_in_a_url_is_left_out_and_nothing_else(typed: str, kept: str) -> None:
    assert without_passwords(typed) == kept


def test_the_command_that_is_kept_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/x/farm", "submit", "--store", "postgresql://farm:hunter2@db/farm"])
    assert own_command() == ("farm", "submit", "--store", "postgresql://farm:***@db/farm")
