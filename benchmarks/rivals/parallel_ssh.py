"""parallel-ssh: `uname -a` on all hosts at once. It looks at no host keys.  parallel_ssh.py HOSTS_JSON"""

from __future__ import annotations

import sys

from hosts import read
from pssh.clients import ParallelSSHClient
from pssh.config import HostConfig

hosts = read(sys.argv[1])
client = ParallelSSHClient(
    [one.address for one in hosts],
    host_config=[HostConfig(port=one.port, user=one.user, private_key=one.identity) for one in hosts],
    pool_size=len(hosts),
    allow_agent=False,
    identity_auth=False,
)
print(len([one for one in client.run_command("uname -a") if any("Linux" in line for line in one.stdout)]))
