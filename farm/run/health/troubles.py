"""Rules of devices that could not be asked: by the cause of the failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from farm.run.health.nouns import Look, Rule, Said, Severity

TOO_LONG = "check-limit"
"""The cause of a device that does not answer all questions in time."""


def _of(*causes: str) -> Callable[[Look], Iterator[Said]]:
    def holds(look: Look) -> Iterator[Said]:
        if look.trouble is not None and look.trouble.cause in causes:
            yield {"said": f"{look.trouble.stage}: {look.trouble.message}"}

    return holds


def _row(name: str, todo: str, *causes: str) -> Rule:
    return Rule(name, Severity.ERROR, _of(*causes), "{said}", todo)


LOST = ("unreachable", "timed-out", "connection-lost", "no-reply", TOO_LONG)
PREPARE = "farm devices provision {name} --task"

_KNOWN = {
    "unreachable": ("{ssh} true    shows whether it answers; if it does not: {restart}", *LOST),
    "address": ("correct address: of {name} in the inventory; farm devices check {name}", "name-unknown"),
    "key-refused": (
        f"{PREPARE} user --as USER    or put your public key into ~/.ssh/authorized_keys there",
        "key-refused",
    ),
    "host-key": ("farm devices trust {name}", "host-key-unknown"),
    "host-key-changed": (
        "farm devices trust {name} --replace    if it was installed anew; else somebody else answers",
        "host-key-changed",
    ),
    "tools": (f"{PREPARE} packages", "no-tool"),
    "workdir": (
        f"{PREPARE} workdir    or set workdir: to a folder that its user may write",
        "no-home", "unwritable",
    ),
    "disk-full": ("farm devices clean {name} --yes", "disk-full"),
    "shell": ("{ssh} true    prints what its login shell says: it should say nothing", "protocol"),
}  # fmt: skip

CAUSES = frozenset(cause for _, *causes in _KNOWN.values() for cause in causes)


def _other(look: Look) -> Iterator[Said]:
    if look.trouble is not None and look.trouble.cause not in CAUSES:
        hint = look.trouble.hint or f"farm devices check {look.device.name}"
        yield {"said": f"{look.trouble.stage}: {look.trouble.message}", "hint": hint}


TROUBLES = (
    *(_row(name, todo, *causes) for name, (todo, *causes) in _KNOWN.items()),
    Rule("failed", Severity.ERROR, _other, "{said}", "{hint}"),
)
