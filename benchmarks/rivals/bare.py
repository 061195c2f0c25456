"""What asyncssh takes by itself: one command on all hosts at once, from a bare loop.

bare.py HOSTS_JSON KNOWN_HOSTS COMMAND SIGN [REQUESTS]: REQUESTS go to the command's stdin, and SIGN is in the
output of one that has done its work. Nothing else is looked at.
"""

from __future__ import annotations

import asyncio
import sys

import asyncssh
from hosts import Host, read


async def one(host: Host, known_hosts: str, command: str, requests: bytes) -> bytes:
    async with asyncssh.connect(
        host.address,
        host.port,
        username=host.user,
        client_keys=[host.identity],
        known_hosts=known_hosts,
        config=None,
        agent_path=None,
    ) as connection:
        done = await connection.run(command, input=requests, encoding=None, check=True)
        return bytes(done.stdout)  # type: ignore[arg-type]


async def main(path: str, known_hosts: str, command: str, sign: str, requests: str = "") -> None:
    data = requests.encode()
    said = await asyncio.gather(*(one(host, known_hosts, command, data) for host in read(path)))
    if missing := sum(sign.encode() not in text for text in said):
        sys.exit(f"{missing} of {len(said)} hosts did not do it")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
