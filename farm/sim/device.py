"""One simulated device: its home folder, its SSH server, its program. Nothing of it stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import farm
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.options import CATALOGUE, Kind
from farm.sim import heat, places, processes
from farm.sim.login import login_script, make_tools, rc_file
from farm.sim.properties import Program, Properties, to_json
from farm.sim.server import HOST, Server, configure, user_name
from farm.sim.threads import whole

HEALTHY = Properties()
CLEAN_UP_S = 10.0
SENSORS_S = 0.05
"""How often the sensors of a device with heat follow the clock."""

TYPES = {Kind.FLAG: "bool", Kind.INT: "int32", Kind.UINT: "uint64", Kind.FLOAT: "double"}


class SimulatedDevice:
    """`async with SimulatedDevice("arm-1") as device:`; the event loop must go on running meanwhile.

    `device.entry()` is what stands behind its name in an inventory, `device.known_hosts_line` its pinned key.
    The device lives in a folder of its own, in `folder` if that is given; leaving kills what runs on it and
    removes it.
    Raises RunError where OpenSSH's server is not installed.
    """

    def __init__(self, name: str, properties: Properties = HEALTHY, folder: Path | None = None) -> None:
        self.name = name
        self.properties = properties
        self._parent = folder
        self._stack = contextlib.AsyncExitStack()
        self._folder = Path("/nonexistent")
        self._server: Server | None = None
        self._host_key = ""

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, self._remove)
            command = await whole(self._lay_out)
            log = self._folder / "sshd.log"
            self._server = Server(command, log, self.home, self.properties.line)
            await stack.enter_async_context(self._server)
            if self.properties.heat is not None:
                cooling = asyncio.create_task(self._cool())
                stack.push_async_callback(_ended, cooling)
            stack.push_async_callback(self._end_all)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def home(self) -> Path:
        """HOME of everything that runs on the device."""
        return self._folder / self.properties.home

    @property
    def port(self) -> int:
        """On loopback. Raises RuntimeError while the device is not running."""
        if self._server is None:
            raise RuntimeError(f"the simulated device {self.name} is not running")
        return self._server.port

    @property
    def known_hosts_line(self) -> str:
        """Its host key, as known_hosts has it."""
        return f"[{HOST}]:{self.port} {self._host_key}"

    def entry(self) -> dict[str, object]:
        """What stands behind its name in an inventory file."""
        return {
            "address": HOST,
            "port": self.port,
            "user": user_name(),
            "identity": str(self._folder / "id_client"),
            "runtime": {"kind": "native", "program": str(self._program)},
            **dict(self.properties.entry),
        }

    def device(self) -> Device:
        """The same for those who need no inventory file."""
        address = Address(HOST, self.port, user_name(), (self._folder / "id_client",))
        return Device(self.name, address, Runtime(RuntimeKind.NATIVE, str(self._program)))

    def set_program(self, program: Program) -> None:
        """From its next run on the program is another."""
        flags = {
            option.flag: TYPES.get(option.kind, "string")
            for option in CATALOGUE
            if option.flag and not {option.flag, option.name} & set(program.lacks)
        }
        places.settings_file(self.home).write_text(to_json(program, flags), "ascii")

    def runs(self) -> tuple[tuple[str, ...], ...]:
        """The command lines of all runs of the program so far, without the program."""
        return places.runs(self.home)

    def spans(self) -> tuple[places.Span, ...]:
        """When the runs of the program so far began and ended, in the order in which they began."""
        return places.spans(self.home)

    def running(self) -> tuple[int, ...]:
        """Processes on the device that are not the SSH server's."""
        return tuple(processes.ours(self.home))

    @property
    def connections(self) -> int:
        """How many are open."""
        return 0 if self._server is None else len(self._server.pids)

    def sysfs(self, name: str) -> Path:
        """A file of the /sys that a device with heat has."""
        return places.sys_folder(self.home) / name

    @property
    def _program(self) -> Path:
        """What is pushed to the device: the same bytes for all simulated devices."""
        return self._folder / "load_and_run"

    def _lay_out(self) -> tuple[str, ...]:
        """All files of the device; the command of its server."""
        self._folder = Path(tempfile.mkdtemp(prefix="farm-sim-", dir=self._parent))
        places.tools_folder(self.home).mkdir(parents=True)
        places.shared_folder(self.home).mkdir()
        places.shared_folder(self.home).chmod(0o1777)
        self.set_program(self.properties.program)
        root = Path(farm.__file__).parent.parent
        python = shlex.join((sys.executable, "-S", "-s", "-B", "-m", "farm.sim.program"))
        self._program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(root))} exec {python} "$@"\n')
        self._program.chmod(0o755)
        make_tools(self.home, self.properties)
        rc_file(self.home, self.properties.login)
        if self.properties.heat is not None:
            heat.lay_out(self.home, self.properties.heat)
        login = self._folder / "login"
        login.write_bytes(login_script(self.home, self.properties.login))
        command = configure(self._folder, login)
        self._host_key = " ".join((self._folder / "host_key.pub").read_text().split()[:2])
        return command

    async def _cool(self) -> None:
        while True:
            await asyncio.sleep(SENSORS_S)
            await whole(lambda: heat.warm(self.home))

    def _remove(self) -> None:
        if self._folder.exists():
            shutil.rmtree(self._folder)

    async def _end_all(self) -> None:
        """Kill all that runs on the device, stopped or not, until nothing does; nobody comes in any more."""
        assert self._server is not None
        await asyncio.to_thread(places.switch_off, self.home)
        await asyncio.to_thread(_kill_all, self.home, self._server.pids)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _kill_all(home: Path, servers: tuple[int, ...]) -> None:
    until = time.monotonic() + CLEAN_UP_S
    while time.monotonic() < until:
        found = [pid for server in servers for pid in (server, *processes.below(server))]
        alive = [pid for pid in (*found, *processes.ours(home)) if processes.is_alive(pid)]
        if not alive:
            return
        processes.send(alive, signal.SIGKILL)
        time.sleep(0.02)
