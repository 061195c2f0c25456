"""`farm devices provision`: tasks of bring-up on devices. Changes take the lease where there can be one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import TypeVar

from farm import agents
from farm.device import former
from farm.device.session import Session
from farm.device.wire import decode
from farm.errors import DeviceError, Fault, Stage
from farm.model.device import Device
from farm.model.limits.deadlines import Deadlines
from farm.provision import lease
from farm.provision.answers import read_answer, reason
from farm.provision.nouns import Aim, Outcome, State, Task
from farm.provision.tasks import task_that_mends
from farm.transport.base import Timeouts, Transports
from farm.transport.pool import open_transports
from farm.transport.provision import Said, Shell, public_keys, way_to
from farm.visible import one_line

T = TypeVar("T")
AT_A_TIME = 4
"""Devices. Each has a thread, of which there are few."""

GRACE_S = 10.0
"""How long a change may go on after Ctrl-C, to end whole."""

NEEDS_ROOT = "it needs root there: --as root, or --ask-sudo-password"


@dataclass(frozen=True)
class Bringup:
    """What is to be done: `login` logs in instead of the inventory's user, `keys` are let in instead of the
    inventory's, `change` or only look. `note` is told of what goes on, by device.
    """

    tasks: tuple[Task, ...]
    change: bool
    holder: str
    deadlines: Deadlines
    note: Callable[[str, str], None]
    login: str | None = None
    keys: tuple[str, ...] = ()
    sudo_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Provisioned:
    """The result for one device: what came of each task until the end, or until stage and error."""

    device: str
    outcomes: tuple[Outcome, ...] = ()
    stage: str | None = None
    error: str | None = None
    hint: str | None = None

    @property
    def is_failed(self) -> bool:
        return self.error is not None or any(one.state is State.FAILED for one in self.outcomes)


async def provision_devices(
    devices: Sequence[Device], known_hosts: Path, bringup: Bringup
) -> tuple[Provisioned, ...]:
    """A few at a time; the result is in the order of `devices`. One that fails stops no other."""
    slots = asyncio.Semaphore(AT_A_TIME)

    async def in_turn(device: Device, transports: Transports) -> Provisioned:
        async with slots:
            return await _Lane(device, known_hosts, bringup, transports).run()

    remote = [device for device in devices if not device.is_local]
    timeouts = replace(Timeouts.of(bringup.deadlines), attempts=1)
    async with open_transports(remote, known_hosts=known_hosts, timeouts=timeouts) as transports:
        return tuple(await asyncio.gather(*(in_turn(device, transports) for device in devices)))


class Rights(Enum):
    """Of the login: root's own, by sudo, or those of a user."""

    ROOT = auto()
    SUDO = auto()
    USER = auto()


