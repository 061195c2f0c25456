"""parallel-ssh: copies the files of a folder to all hosts at once by SCP, or fetches those of one.

parallel_copy.py HOSTS_JSON push|pull LOCAL_FOLDER REMOTE_FOLDER

Whole folders need SFTP, which simulated devices do not have: so each file is a call.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gevent import joinall
from hosts import read
from pssh.clients import ParallelSSHClient
from pssh.config import HostConfig

path, way, local, remote = sys.argv[1:]
hosts = read(path)
client = ParallelSSHClient(
    [one.address for one in hosts],
    host_config=[HostConfig(port=one.port, user=one.user, private_key=one.identity) for one in hosts],
    pool_size=len(hosts),
    allow_agent=False,
    identity_auth=False,
)


def told(command: str) -> list[str]:
    """What the first host says to it."""
    said = [list(done.stdout) for done in client.run_command(command)]
    return said[0]


if way == "push":
    told(f"mkdir -p {remote}")
    for file in sorted(Path(local).iterdir()):
        joinall(client.scp_send(str(file), f"{remote}/{file.name}"), raise_error=True)
else:
    Path(local).mkdir(parents=True)
    for name in told(f"ls {remote}"):
        joinall(client.scp_recv(f"{remote}/{name}", f"{local}/{name}"), raise_error=True)
