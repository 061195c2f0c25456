"""The hosts of a benchmark in the forms that each contender reads. Standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Host:
    """An SSH server on this machine."""

    name: str
    address: str
    port: int
    user: str
    identity: str


def read(path: str) -> list[Host]:
    """As `write` has written them."""
    return [Host(**one) for one in json.loads(Path(path).read_text())]


def write(folder: Path, hosts: list[Host], known_hosts: Path) -> None:
    """hosts.json, an ssh_config with a name for each, an inventory of Ansible and one of pyinfra."""
    (folder / "hosts.json").write_text(json.dumps([asdict(one) for one in hosts]))
    common = f"Host *\n UserKnownHostsFile {known_hosts}\n BatchMode yes\n LogLevel ERROR\n"
    (folder / "ssh_config").write_text(
        "".join(
            f"Host {one.name}\n HostName {one.address}\n Port {one.port}\n User {one.user}\n"
            f" IdentityFile {one.identity}\n"
            for one in hosts
        )
        + common
    )
    (folder / "ansible.ini").write_text("".join(f"{one.name}\n" for one in hosts))
    listed = [
        (
            one.name,
            {
                "ssh_hostname": one.address,
                "ssh_port": one.port,
                "ssh_user": one.user,
                "ssh_key": one.identity,
                "ssh_known_hosts_file": str(known_hosts),
            },
        )
        for one in hosts
    ]
    (folder / "pyinfra_hosts.py").write_text(f"hosts = {listed!r}\n")
