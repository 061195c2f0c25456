"""What asyncssh and farm's agent take for a bench, and nothing else: a bare loop, all hosts at once.

bare_bench.py HOSTS_JSON KNOWN_HOSTS COMMAND REQUESTS_JSON: COMMAND starts the agent of a device. It is asked
for the lease, then at once for REQUESTS, in which WORKDIR and EPOCH are filled in, one after the other.
Nothing is looked at but whether one was refused: no facts, no beats, no telemetry, nothing kept.
"""

from __future__ import annotations

import asyncio
import json
import sys

import asyncssh
from hosts import Host, read

GREETING = b"farm-agent 1 "


async def one(host: Host, known_hosts: str, command: str, requests: list[str]) -> None:
    async with (
        asyncssh.connect(
            host.address,
            host.port,
            username=host.user,
            client_keys=[host.identity],
            known_hosts=known_hosts,
            config=None,
            agent_path=None,
        ) as connection,
        connection.create_process(command, encoding=None) as agent,
    ):
        while not (line := await agent.stdout.readline()).startswith(GREETING):
            if not line:
                sys.exit(f"{host.name}: no agent")
        workdir = line.split()[3].decode()
        agent.stdin.write(b"1 lease bare%20loop 100\n")
        epoch = (await agent.stdout.readline()).split()[2].decode()
        for number, text in enumerate((*requests, "release EPOCH", "bye"), start=2):
            words = text.replace("WORKDIR", workdir).replace("EPOCH", epoch)
            agent.stdin.write(f"{number} {words}\n".encode())
        said = await agent.stdout.read()
    if b" err " in said or f"\n{number} ok\n".encode() not in said:
        sys.exit(f"{host.name}: {said[-300:]!r}")


async def main(path: str, known_hosts: str, command: str, requests: str) -> None:
    await asyncio.gather(*(one(host, known_hosts, command, json.loads(requests)) for host in read(path)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
