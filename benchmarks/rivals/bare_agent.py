"""The same work on the device as `farm devices check`, from a bare loop of asyncssh.

bare_agent.py HOSTS_JSON KNOWN_HOSTS COMMAND: the command starts the agent, which is on the device already;
the requests are sent at once, and what comes back is not looked at.
"""

from __future__ import annotations

import asyncio
import sys

import asyncssh
from hosts import Host, read

REQUESTS = b"1 date\n2 probe\n3 holder\n4 settings\n5 bye\n"


async def one(host: Host, known_hosts: str, command: str) -> bytes:
    async with asyncssh.connect(
        host.address,
        host.port,
        username=host.user,
        client_keys=[host.identity],
        known_hosts=known_hosts,
        config=None,
        agent_path=None,
    ) as connection:
        done = await connection.run(command, input=REQUESTS, encoding=None, check=True)
        return bytes(done.stdout)  # type: ignore[arg-type]


async def main(path: str, known_hosts: str, command: str) -> None:
    said = await asyncio.gather(*(one(host, known_hosts, command) for host in read(path)))
    print(len([text for text in said if b"== uname" in text and b"5 ok" in text]))


asyncio.run(main(*sys.argv[1:4]))
