"""A network that swallows packets: nothing is refused, nothing is answered. Needs root and a network namespace."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess

import pytest

from farm.errors import DeviceError
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.transport.base import Timeouts
from farm.transport.ssh import transport_for
from tests import servers

pytestmark = pytest.mark.netns

HERE, THERE = "10.213.77.1", "10.213.77.2"
NOBODY = "02:00:00:00:00:99"


class Cable:
    """A virtual cable into a namespace; `swallow` sends all that goes there to a machine that does not exist."""

    def __init__(self) -> None:
        mark = os.getpid() % 10000
        self.name, self.near, self.far = f"farm{mark}", f"farma{mark}", f"farmb{mark}"

    def lay(self) -> None:
        ip("netns", "add", self.name)
        ip("link", "add", self.near, "type", "veth", "peer", "name", self.far)
        ip("link", "set", self.far, "netns", self.name)
        ip("addr", "add", f"{HERE}/24", "dev", self.near)
        ip("link", "set", self.near, "up")
        ip("-n", self.name, "addr", "add", f"{THERE}/24", "dev", self.far)
        ip("-n", self.name, "link", "set", self.far, "up")

    def swallow(self) -> None:
        ip("neigh", "replace", THERE, "lladdr", NOBODY, "dev", self.near, "nud", "permanent")

    def take_up(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "del", self.name)
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "del", self.near)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def cable():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and ip")
    cable = Cable()
    try:
        cable.lay()
    except subprocess.CalledProcessError as error:
        cable.take_up()
        pytest.skip(f"no network namespaces here: {error.stderr}")
    yield cable
    cable.take_up()


async def test_a_host_that_never_answers_is_given_up(cable, tmp_path):
    cable.swallow()
    device = Device("d", Address(THERE), Runtime(RuntimeKind.WHEEL))
    timeouts = Timeouts(attempts=2, connect_s=0.3)
    with pytest.raises(DeviceError) as caught:
        await transport_for(device, known_hosts=tmp_path / "none", timeouts=timeouts).connect()
    assert (caught.value.cause, caught.value.transient) == ("timed-out", True)


async def test_a_host_that_disappears_is_noticed(cable, tmp_path):
    with servers.sshd(tmp_path / "s", host=THERE, prefix=("ip", "netns", "exec", cable.name)) as server:
        pins = servers.known_hosts(tmp_path / "pins", server)
        timeouts = Timeouts(keepalive_s=0.3, keepalive_misses=2)
        connection = await transport_for(server.device("d"), known_hosts=pins, timeouts=timeouts).connect()
        channel = await connection.open(("cat",))
        await channel.write(b"here\n")
        assert await channel.readline() == b"here\n"
        cable.swallow()
        with pytest.raises(DeviceError) as caught:
            await channel.readline()
        assert (caught.value.cause, caught.value.transient) == ("connection-lost", True)
        await connection.close()
