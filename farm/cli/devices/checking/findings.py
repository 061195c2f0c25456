"""Findings on devices as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from farm.cli.terminal.console import say
from farm.cli.typed import hint_line
from farm.run.health.nouns import Finding, Severity

STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}

Line = tuple[str, str]
"""A text and its style."""


def lines_of(device: str, findings: Iterable[Finding]) -> Iterator[Line]:
    """What was found, and what to do about it."""
    for one in findings:
        yield f"{device}: {one.severity} ({one.rule}): {one.text}", STYLES[one.severity]
        yield hint_line(one.todo), ""


def say_findings(device: str, findings: Iterable[Finding]) -> None:
    """On stderr."""
    for text, style in lines_of(device, findings):
        say(text, style)
