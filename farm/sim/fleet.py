"""Several simulated devices and the inventory that names them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from farm.model.device import KNOWN_HOSTS
from farm.sim.device import SimulatedDevice
from farm.sim.properties import Properties


@dataclass(frozen=True)
class Fleet:
    """Running devices by name; `inventory` is the file that `farm bench --inventory` takes."""

    devices: Mapping[str, SimulatedDevice]
    inventory: Path


@contextlib.asynccontextmanager
async def fleet(wanted: Mapping[str, Properties], folder: Path) -> AsyncIterator[Fleet]:
    """Start all at once; the inventory and its known_hosts are written into `folder`, which must exist.

    Raises RunError where OpenSSH's server, or a shell that a device has, is not installed.
    """
    async with contextlib.AsyncExitStack() as stack:
        started = [SimulatedDevice(name, properties, folder) for name, properties in wanted.items()]
        try:
            async with asyncio.TaskGroup() as group:
                for device in started:
                    group.create_task(stack.enter_async_context(device))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        devices = {device.name: device for device in started}
        yield Fleet(devices, await asyncio.to_thread(_write, devices, folder))


def _write(devices: Mapping[str, SimulatedDevice], folder: Path) -> Path:
    path = folder / "simulated.yaml"
    yaml = YAML()
    yaml.representer.ignore_aliases = lambda _: True  # each device stands for itself
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump({"devices": {name: device.entry() for name, device in devices.items()}}, stream)
    lines = "".join(f"{device.known_hosts_line}\n" for device in devices.values())
    (folder / KNOWN_HOSTS).write_text(lines, "ascii")
    return path
