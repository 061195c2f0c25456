"""What is read beside the log of a round: telemetry of the device and of its GPUs, and exact times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from farm.logs.exact_times import parse_exact_times
from farm.logs.telemetry import parse_gpu_telemetry, parse_telemetry
from farm.model.device import Device, Facts, RuntimeKind
from farm.model.matrix import Round, RoundKind
from farm.model.measurement import Measurement
from farm.model.options import OptionSet
from farm.model.telemetry import GpuSample, Sample
from farm.options import option

TIMES_FILE = "farm-times.txt"
GPU_FILE = "farm-gpu.txt"
BESIDE = {TIMES_FILE: "exact-times", GPU_FILE: "gpu-telemetry"}
"""Files of a round that farm itself asked for, and their roles."""

MOST_BYTES = 8 << 20
"""Of telemetry that is read: a line a second of a day."""

PRINTED_MS = 0.0005 + 1e-6
"""So far a time may lie from what is printed with three decimals."""

NVIDIA = "nvidia"


@dataclass(frozen=True)
class Readings:
    """`exact_ns` has (e2e, host) of each iteration, empty where there are none."""

    samples: tuple[Sample, ...] = ()
    gpu: tuple[GpuSample, ...] = ()
    exact_ns: tuple[tuple[int, int], ...] = ()


def read_readings(files: Mapping[str, Path]) -> Readings:
    """From the files of a round by role. Raises OSError."""
    return Readings(
        parse_telemetry(_text(files.get("telemetry"))),
        parse_gpu_telemetry(_text(files.get(BESIDE[GPU_FILE]))),
        parse_exact_times(_text(files.get(BESIDE[TIMES_FILE]))),
    )


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    with path.open("rb") as stream:
        return stream.read(MOST_BYTES).decode("utf-8", "replace")


def asked_for(device: Device, facts: Facts, one: Round) -> tuple[tuple[str, str], ...]:
    """What is set in the environment of a timed round, so that it and the agent write these files."""
    if one.kind is not RoundKind.TIMED:
        return ()
    wanted = []
    if device.runtime.kind is RuntimeKind.WHEEL and int(one.options.get("thread") or 1) == 1:
        wanted.append(("FARM_TIMES", TIMES_FILE))
    if any(gpu.compute_capability for gpu in facts.gpus) and uses_nvidia(one.options):
        wanted.append(("FARM_GPU", "1"))
    return tuple(wanted)


def uses_nvidia(options: OptionSet) -> bool:
    """Whether the rounds of an option set compute on a GPU of NVIDIA."""
    needs = ((option(name).needs, value) for name, value in options.values)
    return any(need.nvidia_gpu and need.gpu_value in (None, value) for need, value in needs)


def with_exact_times(
    measurement: Measurement, exact_ns: tuple[tuple[int, int], ...]
) -> tuple[Measurement, str | None]:
    """The measurement of a log with its times as exact as the program's clock, and a note where these are not
    those of the log: as many, and each what is printed.
    """
    if not exact_ns:
        return measurement, None
    printed = list(zip(measurement.e2e_ms, measurement.host_ms, strict=False))
    exact = [(e2e / 1e6, host / 1e6) for e2e, host in exact_ns]
    agrees = len(printed) == len(exact) and all(
        abs(a - c) <= PRINTED_MS and abs(b - d) <= PRINTED_MS
        for (a, b), (c, d) in zip(printed, exact, strict=True)
    )
    if not agrees:
        return measurement, f"{TIMES_FILE} does not agree with the log: the times are as printed"
    e2e_ms, host_ms = zip(*exact, strict=True)
    return replace(measurement, e2e_ms=e2e_ms, host_ms=host_ms), None
