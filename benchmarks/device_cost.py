"""What the agent costs a device, and how late the end of a round is known, under each shell.

    .venv/bin/python benchmarks/device_cost.py [--agent PATH] [--before PATH] [--shells dash,mksh] [--times N]

The agent is the one of this checkout, or any other script of protocol version 1; with `--before`, the
figures of an earlier one (`git archive COMMIT agents/shell | tar xO`) stand beside it, measured in turn.
Costs are CPU time (user + system) of the agent with all that it starts: a busy machine makes them less
exact, not wrong. How late an end is known is wall time, and means something on a quiet machine only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

sys.path.insert(0, str(Path(__file__).parents[1]))

from farm.transport.known_hosts import trust
from tests.agent.shells import Phone, Refused, agent_file, make_box, make_path

PR_SET_CHILD_SUBREAPER = 36
FEW, MANY = 300, 1300
POLLS_S = (0.05, 1.5, 0.5)
"""How a controller asks an agent that cannot tell: the first pause, its growth, the longest."""
KNOWN_HOSTS_LINES = 1000
CHECK = b"1 date\n2 probe\n3 holder\n4 settings\n5 bye\n"
DEVICES = 50
ROW = "{:44}{:>8}{:>8}{:>8}{:>7} {}"


@dataclass(frozen=True)
class Figure:
    """A row of the table: what is measured, in which unit, and the most that is wanted (None: no limit)."""

    name: str
    wanted: float | None
    measure: Callable[[Bench], float]


class Device:
    """A running agent with the lease, spoken to as the controller speaks to an agent of its kind."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.talk = phone.talk()
        self.spool = phone.workdir / "spool"
        self.epoch = int(self.talk("lease", "benchmark", 600)[0])
        try:
            self.talk("wait", "nobody")
        except Refused as refusal:
            self.tells = refusal.code == "unknown"
            """It knows `wait` and `gather`."""

    def start(self, job: str, *argv: str) -> None:
        self.talk.start(self.epoch, job, *argv)

    def wait(self, job: str) -> None:
        """Until the end of a job is known."""
        if self.tells:
            self.talk("wait", job)
            return
        pause_s, growth, longest_s = POLLS_S
        while self.talk("poll", job)[0] != "exited":
            time.sleep(pause_s)
            pause_s = min(pause_s * growth, longest_s)

    def collect(self, job: str) -> int:
        """Pull what a job left, and forget it; the round trips."""
        before = self.talk.number
        if self.tells:
            self.talk.data("gather", job, 1 << 20)
        else:
            for stream in ("stdout", "stderr", "telemetry"):
                offset = 0
                while block := self.talk.data("read", job, stream, offset, 1 << 20):
                    offset += len(block)
            self.talk.data("files", job)
        self.talk("drop", job)
        return self.talk.number - before


class Bench:
    """One agent script under one shell, in a folder of its own."""

    def __init__(self, script: Path, shell: str, times: int) -> None:
        self.script = script
        self.shell = shell
        self.times = times
        self.crowd: frozenset[int] = frozenset()
        """Children of this process that are no agent's."""

    @contextmanager
    def device(self) -> Iterator[Device]:
        """A running agent that holds the lease; when this ends, all of it has ended and was waited for."""
        with tempfile.TemporaryDirectory() as folder:
            box = make_box(Path(folder, "box"), self.shell)
            path = make_path(Path(folder, "bin"), self.shell, box)
            Path(folder, "bin", "python3").symlink_to(os.path.realpath(sys.executable))
            phone = Phone(Path(folder), path, self.shell, self.script)
            device = Device(phone)
            yield device
            device.talk("release", device.epoch)
            device.talk.leave()
            reap(self.crowd)

    def cpu_ms(self, work: Callable[[Device, int], object]) -> float:
        """CPU time of one `work` on the device: of many, less that of none."""
        return (self._cpu_ms(work, self.times) - self._cpu_ms(work, 0)) / self.times

    def _cpu_ms(self, work: Callable[[Device, int], object], times: int) -> float:
        before = children_ms()
        with self.device() as device:
            for number in range(times):
                work(device, number)
        return children_ms() - before


def children_ms() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1000


