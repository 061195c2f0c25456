"""The rules of health: one row each. Pure: a look in, findings out."""

from __future__ import annotations

from collections.abc import Iterable

from farm.run.health import machine, use
from farm.run.health.nouns import Finding, Look, Rule, Severity
from farm.run.health.troubles import PREPARE, TROUBLES

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE

RULES = (
    *TROUBLES,
    # What it is and has.
    Rule("runtime", E, machine.wrong_runtime, "{what}", "{hint}"),
    Rule(
        "runtime-of-inventory", W, machine.wrong_runtime_beside_builds,
        "without a --build it cannot run models: {what}", "{hint}",
    ),
    Rule(
        "disk", W, machine.full_disk,
        "the disk of {workdir} is nearly full, {left} left",
        "farm devices clean {name}    shows what farm keeps there",
    ),
    Rule("memory", W, machine.low_memory, "little memory is left, {left}", "{ssh} top    shows who has it"),
    Rule(
        "clock", W, machine.wrong_clock,
        "its clock is {off} {side} this machine's",
        "{ssh} sudo timedatectl set-ntp true    or set it by hand",
    ),
    Rule(
        "odd-shell", W, machine.odd_shell,
        "its sh is {shell}; farm is tried with dash, bash, busybox and mksh",
        f"{PREPARE} packages    has dash",
    ),
    Rule(
        "no-timeout", W, machine.no_timeout,
        "it has no `timeout`: a nvidia-smi or python that hangs holds up every look at it",
        f"{PREPARE} packages",
    ),
    Rule("hot", W, machine.hot, "it is idle, and {zone} shows {celsius}", "{todo}"),
    Rule(
        "battery", W, machine.on_battery,
        "it runs on its battery ({charge})", "plug it in: many devices are slower on a battery",
    ),
    Rule(
        "sensors", W, machine.lying_sensors, "unreadable: {names}",
        "nothing is measured wrong by it, but what they should show is not watched: see docs/boards.md",
    ),
    Rule(
        "governor", W, machine.no_right_to_pin,
        "its user may not change {setting}, which the inventory pins: {why}", f"{PREPARE} governor",
    ),
    Rule(
        "pin", W, machine.impossible_pin,
        "{what}", "correct pin: of {name} in the inventory (docs/inventory.md)",
    ),
    Rule(
        "settings", W, machine.not_restored, "{what}",
        "{restart}    or {prepare}, then farm devices check {name}",
    ),
    # Who uses it, and for what.
    Rule(
        "one-machine", W, use.one_machine,
        "it is the same machine as {twins} (machine id and boot id): they are measured one after the other",
        "leave one of them in the inventory",
    ),
    Rule(
        "held-long", W, use.held_long,
        "held by {holder} for {held}, last seen {seen} ago",
        "farm devices release {name}    shows it; with --yes it ends",
    ),
    Rule(
        "holder-gone", N, use.holder_gone,
        "held by {holder}, whose process has ended: your next run there takes it over",
        "farm devices release {name} --yes    frees it now",
    ),
    Rule("quarantine", N, use.quarantined, "{sentence}", "farm devices restore {name}"),
    Rule(
        "slower", W, use.slower_than_it_was,
        "it is {percent} slower than in {runs} runs before, in the newest {row} runs and {cells}{evidence}",
        "farm history --device {name}    shows since when; its cooling, its power, what else runs there",
    ),
)  # fmt: skip
"""All of them, in the order in which they are shown."""


def findings_of(look: Look) -> tuple[Finding, ...]:
    """What is wrong, by the order of the rules: errors of the connection first."""
    return tuple(finding for rule in RULES for finding in rule.findings(look))


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The gravest one; None where nothing was found."""
    found = {one.severity for one in findings}
    return next((one for one in Severity if one in found), None)
