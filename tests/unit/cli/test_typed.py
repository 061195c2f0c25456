"""What is kept of a command has no password."""

from __future__ import annotations

import pytest

from farm.cli.commands import COMMANDS
from farm.cli.lazy import load
from farm.cli.typed import TAKE, hint_line, own_command, without_passwords


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("postgresql://farm:hunter2@db/farm", "postgresql://farm:***@db/farm"),
        ("--store=postgresql://farm:p@ss/w:rd@db:5432/farm", "--store=postgresql://farm:***@db:5432/farm"),
        ("postgresql://:hunter2@db/farm", "postgresql://:***@db/farm"),
        ("postgresql://farm@db:5432/farm", "postgresql://farm@db:5432/farm"),
        ("postgresql://me@corp:secret@db/farm", "postgresql://me@corp:***@db/farm"),
        ("postgresql://farm:pa ss@db/farm", "postgresql://farm:***@db/farm"),
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


def test_the_commands_that_take_a_place_are_those_that_have_the_option() -> None:
    for option, commands in TAKE.items():
        taking = {row.words for row in COMMANDS if any(option in one.opts for one in load(row).params)}
        assert set(commands) == taking, option


@pytest.mark.parametrize(
    ("given", "hint", "shown"),
    [
        ("bench -i lab.yaml", "farm devices check d", "farm devices check --inventory lab.yaml d"),
        ("bench --inventory=lab.yaml", "farm plan", "farm plan --inventory lab.yaml"),
        ("bench -ilab.yaml", "farm runs show x", "farm runs show x"),
        ("runs show z --runs-dir rz", "farm runs resume z", "farm runs resume --runs-dir rz z"),
        (
            "bench -i a.yaml --runs-dir rz",
            "farm devices check d; or longer: --deadline reply=60",
            "farm devices check --runs-dir rz --inventory a.yaml d; or longer: --deadline reply=60",
        ),
        (
            "bench -i a.yaml",
            "farm devices check --inventory b.yaml d",
            "farm devices check --inventory b.yaml d",
        ),
        ("bench", "farm devices check d", "farm devices check d"),
        ("bench -i", "see its log", "see its log"),
    ],
)
def test_a_hint_names_the_places_that_were_given(
    monkeypatch: pytest.MonkeyPatch, given: str, hint: str, shown: str
) -> None:
    monkeypatch.setattr("sys.argv", ["farm", *given.split()])
    assert hint_line(hint) == f"  try: {shown}"


def test_a_place_with_a_blank_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["farm", "plan", "-i", r"my lab\\1.yaml"])
    assert hint_line("farm plan") == r"  try: farm plan --inventory 'my lab\\1.yaml'"


def test_a_hint_of_a_command_without_words_is_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["farm"])
    assert hint_line("farm devices check d") == "  try: farm devices check d"
