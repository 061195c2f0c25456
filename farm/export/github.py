"""GitHub Actions: a line for each annotation, which the runner reads from the output of a step."""

from __future__ import annotations

from farm.export.outcomes import Weight, items
from farm.model.comparison import Verdict
from farm.model.run import Results
from farm.visible import cleaned

COMMANDS = {Weight.BAD: "error", Weight.BROKEN: "error", Weight.OPEN: "warning"}


def github(results: Results) -> str:
    """Errors, warnings and notices. GitHub shows ten of each kind for a step: the worst come first."""
    found: dict[str, list[str]] = {"error": [], "warning": [], "notice": []}
    for item in items(cleaned(results)):
        command = COMMANDS.get(item.weight, "notice" if item.kind == Verdict.FASTER else "")
        if command:
            title = f"{item.kind}: {item.name}"
            found[command].append(f"::{command} title={_property(title)}::{_data(item.text or item.kind)}\n")
    return "".join(line for lines in found.values() for line in lines)


def _data(text: str) -> str:
    """Source: escapeData in @actions/core, packages/core/src/command.ts of actions/toolkit."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Source: escapeProperty, in the same file."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