def reap(crowd: frozenset[int]) -> None:
    """Supervisors outlive their parent: they come to this process, and are counted once waited for."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while {int(pid) for pid in children.read_text().split()} - crowd:
        if not os.waitpid(-1, os.WNOHANG)[0]:
            time.sleep(0.005)


def probe_ms(bench: Bench) -> float:
    return bench.cpu_ms(lambda device, _: device.talk.data("probe"))


def run_true(device: Device, number: int) -> None:
    device.start(f"j{number}", "/bin/true")
    device.wait(f"j{number}")


def job_ms(bench: Bench) -> float:
    with processes(bench, FEW):
        return bench.cpu_ms(run_true)


def process_us(bench: Bench) -> float:
    with processes(bench, FEW):
        few_ms = bench.cpu_ms(run_true)
    with processes(bench, MANY):
        return (bench.cpu_ms(run_true) - few_ms) * 1000 / (MANY - FEW)


def run_small(device: Device, number: int) -> None:
    device.start(f"j{number}", "sh", "-c", "echo a log >&2; echo a profile >p.json")
    device.wait(f"j{number}")


def collect_ms(bench: Bench) -> float:
    """The difference of a job that is collected and one that is not."""

    def run_and_collect(device: Device, number: int) -> None:
        run_small(device, number)
        device.collect(f"j{number}")

    return bench.cpu_ms(run_and_collect) - bench.cpu_ms(run_small)


def round_trips(bench: Bench) -> float:
    with bench.device() as device:
        run_small(device, 0)
        return device.collect("j0")


def late_ms(bench: Bench) -> float:
    """From the last word of a program to the reply that says that it ended."""
    late = []
    with bench.device() as device:
        for number in range(bench.times):
            job = f"j{number}"
            device.start(job, "sh", "-c", f"sleep {0.3 + 0.17 * number:.2f}; echo the end")
            device.wait(job)
            now_ns = time.time_ns()
            file = device.spool / job / "stdout"
            late.append((now_ns - file.stat().st_mtime_ns) / 1e6)
    return statistics.median(late)


def check_ms(bench: Bench) -> float:
    """An agent that is asked what `farm devices check` asks, from its start to its end. The shell that looks
    for it before is not in it.
    """

    def check(device: Device, _: int) -> None:
        process = device.phone.popen("serve", device.phone.workdir)
        process.communicate(CHECK)

    return bench.cpu_ms(check)


FIGURES = (
    Figure("a check by an agent of its own, CPU ms", None, check_ms),
    Figure("probe of a native device, CPU ms", 12, probe_ms),
    Figure(f"job of /bin/true among {FEW} processes, CPU ms", 20, job_ms),
    Figure("for each further process, CPU us", 25, process_us),
    Figure("collecting a small round, CPU ms", None, collect_ms),
    Figure("collecting a small round, round trips", 2, round_trips),
    Figure("end known after, ms (wall)", 20, late_ms),
)


@contextmanager
def processes(bench: Bench, count: int) -> Iterator[None]:
    """So many on the machine, besides the agent's."""
    missing = count - sum(path.name.isdigit() for path in Path("/proc").iterdir())
    script = f"i=0; while [ $i -lt {missing} ]; do sleep 600 & i=$((i+1)); done; echo; exec sleep 600"
    group = subprocess.Popen(("sh", "-c", script), stdout=subprocess.PIPE, process_group=0)
    bench.crowd = frozenset({group.pid})
    try:
        group.stdout.readline()
        yield
    finally:
        os.killpg(group.pid, signal.SIGKILL)
        group.wait()
        group.stdout.close()
        bench.crowd = frozenset()
        reap(bench.crowd)


def host_keys() -> None:
    """What the host key of each device of a run costs: with the file parsed each time, and now."""
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    text = "".join(f"device-{number} {key}\n" for number in range(KNOWN_HOSTS_LINES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "known_hosts")
        path.write_text(text)
        began = time.process_time()
        for number in range(DEVICES):
            asyncssh.import_known_hosts(path.read_text()).match(f"device-{number}", "", None)
        each_ms = (time.process_time() - began) * 1000 / DEVICES
        began = time.process_time()
        for number in range(DEVICES):
            assert trust(f"device-{number}", path, ()).keys
        once_ms = (time.process_time() - began) * 1000 / DEVICES
    what = f"host key of one of {DEVICES} devices, {KNOWN_HOSTS_LINES} lines, CPU ms"
    print(f"\n{what}: {each_ms:.2f} parsed each time, {once_ms:.2f} now, ratio {once_ms / each_ms:.2f}")


def table(shell: str, agent: Path, before: Path | None, times: int) -> bool:
    print("\n" + ROW.format(shell, "wanted", "before", "now", "ratio", ""))
    good = True
    for figure in FIGURES:
        old = figure.measure(Bench(before, shell, times)) if before else None
        new = figure.measure(Bench(agent, shell, times))
        meets = figure.wanted is None or new <= figure.wanted
        good = good and meets
        words = [f"{value:.1f}" if value is not None else "-" for value in (figure.wanted, old, new)]
        words += [f"{new / old:.2f}" if old else "-", "" if meets else "MISSED"]
        print(ROW.format(figure.name, *words))
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agent", type=Path, default=agent_file())
    parser.add_argument("--before", type=Path)
    parser.add_argument("--shells", default="dash,busybox,mksh")
    parser.add_argument("--times", type=int, default=10)
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = arguments.before.absolute() if arguments.before else None
    shells = arguments.shells.split(",")
    good = [table(shell, arguments.agent.absolute(), before, arguments.times) for shell in shells]
    host_keys()
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
