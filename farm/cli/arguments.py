"""Options that several commands share, each defined once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from farm.errors import RequestError


def finite(seconds: float | None) -> float | None:
    """For a number of seconds, whose range lets `inf` through. Raises RequestError."""
    if seconds is not None and not math.isfinite(seconds):
        raise RequestError(f"{seconds} is no number of seconds", hint="a year is 31536000")
    return seconds


Inventory = Annotated[
    Path | None,
    typer.Option(
        "--inventory", "-i",
        help="Inventory file or folder. Default: inventory.yaml or inventory/ in the current folder, "
        "else the device `local`.",
        metavar="FILE",
    ),
]  # fmt: skip
Devices = Annotated[
    str | None,
    typer.Option(
        "--devices", "-d",
        help="Which devices: 'arm-*,gpu-*', 'arm-\\[1-4]', '@group', 'tag:cuda', 'soc=rk3588', '!arm-3'. "
        "Quote it. Default: all.",
        metavar="SELECTOR",
    ),
]  # fmt: skip
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        help="A model file, or bundled:NAME. Repeatable. Default: the bundled models.",
        metavar="FILE",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        help="Input data: 'name:value;name:file' with \\[\\[1.,2.]], .json, .npy, .ppm or .pgm. "
        "Once for all models, or once per --model.",
        metavar="SPEC",
    ),
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant", help="A column of the comparison, 'NAME=OPTIONS', as 'mt2=--multithread 2'. Repeatable.",
        metavar="NAME=OPTIONS",
    ),
]  # fmt: skip
Sweeps = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep", help="Variants from values: multithread=1,2 or layout=nchw44,nchw88. Several multiply.",
        metavar="OPTION=VALUES",
    ),
]  # fmt: skip
Recipe = Annotated[
    str | None,
    typer.Option(
        help="MegEngine's tuning for a kind of processor, x86-cpu, arm-cpu or nvidia: layout transform and "
        "fast-run as preparations. Options on the command line take precedence.",
        metavar="NAME",
    ),
]
Suite = Annotated[
    Path | None, typer.Option(help="A suite file: models, inputs, variants and rules.", metavar="FILE")
]
Builds = Annotated[
    list[str] | None,
    typer.Option(
        "--build",
        help="Which build runs the models: one of the builds file or the suite, or `inventory`, the default: "
        "each device's own runtime. Repeatable: every cell is run with each.",
        metavar="NAME",
    ),
]
BuildsFile = Annotated[
    Path | None,
    typer.Option(
        "--builds", help="A builds file. Default: builds.yaml beside the inventory.", metavar="FILE"
    ),
]
Rounds = Annotated[
    str | None,
    typer.Option(
        help="Timed processes per cell, or auto: as many as --precision asks for. "
        "Default: 3; 10 where something is compared.",
        metavar="N",
    ),
]
ProfileRounds = Annotated[
    str | None,
    typer.Option(
        "--profile-rounds",
        help="With --profile: rounds that write one, after the timed ones. With fewer than 3 no operator is "
        "called changed. Default: 3.",
        metavar="N",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(help="The most time for the rounds of one device: 10m, 90s, 1.5h.", metavar="TIME"),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="With --rounds auto: how narrow the 95 % interval of a comparison's ratio, or else of a "
        "cell's median, is to be. Default: 2%.",
        metavar="P%",
    ),
]
LeastEffect = Annotated[
    str | None,
    typer.Option(
        "--minimum-effect",
        help="The smallest change that counts where something is compared. Default: 3%.",
        metavar="P%",
    ),
]
MostUndecided = Annotated[
    int | None,
    typer.Option(
        "--max-undecided",
        help="How many comparisons may stay undecided before the exit code is 5. Default: 0.",
        metavar="N",
        min=0,
    ),
]
Ab = Annotated[
    str | None,
    typer.Option(
        "--ab",
        help="Compare builds, variants or models in pairs, the first with each other one: 'old,new'.",
        metavar="A,B",
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        help="Compare with an earlier run, its id, tag:NAME or `latest`: what may have changed is confirmed, "
        "old and new in pairs.",
        metavar="RUN",
    ),
]
Canary = Annotated[
    bool | None,
    typer.Option(
        "--canary/--no-canary",
        help="Measure one cheap cell of each device twice and compare it with itself. Default: in suites.",
    ),
]
Ceilings = Annotated[
    bool | None,
    typer.Option(
        "--ceilings/--no-ceilings",
        help="Where profiles are asked for, measure what each device can do with these cores (roofline), "
        "after its rounds. Default: yes, where the inventory does not say it.",
    ),
]
Seed = Annotated[int | None, typer.Option(help="Seed of the order of rounds. Default: random.", metavar="N")]
Check = Annotated[
    str | None,
    typer.Option(
        help="Compare outputs before times: outputs, all (every tensor, too), or off. Default: outputs where "
        "a comparison or a golden file is given, else off.",
        metavar="WHAT",
    ),
]
Goldens = Annotated[
    list[str] | None,
    typer.Option(
        "--golden",
        help="What the outputs of a model should be: a .npy, a .npz or a folder of .npy files by output; "
        "repeatable.",
        metavar="MODEL:FILE",
    ),
]
Tolerances = Annotated[
    list[str] | None,
    typer.Option(
        "--tolerance",
        help="How far outputs may differ, of all types or of one: 1e-2, float32=1e-3,1e-5; repeatable.",
        metavar="[DTYPE=]RTOL[,ATOL]",
    ),
]
MinimumEffect = Annotated[
    str, typer.Option(help="The smallest change that counts, 3% or 0.03.", metavar="FRACTION")
]
MaxUndecided = Annotated[
    int,
    typer.Option(
        help="How many cells may be inconclusive, invalid or without a baseline before the exit code is 5.",
        metavar="N",
        min=0,
    ),
]
EarlierRuns = Annotated[
    Path | None,
    typer.Option("--runs-dir", help="Folder of the runs, to learn from. Default: runs.", metavar="DIR"),
]
RunsDir = Annotated[Path, typer.Option(help="Folder of the runs.", metavar="DIR")]
RoundLimit = Annotated[
    int, typer.Option("--round-limit", help="Time limit of a round in seconds.", metavar="S", min=1)
]
SilenceLimit = Annotated[
    int,
    typer.Option(
        "--silence-limit", help="Seconds a round may run without printing anything.", metavar="S", min=1
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        help="Seconds to wait for a device that is in use by another run.",
        metavar="S",
        min=0,
        callback=finite,
    ),
]
Reconnect = Annotated[
    float,
    typer.Option(
        "--reconnect",
        help="Seconds to keep trying to restore a lost connection.",
        metavar="S",
        min=0,
        callback=finite,
    ),
]
Deadline = Annotated[
    list[str] | None,
    typer.Option(help="Another limit on a wait, as for farm bench; repeatable.", metavar="NAME=S"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
Selector = Annotated[
    str | None, typer.Argument(help="A selector, as in --devices. Default: all.", metavar="SELECTOR")
]
Run = Annotated[str, typer.Argument(help="A run's id, its folder, tag:NAME, or `latest`.")]
