"""Makes the example runs beside this file: `python tests/data/results/make.py`.

The times are invented (drawn from a fixed seed): the examples show what a report looks like and
what it must bear, they are no measurements.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from farm.analysis.steady import round_value
from farm.analysis.summary import summarise
from farm.compare.duels import comparisons
from farm.errors import Fault, Stage
from farm.model.artifact import Produced
from farm.model.comparison import Change, Comparison, Duel, Earlier, Effect, Phase, Verdict
from farm.model.device import Facts, Gpu, Python, RuntimeKind
from farm.model.matrix import RoundKind
from farm.model.outputs import (
    Against,
    Check,
    Checking,
    Divergence,
    EveryTensor,
    OutputCheck,
    OutputVerdict,
    TensorDifference,
    TensorNote,
    Tolerance,
)
from farm.model.run import (
    SCHEMA_VERSION,
    CellResult,
    CellStatus,
    DeviceRecord,
    DeviceStatus,
    ModelRecord,
    Quality,
    Results,
    RoundResult,
    RoundStatus,
    RunStatus,
    VariantRecord,
)

VARIANTS: dict[str, dict[str, bool | int | float | str]] = {
    "fp32": {},
    "nchw44": {"enable-nchw44": True},
    "4 threads": {"multithread": 4},
    "4 threads, big cores": {"multithread": 4, "multi-thread-core-ids": "4,5,6,7"},
    "nchw44, weights prepared": {"enable-nchw44": True, "weight-preprocess": True},
}
SPEED = dict(zip(VARIANTS, (1.0, 0.71, 0.34, 0.29, 0.66), strict=True))
MODELS = {"tiny": 0.21, "shufflenet_v2": 11.8, "two_inputs": 3.4, "resnet18_int8": 58.0}
DEVICES = {"arm-1": 1.0, "arm-2": 1.02, "arm-3": 1.0, "arm-4": 4.6, "gpu-1": 0.35, "phone-1": 2.1}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def times(draw: random.Random, level_ms: float, iterations: int) -> tuple[float, ...]:
    process = draw.gauss(1.0, 0.008)
    return tuple(
        round(level_ms * process * (1 + abs(draw.gauss(0, 0.006)) + (draw.random() < 0.03) * 0.2), 3)
        for _ in range(iterations)
    )


def timed_round(draw: random.Random, index: int, level_ms: float, argv: tuple[str, ...]) -> RoundResult:
    iterations = 12
    e2e_ms = times(draw, level_ms, iterations)
    value_ms, quality = round_value(e2e_ms)
    return RoundResult(
        kind=RoundKind.TIMED,
        index=index,
        status=RoundStatus.COMPLETED,
        quality=quality,
        started_at=f"2026-11-23T11:{31 + index:02d}:{draw.randrange(60):02d}+00:00",
        wall_s=round(sum(e2e_ms) / 1000 + 0.4, 3),
        exit_code=0,
        argv=argv,
        load_ms=round(40 + 3 * level_ms + draw.random(), 3),
        prepare_ms=round(5 + draw.random(), 3),
        warmup_ms=(round(level_ms * 8.2, 3),),
        e2e_ms=e2e_ms,
        host_ms=tuple(round(t * 0.98, 3) for t in e2e_ms),
        value_ms=value_ms,
    )


def cell(
    draw: random.Random, device: str, model: str, variant: str, level_ms: float, rounds: int
) -> CellResult:
    options = VARIANTS.get(variant, {})
    flags = [f"--{k}" if v is True else f"--{k}={v}" for k, v in options.items()]
    argv = ("load_and_run", f"{model}.mge", "--iter=12", "--warmup-iter=1", *flags)
    done = tuple(timed_round(draw, i, level_ms, argv) for i in range(rounds))
    folder = f"cells/{device}/{model}/{variant}"
    return CellResult(
        device=device,
        model=model,
        variant=variant,
        options=dict(options),
        argv=argv,
        status=CellStatus.COMPLETED,
        reproduce=f"ssh bench@{device}.lab 'cd ~/.cache/farm/work && {' '.join(argv)}'",
        rounds=done,
        summary=summarise(done),
        artifacts=tuple(
            Produced(role, f"{folder}/{role}.txt", sha256(folder + role), 2311)
            for role in ("stdout", "stderr")
        ),
    )


def failed(made: CellResult, **why: Any) -> CellResult:
    return replace(made, status=CellStatus.FAILED, rounds=(), summary=None, artifacts=(), **why)


def skipped(made: CellResult, reason: str) -> CellResult:
    return replace(
        made,
        status=CellStatus.SKIPPED,
        reason=reason,
        rounds=(),
        summary=None,
        argv=(),
        artifacts=(),
        reproduce=None,
    )


def facts(device: str) -> Facts:
    big = device == "arm-4"
    return Facts(
        hostname=f"{device}.lab",
        system="Linux",
        kernel="6.1.75-rk3588" if device != "arm-2" else "6.1.43-rk3588",
        architecture="x86_64" if device == "gpu-1" else "aarch64",
        os_name="Debian GNU/Linux 12" if device != "phone-1" else "Android 14",
        libc="glibc 2.36" if device != "phone-1" else "bionic",
        cpu_model={"gpu-1": "AMD EPYC 7313", "phone-1": "Snapdragon 8 Gen 2"}.get(
            device, "RK3588 (A76 x 4, A55 x 4)"
        ),
        cpu_features=(
            (
                "fp",
                "asimd",
                "aes",
                "pmull",
                "sha1",
                "sha2",
                "crc32",
                "atomics",
                "fphp",
                "asimdhp",
                "asimdrdm",
                "asimddp",
                "i8mm",
            )
        ),
        core_ids=tuple(range(4 if big else 8)),
        governors=tuple((i, "schedutil" if device == "arm-2" and i > 3 else "performance") for i in range(8)),
        max_frequency_khz=tuple((i, 1_800_000 if i < 4 else 2_400_000) for i in range(8)),
        memory_bytes=16 * 2**30,
        memory_available_bytes=13 * 2**30 + len(device) * 10**8,
        disk_free_bytes=91_300_000_000,
        load_average_1m=0.12,
        temperatures_c=(("cpu", 41.0), ("gpu", 38.5)),
        gpus=(Gpu("Tesla T4", "535.183.01", "7.5", 15 * 2**30),) if device == "gpu-1" else (),
        pythons=()
        if device == "phone-1"
        else (Python("/usr/bin/python3", (3, 11, 2), has_numpy=device == "gpu-1"),),
        shell="dash",
        tools=("flock", "setsid"),
    )


def record(device: str) -> DeviceRecord:
    return DeviceRecord(
        name=device,
        address=f"bench@{device}.lab:22",
        runtime=RuntimeKind.WHEEL if device == "gpu-1" else RuntimeKind.NATIVE,
        runtime_digest=sha256("wheel" if device == "gpu-1" else "native"),
        engine="MegEngine 1.13.0",
        facts=facts(device),
        pushed_bytes=0 if device != "arm-4" else 84_512_332,
        pushed_files=0 if device != "arm-4" else 9,
        reused_files=9 if device != "arm-4" else 0,
        agent_sha256=sha256("agent"),
    )


def run(
    run_id: str, devices: dict[str, float], models: dict[str, float], variants: list[str], rounds: int
) -> Results:
    draw = random.Random(42)
    cells = tuple(
        cell(draw, device, model, variant, base * slow * SPEED[variant], rounds)
        for device, slow in devices.items()
        for model, base in models.items()
        for variant in variants
    )
    return Results(
        schema_version=SCHEMA_VERSION,
        run_id=run_id,
        farm_version="0.1.0",
        started_at="2026-11-23T11:30:27+00:00",
        ended_at="2026-11-23T11:36:41+00:00",
        status=RunStatus.COMPLETED,
        command=(
            "farm",
            "bench",
            "--inventory",
            "inventory/lab.yaml",
            "--devices",
            "arm-*,gpu-*",
            "--rounds",
            "5",
        ),
        seed=1978226013,
        rounds=rounds,
        devices=tuple(record(device) for device in devices),
        models=tuple(ModelRecord(m, sha256(m), int(2e6 * t) + 1311, "") for m, t in models.items()),
        variants=tuple(VariantRecord(v, dict(VARIANTS[v]), sha256(v)) for v in variants),
        cells=cells,
    )


def small() -> Results:
    made = run("demo-7f3a", {"local": 1.0}, {"shufflenet_v2": 11.8}, ["fp32", "4 threads"], 5)
    return replace(made, command=("farm", "bench", "--variant", "4 threads=--multithread 4"))


def as_in_a_bad_night(c: CellResult) -> CellResult:
    if c.device == "arm-3":
        return failed(
            c,
            stage=Stage.CONNECT,
            fault=Fault.NETWORK,
            cause="unreachable",
            error="arm-3.lab:22 did not answer within 10 s (3 tries).",
            hint="farm devices check arm-3",
        )
    if c.device == "gpu-1" and "nchw44" in c.variant:
        return skipped(c, "nchw44 is for Arm CPUs: gpu-1 is x86_64")
    if c.device == "arm-4" and "big cores" in c.variant:
        return skipped(c, "cores 4-7 do not exist on arm-4, which has cores 0-3")
    if (c.device, c.model, c.variant) == ("arm-2", "resnet18_int8", "nchw44, weights prepared"):
        return failed(
            c,
            stage=Stage.EXECUTE,
            fault=Fault.RUNTIME,
            cause="signal-11",
            error="load_and_run ended by signal 11 (segmentation fault) in round 1, after the model was loaded.",
            hint="farm bench --devices arm-2 --model resnet18_int8.mge --variant 'v=--enable-nchw44' --verbose",
        )
    if c.device == "phone-1" and c.model == "two_inputs":
        return replace(skipped(c, "interrupted by the user"), status=CellStatus.CANCELLED)
    if (c.device, c.model, c.variant) == ("phone-1", "shufflenet_v2", "fp32"):
        return loud(c)
    return c


def lab() -> Results:
    """Six devices, five variants, four models; a device that is off, one that drops out, skips, a loud round."""
    made = run("2026-11-23-nightly", DEVICES, MODELS, list(VARIANTS), 5)
    unreachable = DeviceRecord(
        "arm-3",
        "bench@arm-3.lab:22",
        RuntimeKind.NATIVE,
        status=DeviceStatus.FAILED,
        error="no answer within 10 s",
        hint="farm devices check arm-3",
    )
    devices = tuple(unreachable if d.name == "arm-3" else d for d in made.devices)
    return replace(
        made,
        devices=devices,
        cells=tuple(as_in_a_bad_night(c) for c in made.cells),
        status=RunStatus.INTERRUPTED,
    )


def loud(c: CellResult) -> CellResult:
    """One round that never settled, one that failed, and a note."""
    first, second, *rest = c.rounds
    rising = tuple(round(25.0 + i, 3) for i in range(12))
    value_ms, quality = round_value(rising)
    worn = replace(second, e2e_ms=rising, value_ms=value_ms, quality=quality)
    lost = replace(
        rest[-1],
        status=RoundStatus.FAILED,
        e2e_ms=(),
        value_ms=None,
        exit_code=137,
        error="killed: limit of 60 s",
    )
    rounds = (first, worn, *rest[:-1], lost)
    return replace(
        c, rounds=rounds, summary=summarise(rounds), notes=("The PPM header was rewritten for the program.",)
    )


HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</script><script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "\x1b[31mred\x1b[0m \x07 \u202egnp.exe \u2028 \x00 \u200b",
    "x" * 600,
    "</style></title></textarea><!-- --><svg onload=alert(1)>",
)


def hostile() -> Results:
    """Every text a device or a user can write, each of the hostile kinds."""
    made = run("hostile", {"local": 1.0}, {"tiny": 0.21}, ["fp32"], 2)
    one = made.cells[0]
    cells = []
    for i, text in enumerate(HOSTILE):
        other = HOSTILE[(i + 1) % len(HOSTILE)]
        files = tuple(
            Produced(text, path, text, 1)
            for path in (
                text,
                f"cells/{text}",
                "javascript:alert(1)",
                "//evil.example/x",
                "../../etc/passwd",
                "/etc/passwd",
                "\\\\evil\\x",
            )
        )
        named = replace(
            one,
            device=text,
            model=other,
            variant=text,
            options={text: other},
            argv=(text, other),
            notes=(text,),
            reproduce=text,
            artifacts=files,
            rounds=(*one.rounds, hostile_round(one.rounds[0], text)),
        )
        cells += [
            named,
            failed(
                replace(named, variant="fails"),
                stage=Stage.EXECUTE,
                fault=Fault.DEVICE,
                cause=text,
                error=other,
                hint=text,
            ),
            skipped(replace(named, variant="skipped"), text),
        ]
    devices = tuple(
        DeviceRecord(
            text,
            text,
            RuntimeKind.NATIVE,
            text,
            text,
            replace(
                facts("arm-1"), hostname=text, cpu_model=text, kernel=text, governors=((0, text), (1, "b"))
            ),
            1,
            1,
            1,
            text,
            DeviceStatus.FAILED,
            text,
            text,
        )
        for text in HOSTILE
    )
    return replace(
        made,
        run_id=HOSTILE[0],
        farm_version=HOSTILE[1],
        started_at=HOSTILE[3],
        status=RunStatus.INTERRUPTED,
        command=HOSTILE,
        devices=devices,
        models=tuple(ModelRecord(text, text, 1, text) for text in HOSTILE),
        variants=tuple(VariantRecord(text, {}, text) for text in HOSTILE),
        cells=tuple(cells),
        duels=tuple(Duel(text, other, Change.BUILD, since=text) for text, other in pairwise(HOSTILE)),
        comparisons=(
            *(hostile_comparison(i, text) for i, text in enumerate(HOSTILE)),
            *(
                replace(hostile_comparison(i, HOSTILE[i]), baseline=one.id, candidate=other.id)
                for i, (one, other) in enumerate(pairwise(cells[::3]))
            ),
        ),
        earlier=tuple(
            Earlier(cell.id, cell.variant, (1.0,), (("kernel", cell.variant), ("farm", cell.model)))
            for cell in cells[::3]
        ),
        checking=Checking(Check.ALL),
        outputs=tuple(hostile_check(i, cell) for i, cell in enumerate(cells[::3])),
    )


def hostile_round(one: RoundResult, text: str) -> RoundResult:
    """A failed one, whose log has the name."""
    logs = tuple(Produced(role, f"cells/{text}/{role}.txt", text, 1) for role in ("stdout", "stderr"))
    return replace(one, index=9, status=RoundStatus.FAILED, error=text, artifacts=logs)


def hostile_check(i: int, cell: CellResult) -> OutputCheck:
    """Every tensor of a cell, against a cell that may not be there."""
    text = cell.variant
    tolerance = Tolerance(text, 1e-3, 1e-5)
    numbers = TensorDifference(
        text, text, (2,), text, (2,), tolerance,
        elements=2, mismatches=1, max_abs=1e300, at=(1,), max_rel=1e300, nans=1,
    )  # fmt: skip
    kinds = (*Divergence, None)
    notes = tuple(
        TensorNote(
            place,
            text,
            text,
            text,
            text if place % 2 else "",
            kind,
            2,
            1,
            None,
            text,
            numbers if place else None,
        )
        for place, kind in enumerate(kinds)
    )
    every = EveryTensor(
        3,
        2,
        2,
        text,
        text,
        text,
        (text,),
        None,
        1,
        1,
        1,
        notes,
        1,
        7,
        only_candidate=(text,),
        only_reference=(text,),
    )
    against = (Against.BASELINE, Against.VARIANT, Against.DEVICE)[i % 3]
    return OutputCheck(
        text, cell.id, against, text, OutputVerdict.FINDING, text, (numbers,),
        baseline_run=text if i % 2 else None,
        every=every if i < 6 else EveryTensor(problem=text),
    )  # fmt: skip


def hostile_comparison(i: int, text: str) -> Comparison:
    effect = Effect(1.05, None, 1e300, None, None, 0.0, 10) if i % 2 else None
    return Comparison(
        device=text,
        baseline=text,
        candidate=HOSTILE[i - 1],
        change=Change.BUILD,
        verdict=list(Verdict)[i % len(Verdict)],
        sentence=text,
        baseline_run=text,
        confirm=effect,
        differences=(text,),
        notes=(text,),
        baseline_ms=1.0,
    )


def empty() -> Results:
    made = run("empty", {}, {}, [], 5)
    return replace(made, ended_at=None, status=RunStatus.INTERRUPTED)


def many(cells: int) -> Results:
    """A run of about `cells` cells, for measuring; not kept as a file."""
    devices = {f"arm-{i}": 1.0 + i / 10 for i in range(1, cells // 20 + 1)}
    return run(f"{cells} cells", devices, MODELS, list(VARIANTS), 5)


COMPARED = {
    # device, model: size of the change, spread of a pair, fresh pairs, quality of every second round
    ("arm-1", "tiny"): (1.06, 0.01, 30, Quality.OK),
    ("arm-1", "shufflenet_v2"): (1.001, 0.01, 0, Quality.OK),
    ("arm-2", "tiny"): (1.04, 0.06, 0, Quality.OK),
    ("arm-2", "shufflenet_v2"): (0.91, 0.01, 30, Quality.OK),
    ("arm-3", "tiny"): (1.0, 0.01, 0, Quality.THROTTLED),
    ("arm-3", "shufflenet_v2"): (1.0, 0.01, 0, Quality.OK),
}


def in_phase(
    draw: random.Random, level_ms: float, pair: Phase, times_of: tuple[int, float], quality: Quality
):
    """Rounds of a phase; `times_of` has their number and the spread of their values."""
    number, spread = times_of
    made = []
    for index in range(number):
        value = round(level_ms * (1 + draw.gauss(0, spread)), 4)
        made.append(
            RoundResult(
                RoundKind.TIMED,
                index,
                RoundStatus.COMPLETED,
                quality=quality if index % 2 else Quality.OK,
                e2e_ms=(value,) * 3,
                value_ms=value,
                phase=pair,
            )
        )
    return tuple(made)


def compared_cell(draw: random.Random, device: str, model: str, build: str) -> CellResult:
    change, spread, fresh, quality = COMPARED[device, model]
    level_ms = MODELS[model] * DEVICES[device] * (change if build == "new" else 1.0)
    made = replace(cell(draw, device, model, "fp32", level_ms, 0), build=build)
    rounds = (
        *in_phase(draw, level_ms, Phase.SCREEN, (10, spread), quality),
        *(in_phase(draw, level_ms, Phase.CONFIRM, (fresh, spread), quality) if build != "canary" else ()),
    )
    if (device, model, build) == ("arm-3", "shufflenet_v2", "new"):
        return failed(
            made,
            stage=Stage.EXECUTE,
            fault=Fault.RUNTIME,
            cause="signal-11",
            error="load_and_run ended by signal 11 (segmentation fault) in round 1.",
        )
    return replace(made, rounds=rounds, summary=summarise(rounds))


def compared() -> Results:
    """Two builds in one lease: all five verdicts, a cell that failed, and two canaries."""
    draw = random.Random(7)
    names = {device: DEVICES[device] for device in ("arm-1", "arm-2", "arm-3")}
    made = run("release-1.14", names, {m: MODELS[m] for m in ("tiny", "shufflenet_v2")}, ["fp32"], 10)
    cells, duels = [], []
    for device, model in COMPARED:
        builds = (
            ("old", "new", "canary") if model == "shufflenet_v2" and device != "arm-3" else ("old", "new")
        )
        cells += [compared_cell(draw, device, model, build) for build in builds]
        ids = [one.id for one in cells[-len(builds) :]]
        duels.append(Duel(ids[0], ids[1], Change.BUILD))
        if len(ids) > 2:
            duels.append(Duel(ids[0], ids[2], Change.NOTHING, is_canary=True))
    whole = replace(
        made,
        cells=tuple(cells),
        duels=tuple(duels),
        status=RunStatus.PARTIAL,
        command=("farm", "bench", "--build", "old", "--build", "new", "--rounds", "auto"),
    )
    return replace(whole, comparisons=tuple(map(rounded, comparisons(whole))))


def rounded(one: Comparison) -> Comparison:
    """So that no processor's logarithm is another in the last digit."""

    def nine(effect: Effect | None) -> Effect | None:
        if effect is None:
            return None
        values: dict[str, Any] = {
            name: round(value, 9) if isinstance(value, float) else value
            for name, value in dataclasses.asdict(effect).items()
        }
        return Effect(**values)

    q = None if one.q is None else round(one.q, 9)
    return replace(one, screen=nine(one.screen), confirm=nine(one.confirm), q=q)


FOLDER = Path(__file__).parent
EXAMPLES = {"small": small, "lab": lab, "hostile": hostile, "empty": empty, "compared": compared}


def main() -> None:
    for name, make in EXAMPLES.items():
        text = json.dumps(dataclasses.asdict(make()), separators=(",", ":"))
        (FOLDER / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
