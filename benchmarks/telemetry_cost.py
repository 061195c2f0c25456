"""What telemetry costs a round, and what farm does to it: as ratios, with raw records that add up over calls.

    .venv/bin/python benchmarks/telemetry_cost.py watch [--model M] [--minutes N]    on/off in one process
    .venv/bin/python benchmarks/telemetry_cost.py by-hand [--model M] [--minutes N]  under farm, and by hand
    .venv/bin/python benchmarks/telemetry_cost.py show                               what the records say

`watch`: one round runs under the real agent, whose watchdog (telemetry, limits, lease) is stopped and let go
on every two seconds, in a random order; a pair is the mean and the median time of the iterations of two such
blocks that follow each other, and the processor time of the watchdog. Differences between processes take no
part. `by-hand`: a pair is the value of a round under farm, and of the command that repeats it by hand, its
log in a file; their order is drawn, and disks are synced before each (records of trials: `by-hand-pipe`, when
the log went through a pipe to a reader; `by-hand-unsynced`; `by-hand-clean`, besides with 12 iterations and
`env -i`). The models take about as long as their names say;
shufflenet 10 to 20 ms.

Each pair is a line of benchmarks/data/telemetry_cost.jsonl, with the load average of its time: a later call
goes on. The interval is that of farm's own verdicts (Hodges-Lehmann over the log ratios, 90 %); with pairs of
a busy machine it is wide, and --most-load leaves these out. Exit code 1 when a figure of the models 1ms and
100ms is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from farm import agents, resources
from farm.analysis.effects import paired
from farm.analysis.steady import round_value
from farm.logs.load_and_run import parse_log
from farm.runtime.cache import default_root
from tests.agent.shells import Phone, make_box, make_path

DATA = Path(__file__).parent / "data" / "telemetry_cost.jsonl"
BLOCK_S = 2.0
"""Two looks of the watchdog."""
WANTED = {"watch": (-math.inf, 0.5), "by-hand": (-1.0, 1.0)}
"""The 90 % interval lies within these, in percent."""
MODELS = {
    "1ms": ("int8", ("--batch-size=16",)),
    "shufflenet": ("shufflenet_v2_x0_5", ()),
    "40ms": ("shufflenet_v2_x0_5", ("--batch-size=8",)),
    "100ms": ("shufflenet_v2_x0_5", ("--batch-size=20",)),
}
"""Name: bundled model, and the options that make an inference take about so long."""
DECIDING = ("1ms", "100ms")
"""The models that figures are wanted of."""
ITERATION = re.compile(rb"iter \d+/\d+: e2e=([\d.]+) ms")
CPU = ("--cpu-default",)


def keep(kind: str, model: str, record: dict[str, object]) -> None:
    line = {"kind": kind, "model": model, "load_1m": os.getloadavg()[0], "at": round(time.time()), **record}
    DATA.parent.mkdir(exist_ok=True)
    with DATA.open("a", encoding="ascii") as stream:
        stream.write(json.dumps(line) + "\n")


# --------------------------------------------------------------------------- telemetry on and off


def runtime(folder: Path) -> Path:
    """The wheel runtime as it lies on a device."""
    (place,) = (one for one in default_root().iterdir() if one.name.startswith("megengine-1.13"))
    (folder / "lib").mkdir(parents=True)
    for library in place.rglob("*.so*"):
        (folder / "lib" / library.name).symlink_to(library)
    for name, artifact in agents.runner_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(artifact.path.read_bytes())
    return folder / "load_and_run.py"


def watch(model: str, minutes: float) -> None:
    """One long round; each block is known by where its iterations begin and end in the log."""
    name, options = MODELS[model]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        phone = Phone(folder, make_path(folder / "bin", "dash", make_box(folder / "box", "dash")), "dash")
        talk = phone.talk()
        epoch = int(talk("lease", "benchmark", 1_000_000)[0])
        program = (sys.executable, "-B", "-I", "-S", str(runtime(folder / "runtime")))
        words = (
            *program,
            str(resources.folder("bundled") / f"{name}.mge"),
            *options,
            *CPU,
            "--iter",
            "100000000",
        )
        talk.start(epoch, "round", *words, wall_s=100_000_000, silence_s=0)
        log = phone.workdir / "spool" / "round" / "stderr"
        try:
            while log.stat().st_size < 20_000:
                time.sleep(0.1)
            watcher = watchdog(int((log.parent / "pid").read_text().split()[0]))
            until = time.monotonic() + 60 * minutes
            while time.monotonic() < until:
                order = random.sample(("on", "off"), 2)
                keep(
                    "watch",
                    model,
                    {side: block(log, watcher, on=side == "on") for side in order} | {"first": order[0]},
                )
            os.kill(watcher, signal.SIGCONT)
        finally:
            talk("kill", "round")
            talk("release", epoch)
            talk.leave()


def watchdog(supervisor: int) -> int:
    """The one child of the supervisor in its own session."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return next(pid for pid in map(int, children) if os.getsid(pid) == supervisor)