class _Lane:
    """One device."""

    def __init__(self, device: Device, known_hosts: Path, bringup: Bringup, transports: Transports) -> None:
        self._device = device
        self._known_hosts = known_hosts
        self._bringup = bringup
        self._transports = transports
        self._outcomes: list[Outcome] = []

    async def run(self) -> Provisioned:
        name = self._device.name
        if self._device.is_local:
            why = "this machine is not changed by farm: set it up by hand"
            tasks = self._bringup.tasks
            return Provisioned(
                name, tuple(Outcome(task.name, State.NOT_APPLICABLE, why=why) for task in tasks)
            )
        try:
            await self._work()
        except DeviceError as error:
            hint = (
                error.hint if error.stage is not Stage.LEASE else f"farm devices check {name}; choose others"
            )
            return Provisioned(name, tuple(self._outcomes), error.stage.value, error.message, hint)
        return Provisioned(name, tuple(self._outcomes))

    async def _work(self) -> None:
        bringup = self._bringup
        way = await way_to(self._device, self._known_hosts)
        keys = bringup.keys or await public_keys(way)
        aim = Aim(self._device, way.user, keys)
        if bringup.login is not None:
            address = replace(self._device.address, user=bringup.login)
            way = await way_to(replace(self._device, address=address), self._known_hosts)
        bringup.note(self._device.name, f"logging in as {way.user}")
        shell = Shell(way, bringup.deadlines, bringup.sudo_password)
        try:
            await _in_thread(shell.__enter__)
            visit = _Visit(shell, aim, await self._rights(shell))
            await self._refuse_if_held(visit)
            self._outcomes += [await visit.check(task) for task in bringup.tasks]
            if bringup.change and any(one.state is State.WOULD_CHANGE for one in self._outcomes):
                async with self._leased():
                    await self._change(visit)
        finally:
            await asyncio.shield(asyncio.to_thread(shell.close))

    async def _rights(self, shell: Shell) -> Rights:
        said = await _in_thread(lambda: shell.run(("id", "-u")))
        if said.stdout.split()[-1:] == ["0"]:
            return Rights.ROOT
        said = await _in_thread(lambda: shell.run(("true",), as_root=True))
        return Rights.SUDO if said.status == 0 else Rights.USER

    async def _refuse_if_held(self, visit: _Visit) -> None:
        said = await visit.run(lease.holder(visit.aim))
        for line in said.stdout.splitlines():
            if line.startswith(lease.HELD):
                name = one_line(_decoded(line.removeprefix(lease.HELD)), 200)
                if not await asyncio.to_thread(former.is_gone, name):
                    text = f"held by {name}"
                    raise DeviceError(text, stage=Stage.LEASE, fault=Fault.USER, cause="held")

    @contextlib.asynccontextmanager
    async def _leased(self) -> AsyncIterator[None]:
        """With its lease. Without, where the agent cannot start for what a task mends: then nobody has it."""
        bringup, name = self._bringup, self._device.name
        session = Session(
            self._device,
            self._transports.to(self._device),
            agents.agent_script(),
            holder=bringup.holder,
            deadlines=bringup.deadlines,
            note=lambda text: bringup.note(name, text),
        )
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(session)
            except DeviceError as error:
                if task_that_mends(error.cause) is None:
                    raise
                bringup.note(name, f"goes on without a lease, which nobody can have yet: {error.message}")
            yield

    async def _change(self, visit: _Visit) -> None:
        for index, task in enumerate(self._bringup.tasks):
            if self._outcomes[index].state is State.WOULD_CHANGE:
                self._bringup.note(
                    self._device.name, f"{task.name}: {'; '.join(self._outcomes[index].changes)}"
                )
                self._outcomes[index] = await visit.change(task, self._outcomes[index])


class _Visit:
    """A login on a device, and what it is for."""

    def __init__(self, shell: Shell, aim: Aim, rights: Rights) -> None:
        self._shell = shell
        self.aim = aim
        self._is_root = rights is not Rights.USER
        self._by_sudo = rights is Rights.SUDO

    async def run(self, argv: tuple[str, ...], *, is_whole: bool = False) -> Said:
        """As root where the login has a way to."""
        return await _in_thread(lambda: self._shell.run(argv, as_root=self._by_sudo, is_whole=is_whole))

    async def check(self, task: Task) -> Outcome:
        excuse = task.excuse(self.aim)
        if excuse is not None:
            return Outcome(task.name, State.NOT_APPLICABLE, why=excuse)
        said = await self.run(task.check(self.aim))
        found = read_answer(task.name, said.stdout, said.status, said.stderr)
        if found.state is State.WOULD_CHANGE and task.needs_root and not self._is_root:
            return replace(found, state=State.FAILED, why=NEEDS_ROOT, hint=self._retry(task))
        return (
            found if found.state is not State.FAILED else replace(found, hint=self._retry(task, "--dry-run"))
        )

    async def change(self, task: Task, before: Outcome) -> Outcome:
        """Changed, and seen to be so; or failed, with the reason."""
        said = await self.run(task.change(self.aim), is_whole=True)
        if said.status != 0:
            why = reason(said.status, said.stderr or said.stdout)
            return self._failed(before, why, task)
        after = await self.check(task)
        if after.state is State.OK:
            return replace(before, state=State.CHANGED)
        left = after.why or "; ".join(after.changes)
        return self._failed(before, f"done, but not as it should be: {left}", task)

    def _failed(self, before: Outcome, why: str, task: Task) -> Outcome:
        more = "" if self._is_root else f"; {NEEDS_ROOT}"
        return replace(before, state=State.FAILED, why=why + more, hint=self._retry(task))

    def _retry(self, task: Task, more: str = "") -> str:
        more = more if self._is_root else "--as root"
        return f"farm devices provision {self.aim.device.name} --task {task.name} {more}".rstrip()


async def _in_thread(work: Callable[[], T]) -> T:
    """Not cut in the middle: when it is cancelled, it has GRACE_S to end."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    running.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running}, timeout=GRACE_S)
        raise


def _decoded(name: str) -> str:
    try:
        return decode(name.encode("utf-8", "replace"))
    except ValueError:
        return name
