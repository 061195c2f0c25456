"""The table of tasks, in the order in which they are done. To add one, write its scripts and a row here."""

from __future__ import annotations

from farm.errors import RequestError
from farm.provision import accounts, governor, packages
from farm.provision.nouns import Task
from farm.suggest import nearest

TASKS = (
    Task(
        "packages",
        "the tools that farm's agent needs, by apt-get, apk, dnf or opkg",
        packages.check,
        packages.change,
        mends=("no-tool", "no-timeout", "odd-shell"),
    ),
    Task(
        "user",
        "the user that farm logs in as, and the key that lets it in",
        accounts.check_user,
        accounts.change_user,
        mends=("key-refused",),
        needs_root=False,  # to add a key of one's own
        excuse=accounts.no_key,
    ),
    Task(
        "workdir",
        "farm's folder, the user's own, on a disk with room",
        accounts.check_folder,
        accounts.change_folder,
        mends=("no-home", "unwritable", "disk-full", "disk"),
        needs_root=False,  # below one's own home folder
    ),
    Task(
        "governor",
        "the right to set the governor, frequencies and turbo, where the inventory has a `pin`",
        governor.check,
        governor.change,
        mends=("governor",),
        excuse=governor.excuse,
    ),
)


def tasks_named(names: tuple[str, ...]) -> tuple[Task, ...]:
    """Those with these names, in the order of the table; all without any. Raises RequestError for another."""
    known = [task.name for task in TASKS]
    for name in names:
        if name not in known:
            raise RequestError(f"no task {name}{nearest(name, known)}", hint=f"--task {' or '.join(known)}")
    return tuple(task for task in TASKS if not names or task.name in names)


def task_that_mends(finding: str) -> str | None:
    """The name of the task for a finding of `farm devices check`; None where no task is."""
    return next((task.name for task in TASKS if finding in task.mends), None)
