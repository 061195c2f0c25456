"""What a task of a bring-up is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from farm.model.device import Device

NAME_OF_SCRIPT = "farm-provision"
"""`$0` of every script."""


class State(StrEnum):
    """What is so of a task on a device. `would change` is only said where nothing is changed."""

    OK = "ok"
    WOULD_CHANGE = "would change"
    CHANGED = "changed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Aim:
    """What a device is to be like: `user` is who farm logs in as there, `keys` the public keys that let it in
    (OpenSSH's `type base64`).
    """

    device: Device
    user: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A row of the table.

    `check` and `change` make commands for a POSIX shell. A check changes nothing and tells the state in words
    of its own (see `farm.provision.answers`); a change ends with 0 when it is done, and may be done again.
    `needs_root`: the change cannot be done without. `mends` are the findings of a health check that it mends.
    `excuse` says why there is nothing to do for an aim, before a device is asked; None where there is.
    """

    name: str
    about: str
    check: Callable[[Aim], tuple[str, ...]]
    change: Callable[[Aim], tuple[str, ...]]
    mends: tuple[str, ...]
    needs_root: bool = True
    excuse: Callable[[Aim], str | None] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """What came of a task: `changes` are what it would do or did, `why` the reason of the rest."""

    task: str
    state: State
    changes: tuple[str, ...] = ()
    why: str | None = None
    hint: str | None = None
