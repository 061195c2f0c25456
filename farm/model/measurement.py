"""What is read from a load_and_run log."""

from __future__ import annotations

from dataclasses import dataclass

from farm.errors import Fault


@dataclass(frozen=True)
class TensorInfo:
    """A row of `--model-info`: `direction` is `input` or `output`, `shape` as printed."""

    direction: str
    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Measurement:
    """Times of one round, in ms; one entry per warm-up or timed iteration, in order.

    `e2e_ms` is from launch until the device is idle; `host_ms` until the launch returned. `complete`
    is true when the log has its summary line and as many iterations as it announced. `skipped_lines`
    counts lines that no grammar knows (kept in the stderr artifact). `runs` is the number of runs of the
    model in the log, mixed and untagged: more than 1 with `--thread`. `interface` is `mdl` or `lite` where
    the log shows which one ran.
    """

    load_ms: float | None = None
    prepare_ms: float | None = None
    warmup_ms: tuple[float, ...] = ()
    e2e_ms: tuple[float, ...] = ()
    host_ms: tuple[float, ...] = ()
    complete: bool = False
    engine: str | None = None
    tensors: tuple[TensorInfo, ...] = ()
    grammar: str | None = None
    skipped_lines: int = 0
    runs: int = 1
    interface: str | None = None


UNAVAILABLE = "unavailable"
"""The cause of a round that the device's runtime reports as impossible: its cell is skipped, not failed."""

UNKNOWN_FLAG = "unknown-flag"
"""The cause of a round with an option that the program was built without: its cell is skipped, too."""


@dataclass(frozen=True)
class Cause:
    """Why a round failed."""

    fault: Fault
    cause: str
    message: str
    hint: str | None = None
