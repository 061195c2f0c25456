"""Fabric's ThreadingGroup: `uname -a` on all hosts.  fabric_group.py HOSTS_JSON KNOWN_HOSTS"""

from __future__ import annotations

import sys

from fabric import Config, Connection, ThreadingGroup
from hosts import read

config = Config(overrides={"load_ssh_configs": False, "run": {"hide": True, "in_stream": False}})
connections = [
    Connection(
        one.address,
        one.user,
        one.port,
        config=config,
        connect_kwargs={"key_filename": one.identity, "allow_agent": False, "look_for_keys": False},
    )
    for one in read(sys.argv[1])
]
for one in connections:
    one.client.load_host_keys(sys.argv[2])
with ThreadingGroup.from_connections(connections) as group:
    print(len([done for done in group.run("uname -a").values() if "Linux" in done.stdout]))
