"""What a simulated device is like. All defaults together are a healthy device."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Ending(StrEnum):
    """How the program ends."""

    NORMAL = "normal"
    CRASH = "crash"
    """A failed assertion: exit code 134."""
    CUT = "cut"
    """Exit code 0 before the summary of the times."""
    HANG = "hang"
    """Never, after all that it prints."""


class Target(StrEnum):
    """What a strike hits."""

    AGENT = "agent"
    """Every agent that answers the controller."""
    SUPERVISOR = "supervisor"
    """The supervisor of the round, and its watch."""
    CONNECTION = "connection"
    """The server's processes of the open connections: killed they are cut, stopped they are black holes."""
    MACHINE = "machine"
    """Everything, and new connections are reset for as long: a power cut. Cannot be stopped. What comes back
    has another boot id, which needs the right to mount files (unshare).
    """


class Act(StrEnum):
    """What a strike does to its target."""

    KILL = "kill"
    STOP = "stop"


@dataclass(frozen=True)
class Strike:
    """Something that happens on the device in the middle of a run of the program.

    It happens after `iteration` timed iterations of the device's run number `run` (from 1; 0: of each run). A
    kill is repeated for `lasts_s` seconds, so that what comes back dies again; what was stopped goes on after
    `lasts_s` (0: never). The program waits as long.
    """

    target: Target
    act: Act = Act.KILL
    run: int = 1
    iteration: int = 1
    lasts_s: float = 0.0


@dataclass(frozen=True)
class Tensor:
    """An output of the model: float32 `values` (repeated as needed) of this shape."""

    values: tuple[float, ...] = (0.0,)
    shape: tuple[int, ...] = (1,)
    name: str = "out"
    variable: int = 81
    """The id in the graph, which stands in the names of dumped files."""


@dataclass(frozen=True)
class Written:
    """A file that a run leaves beside what options ask for; `count` of them are numbered.

    `name` is relative to the run's folder; bytes that are not UTF-8 are surrogates, as by os.fsdecode.
    """

    name: str
    size_bytes: int = 1
    count: int = 1


@dataclass(frozen=True)
class Program:
    """The stand-in for load_and_run.

    The e2e time of an iteration is `latency_ms`, times the factors of all flags (`enable-nchw44`) and models
    (stem of the file) in `factors` that a run has, times lognormal noise: `noise` is the standard deviation
    of the logarithm. Of the same names, `shifts` are added to every value of the outputs, and `drift` times
    the number of the inference in its process. `seed` and the number of the run decide the noise. `pace` is
    how much of these times really passes (1.0: all). `lacks` are flags that this build has not, `forgets`
    those whose files it does not write. `says` is printed on stderr as it is (surrogates are raw bytes), and
    then as many bytes of lines that mean nothing as `log_bytes` says.
    """

    latency_ms: float = 2.0
    noise: float = 0.02
    seed: int = 0
    factors: tuple[tuple[str, float], ...] = ()
    load_ms: float = 1.0
    first_ms: float = 5.0
    pace: float = 0.0
    outputs: tuple[Tensor, ...] = (Tensor(),)
    shifts: tuple[tuple[str, float], ...] = ()
    drift: float = 0.0
    ending: Ending = Ending.NORMAL
    lacks: tuple[str, ...] = ()
    forgets: tuple[str, ...] = ()
    writes: tuple[Written, ...] = ()
    says: str = ""
    log_bytes: int = 0
    strikes: tuple[Strike, ...] = ()


@dataclass(frozen=True)
class Login:
    """What a login meets before it reaches the agent.

    `shell` runs the commands, with `rc` as its rc file (.bashrc or .cshrc). `forced` is run in the place of
    every command (POSIX sh). `environment` is set for all. With `neighbours` the other processes of this
    machine are seen on the device, and it is as busy as this machine; else it does not tell how busy it is.
    """

    shell: str = "sh"
    rc: str = ""
    forced: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    neighbours: bool = False


@dataclass(frozen=True)
class Line:
    """The way to the device: the first `resets` connections are reset before the server greets, and nobody
    listens for the first `deaf_s` seconds (connections are refused).
    """

    resets: int = 0
    deaf_s: float = 0.0


@dataclass(frozen=True)
class Cluster:
    """Cores of one kind: they have one frequency, `max_khz` at most, and the kernel's `cpu_capacity`."""

    cores: tuple[int, ...]
    max_khz: int
    min_khz: int = 600_000
    capacity: int = 1024


@dataclass(frozen=True)
class Heat:
    """A device with a /sys of its own: frequencies, governors, and a sensor of its temperature.

    Each second of the program's (simulated) time warms it by `warming_c`, each second of the wall clock cools
    it by `cooling_c`, down to `idle_c`. Above `trip_c` its cores run at `throttled` of what their governor
    gives them: scaling_min_freq under `powersave`, else scaling_max_freq. An iteration of the program takes
    longer by the factor by which the fastest core is slower than it can be. `files` are further files, (path
    below /sys, text), or others in the place of those that there are: a sensor that lies. They stay as they
    are.
    """

    idle_c: float = 40.0
    warming_c: float = 10.0
    cooling_c: float = 2.0
    trip_c: float = 70.0
    throttled: float = 0.5
    zone: str = "soc-thermal"
    clusters: tuple[Cluster, ...] = (Cluster((0,), 1_800_000, capacity=400), Cluster((1,), 2_400_000))
    governor: str = "schedutil"
    governors: tuple[str, ...] = ("performance", "schedutil", "powersave")
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Properties:
    """One simulated device.

    `home` is the name of its home folder (surrogates are raw bytes). `tools` are (name, POSIX sh script) in
    the place of programs that the agent uses; `REAL` in a script is the real one. `fork_s`: how long each of
    the agent's tools takes to start. Without `heat` its /sys is this machine's, and it stays cool.
    `entry` are further keys of its entry in the inventory.
    """

    program: Program = Program()
    login: Login = Login()
    line: Line = Line()
    home: str = "home"
    tools: tuple[tuple[str, str], ...] = ()
    fork_s: float = 0.0
    heat: Heat | None = None
    entry: tuple[tuple[str, object], ...] = ()


def to_json(program: Program, flags: dict[str, str]) -> str:
    """What the stand-in reads: its properties, and the flags that it has with their types."""
    return json.dumps({"program": asdict(program), "flags": flags})


def from_json(text: str) -> tuple[Program, dict[str, str]]:
    """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
    read: dict[str, Any] = json.loads(text)
    values = {name: _frozen(value) for name, value in read["program"].items()}
    values["outputs"] = tuple(Tensor(**tensor) for tensor in values["outputs"])
    values["writes"] = tuple(Written(**written) for written in values["writes"])
    values["ending"] = Ending(values["ending"])
    values["strikes"] = tuple(
        Strike(**{**strike, "target": Target(strike["target"]), "act": Act(strike["act"])})
        for strike in values["strikes"]
    )
    return Program(**values), read["flags"]


def heat_to_json(heat: Heat) -> str:
    """What the processes of a device with heat of its own read."""
    return json.dumps(asdict(heat))


def heat_from_json(text: str) -> Heat:
    """The inverse of `heat_to_json`. Raises KeyError, TypeError or ValueError for anything else."""
    values = {name: _frozen(value) for name, value in json.loads(text).items()}
    values["clusters"] = tuple(Cluster(**cluster) for cluster in values["clusters"])
    return Heat(**values)


def _frozen(value: Any) -> Any:
    """With tuples where JSON has lists."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return {name: _frozen(one) for name, one in value.items()}
    return value
