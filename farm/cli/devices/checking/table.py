"""What `farm devices check` prints for people."""

from __future__ import annotations

from collections.abc import Sequence

from farm.cli.devices.checking.findings import say_findings
from farm.cli.terminal.console import out
from farm.cli.terminal.tables import simple_table
from farm.model.device import Facts
from farm.report.numerals import MISSING, by_core, in_bytes, in_memory
from farm.report.parts.environment import clusters_of, gpus_of, machine_of, power_of
from farm.run.devices.check import Checked
from farm.run.health.nouns import Severity
from farm.run.health.rules import worst


def show(checked: Sequence[Checked]) -> None:
    """Print what was found, for people."""
    out.print(simple_table(("device", "state", "holder", "system", "cpu"), [_row(one) for one in checked]))
    if any(one.facts for one in checked):
        out.print()
        columns = ("device", "memory left", "disk left", "governor", "temperature", "power")
        out.print(simple_table(columns, [_state(one.device, one.facts) for one in checked if one.facts]))
        _show_machines(checked)
    for one in checked:
        say_findings(one.device, one.findings)


def _row(one: Checked) -> tuple[str, ...]:
    facts = one.facts
    if facts is None:
        return (one.device, "failed", "", "", "")
    system = " ".join(filter(None, (facts.os_name, facts.architecture)))
    cores = f"{len(facts.core_ids)}x " if facts.core_ids else ""
    state = "error" if worst(one.findings) is Severity.ERROR else "ok"
    return (one.device, state, one.holder or "free", system, f"{cores}{facts.cpu_model or '?'}")


def _state(device: str, facts: Facts) -> tuple[str, ...]:
    hottest = max(facts.temperatures_c, key=lambda zone: zone[1], default=None)
    return (
        device,
        _part(in_memory(facts.memory_available_bytes), in_memory(facts.memory_bytes)),
        _part(in_bytes(facts.disk_free_bytes), in_bytes(facts.disk_bytes)),
        by_core(facts.governors, str) or MISSING,
        f"{hottest[1]:.0f} °C ({hottest[0]})" if hottest else MISSING,
        power_of(facts) or MISSING,
    )


def _show_machines(checked: Sequence[Checked]) -> None:
    """What the devices are, where they say it."""
    rows = [
        (one.device, machine_of(one.facts), clusters_of(one.facts) or MISSING, gpus_of(one.facts) or MISSING)
        for one in checked
        if one.facts and (machine_of(one.facts) or clusters_of(one.facts) or one.facts.gpus)
    ]
    if rows:
        out.print()
        out.print(simple_table(("device", "machine", "kinds of cores", "GPU"), rows))


def _part(left: str, whole: str) -> str:
    return f"{left} of {whole}" if whole != MISSING else left
