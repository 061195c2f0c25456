"""What a watch tells of a look: what is new and what is over, and nothing of what only moved."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from farm.cli.devices.checking.watch import changes
from farm.run.devices.check import Checked
from farm.run.health.nouns import Finding, Severity


def found(rule: str, text: str) -> Finding:
    return Finding(rule, Severity.WARNING, text, f"mend {rule}")


FREE = Checked("a")
FULL = Checked("a", findings=(found("disk", "1 GB left"),))
HELD = Checked("a", holder="ann")
GONE = Checked(
    "a", stage="connect", error="no", findings=(Finding("unreachable", Severity.ERROR, "no", "ping"),)
)
TWICE = Checked("a", findings=(found("settings", "one"), found("settings", "two")))
ONCE = Checked("a", findings=(found("settings", "one"),))


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, FREE, ["a: it answers, free"]),
        (None, FULL, ["a: it answers, free", "a: warning (disk): 1 GB left", "  try: mend disk"]),
        (FREE, FREE, []),
        (FULL, Checked("a", findings=(found("disk", "0.9 GB left"),)), []),
        (FREE, FULL, ["a: warning (disk): 1 GB left", "  try: mend disk"]),
        (FULL, FREE, ["a: over (disk): 1 GB left"]),
        (FREE, HELD, ["a: it answers, held by ann"]),
        (FREE, GONE, ["a: it does not answer", "a: error (unreachable): no", "  try: ping"]),
        (GONE, FREE, ["a: it answers, free", "a: over (unreachable): no"]),
        (ONCE, TWICE, ["a: warning (settings): one", "  try: mend settings", "a: warning (settings): two", "  try: mend settings"]),
    ],
)  # fmt: skip
def test_a_look_tells_what_changed(before: Checked | None, now: Checked, told: Sequence[str]) -> None:
    assert [text for text, _ in changes(before, now)] == told
