"""What happens on the devices of a lab: connections, runs of the program, faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from farm.sim import places
from farm.sim.device import SimulatedDevice
from farm.sim.lab.faults import in_words, name_of


@dataclass(frozen=True)
class Seen:
    """Of one device, since it was started. `faults` are words of each that happened: name and run."""

    connections: int = 0
    runs: int = 0
    faults: tuple[str, ...] = ()


def look(devices: Mapping[str, SimulatedDevice]) -> dict[str, Seen]:
    """All devices now. It reads files: not for an event loop."""
    return {name: _seen(device) for name, device in devices.items()}


def _seen(device: SimulatedDevice) -> Seen:
    strikes = device.properties.program.strikes
    found = places.struck(device.home)
    return Seen(
        connections=device.connections,
        runs=places.count_runs(device.home),
        faults=tuple(
            f"{name_of(strikes[index])} in run {run}" for index, run in found if index < len(strikes)
        ),
    )


def missed(devices: Mapping[str, SimulatedDevice]) -> Iterator[tuple[str, str]]:
    """Device and words of each fault of a run that has not happened: who asked for it should know."""
    for name, device in devices.items():
        happened = {index for index, _ in places.struck(device.home)}
        count = places.count_runs(device.home)
        for index, strike in enumerate(device.properties.program.strikes):
            if index not in happened:
                yield name, f"{in_words(strike)} did not happen: {count} runs of the program"
