"""How long farm waits for anything: one table. What ran out is named in the message, with its option."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any

KEEPALIVE_MISSES = 2


def _of(default_s: float, text: str, option: str = "", *, may_be_0: bool = False) -> Any:
    return field(default=default_s, metadata={"text": text, "option": option, "may_be_0": may_be_0})


@dataclass(frozen=True)
class Deadlines:
    """All in seconds. The name of one is that of its field without `_s`, with `-` for `_`."""

    ssh_files_s: float = _of(60.0, "read SSH's configuration, keys and known hosts, and ask `ssh` for it")
    connect_s: float = _of(15.0, "TCP to a device or jump host")
    login_s: float = _of(30.0, "log in, from TCP to the SSH session")
    agent_start_s: float = _of(60.0, "start the agent, installed first where it is missing")
    reply_s: float = _of(30.0, "the agent's reply to a request that takes no time")
    work_s: float = _of(
        900.0, "the agent's reply to a request that hashes, copies or removes files, or probes"
    )
    transfer_stall_s: float = _of(60.0, "a file on its way without a byte that moves")
    read_log_s: float = _of(120.0, "read a round's log on this machine, when it is its turn")
    compare_outputs_s: float = _of(300.0, "compare the outputs of two runs of a model, when it is their turn")
    ceilings_s: float = _of(
        300.0, "measure the ceilings of one core set of a device, after its rounds, for its profiles"
    )
    compare_tensors_s: float = _of(120.0, "compare 64 MiB of dumped tensors, when it is their turn")
    build_s: float = _of(3600.0, "the command that makes the build of a step (`farm bisect --command`)")
    notify_s: float = _of(120.0, "tell one receiver what is new, all tries together (`farm nightly`)")
    sign_s: float = _of(120.0, "ssh-keygen signs, and perhaps asks for a passphrase (`farm release --sign`)")
    provision_s: float = _of(900.0, "one step of a task on a device (`farm devices provision`)")
    scan_s: float = _of(3.0, "an address answers as an SSH server (`farm devices discover`)")
    sim_start_s: float = _of(120.0, "all simulated devices of a lab start (`farm sim`)")
    sim_end_s: float = _of(
        60.0, "the command of `farm sim run` ends after an interruption; then it is killed"
    )
    check_s: float = _of(120.0, "a device answers all that `farm devices check` asks")
    history_s: float = _of(20.0, "`farm devices check` reads what the database of all runs knows")
    power_s: float = _of(120.0, "a power hook of the inventory ends (`farm devices power`)")
    serve_disk_s: float = _of(20.0, "a look at the folder of the runs, for a page (`farm serve`)")
    serve_send_s: float = _of(20.0, "an open page takes what it is sent, else it is dropped (`farm serve`)")
    serve_fleet_s: float = _of(10.0, "between two looks at a device whose page is open (`farm serve`)")
    serve_health_s: float = _of(600.0, "between two checks of a free device (`farm serve`)")
    serve_end_s: float = _of(5.0, "answers that are under way when `farm serve` is ended")
    store_s: float = _of(15.0, "the store of a fleet answers (`farm submit`, `farm worker`, `farm queue`)")
    artifacts_s: float = _of(
        600.0, "the artifact storage of a fleet takes or gives the files of a step, all tries together"
    )
    lease_wait_s: float = _of(0.0, "a device that another run holds", "--wait")
    reconnect_s: float = _of(45.0, "a lost connection is tried again", "--reconnect")
    beat_s: float = _of(10.0, "between two signs of life that a device gets for its lease")
    keepalive_s: float = _of(5.0, "between two looks whether a silent connection lives; the third one counts")
    silence_s: int = _of(600, "a round prints nothing", "--silence-limit")
    round_s: int = _of(1800, "a round", "--round-limit")
    idle_s: float = _of(
        3.0,
        "others use the device before a timed round, which then runs all the same; 0: no wait",
        may_be_0=True,
    )
    device_s: float = _of(0.0, "all work on one device; 0: no limit", may_be_0=True)
    run_s: float = _of(0.0, "the whole run; 0: no limit", may_be_0=True)

    # What follows from these. Without a sign of life a device frees itself after `lease_ttl_s`; so this is
    # longer than the oldest that the last beat can be when a lost connection is noticed, and the time to come
    # back.

    @property
    def lost_s(self) -> float:
        """After so long without an answer a connection counts as lost."""
        return max(self.reply_s, self.keepalive_s * (KEEPALIVE_MISSES + 1))

    @property
    def lease_ttl_s(self) -> int:
        """A last try to come back may begin just before `reconnect_s` is over."""
        return math.ceil(self.beat_s + self.lost_s + self.reconnect_s + self.connect_s)

    def ran_out(self, name: str) -> str:
        """For a message: `within 30 s (deadline reply)`."""
        return f"within {self.seconds(name):g} s (deadline {name})"

    def seconds(self, name: str) -> float:
        """The value of the deadline of this name. Raises KeyError for another."""
        return float(getattr(self, by_name()[name].name))

    def more(self, name: str) -> str:
        """For a hint: the option that makes it twice as long."""
        twice = f"{2 * self.seconds(name):g}"
        option = by_name()[name].metadata["option"]
        return f"{option} {twice}" if option else f"--deadline {name}={twice}"


@cache
def by_name() -> Mapping[str, Field[Any]]:
    """The rows of the table."""
    return {row.name.removesuffix("_s").replace("_", "-"): row for row in fields(Deadlines)}