def block(log: Path, watcher: int, *, on: bool) -> dict[str, float]:
    os.kill(watcher, signal.SIGCONT if on else signal.SIGSTOP)
    begin, before_ns = log.stat().st_size, used_ns(watcher)
    time.sleep(BLOCK_S)
    watch_ms = (used_ns(watcher) - before_ns) / 1e6 / BLOCK_S
    with log.open("rb") as stream:
        stream.seek(begin)
        # The first and the last line may be cut.
        found = [float(text) for text in ITERATION.findall(stream.read())[1:-1]]
    return {
        "mean_ms": statistics.fmean(found),
        "median_ms": statistics.median(found),
        "iterations": len(found),
        "watch_ms_per_s": round(watch_ms, 3),
    }


def used_ns(pid: int) -> int:
    """Processor time of a process so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


# --------------------------------------------------------------------------- under farm and by hand


def by_hand(model: str, minutes: float) -> None:
    name, options = MODELS[model]
    count = {"1ms": "1000", "shufflenet": "200", "40ms": "60", "100ms": "30"}[model]
    words = (
        "--model",
        f"bundled:{name}",
        *options,
        *CPU,
        "--iter",
        count,
        "--warmup-iter",
        "5",
        "--rounds",
        "1",
    )
    with tempfile.TemporaryDirectory() as scratch:
        # A workdir of its own: nobody else's run takes the device.
        Path(scratch, "inventory.yaml").write_text(
            f"devices: {{local: {{address: local, workdir: {scratch}/w}}}}\n"
        )
        _, command = under_farm(scratch, words)
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until:
            if random.random() < 0.5:
                first, manual, (farm_ms, _) = "hand", alone(command), under_farm(scratch, words)
            else:
                first, (farm_ms, _), manual = "farm", under_farm(scratch, words), alone(command)
            keep(
                "by-hand", model, {"on": {"median_ms": farm_ms}, "off": {"median_ms": manual}, "first": first}
            )


def under_farm(folder: str, words: tuple[str, ...]) -> tuple[float, str]:
    """The round's value in ms as it is printed, and the command that repeats it by hand."""
    farm = (
        sys.executable,
        "-m",
        "farm",
        "bench",
        "--devices",
        "local",
        "--deadline",
        "idle=0",
        "--json",
    )
    os.sync()  # what the run before has written is not written in this one
    done = subprocess.run((*farm, *words), cwd=folder, check=True, capture_output=True, text=True)
    (cell,) = json.loads(done.stdout)["cells"]
    return cell["rounds"][0]["value_ms"], cell["reproduce"]


def alone(command: str) -> float:
    # Into a file, as under farm: who reads a pipe meanwhile takes part in each line.
    os.sync()
    with tempfile.TemporaryFile("w+") as log:
        subprocess.run(["/bin/sh", "-c", command], check=True, stdout=subprocess.DEVNULL, stderr=log)
        log.seek(0)
        value, _ = round_value(parse_log(log.read()).e2e_ms)
    assert value is not None, "the command printed no times"
    return value


# --------------------------------------------------------------------------- what the records say


def interval(off_ms: list[float], on_ms: list[float]) -> tuple[float, float]:
    """Of the ratio on / off, 90 %, in percent above 1."""
    effect = paired(off_ms, on_ms)
    return (effect.low_90 - 1) * 100, (effect.high_90 - 1) * 100


def show(most_load: float) -> bool:
    records = [json.loads(line) for line in DATA.read_text("ascii").splitlines()]
    records = [one for one in records if one["load_1m"] <= most_load]
    good = True
    for kind, model in sorted({(one["kind"], one["model"]) for one in records}):
        pairs = [one for one in records if (one["kind"], one["model"]) == (kind, model)]
        level = statistics.median(one["off"]["median_ms"] for one in pairs)
        loads = sorted(one["load_1m"] for one in pairs)
        print(f"{kind}, {model}: {level:.3f} ms, {len(pairs)} pairs, load {loads[0]:.1f} to {loads[-1]:.1f}")
        wanted = WANTED.get(kind)
        for figure in ("mean_ms", "median_ms"):
            both = [(one["off"][figure], one["on"][figure]) for one in pairs if figure in one["on"]]
            if not both:
                continue
            low, high = interval([off for off, _ in both], [on for _, on in both])
            meets = wanted is None or (wanted[0] <= low and high <= wanted[1])
            good = good and (meets or model not in DECIDING)
            word = "a trial" if wanted is None else "pass" if meets else "open: more pairs"
            print(f"  {figure:10} {low:+.2f} to {high:+.2f} %  {word}")
        if used := [one["on"]["watch_ms_per_s"] for one in pairs if "watch_ms_per_s" in one["on"]]:
            print(f"  the watchdog's own processor time: {statistics.fmean(used):.2f} ms a second")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("watch", "by-hand", "show"))
    parser.add_argument("--model", choices=MODELS, default="shufflenet")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--most-load", type=float, default=math.inf)
    given = parser.parse_args()
    if given.what == "watch":
        watch(given.model, given.minutes)
    elif given.what == "by-hand":
        by_hand(given.model, given.minutes)
    return 0 if show(given.most_load) else 1


if __name__ == "__main__":
    sys.exit(main())
