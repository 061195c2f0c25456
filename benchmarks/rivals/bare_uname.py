"""What asyncssh takes by itself: `uname -a` on all hosts at once.  bare_uname.py HOSTS_JSON KNOWN_HOSTS"""

from __future__ import annotations

import asyncio
import sys

import asyncssh
from hosts import Host, read


async def one(host: Host, known_hosts: str) -> str:
    async with asyncssh.connect(
        host.address,
        host.port,
        username=host.user,
        client_keys=[host.identity],
        known_hosts=known_hosts,
        config=None,
        agent_path=None,
    ) as connection:
        done = await connection.run("uname -a", check=True)
        return str(done.stdout)


async def main(path: str, known_hosts: str) -> None:
    said = await asyncio.gather(*(one(host, known_hosts) for host in read(path)))
    print(len([text for text in said if "Linux" in text]))


asyncio.run(main(*sys.argv[1:3]))
