"""The lines of load_and_run 1.13, on standard error."""

from __future__ import annotations

import sys
import time

from farm.sim.program.times import Times

BLOCK_BYTES = 1 << 16
PADDING = b"debug: nothing of interest happened in this line of a very long log\n"


class Log:
    """Writes lines. What is printed arrives at once only after `flush`, or at the end."""

    def __init__(self) -> None:
        self._stream = sys.stderr.buffer

    def begin(self, model: str, options: dict[str, str]) -> None:
        self._say("run@strategy_normal.cpp:138", "megbrain/lite/load_and_run:")
        self.raw(b"using MegBrain 1.13.0(0) and MegDNN 9.3.0\n\n")
        kind = (
            "lite model" if "lite" in options or _is_lite(model) else "mdl model use XPU as default comp node"
        )
        self._say("ModelMdl@model_mdl.cpp:10", f"creat {kind}")

    def prepared(self, times: Times) -> None:
        """From the loading of the model to the last warm-up."""
        self._say("run_subline@strategy_normal.cpp:51", f"load model: {times.load_ms:.3f}ms\n")
        self._say("run_subline@strategy_normal.cpp:116", "run testcase: 0 ")
        for index in range(times.warmups):
            self._say("operator()@strategy_normal.cpp:67", "=== prepare: 1.014ms; going to warmup")
            self._say("operator()@strategy_normal.cpp:70", f"warm up {index}  {times.first_ms:.3f}ms")

    def iteration(self, index: int, count: int, e2e_ms: float, host_ms: float) -> None:
        text = f"iter {index}/{count}: e2e={e2e_ms:.3f} ms (host={host_ms:.3f} ms)"
        self._say("operator()@strategy_normal.cpp:88", text)

    def finished(self, times: Times) -> None:
        total_ms = sum(times.e2e_ms)
        if times.iterations > 0:
            deviation = f"{times.deviation_ms:.3f}" if times.iterations > 1 else "-nan"
            summary = (
                f"time={total_ms:.3f} ms avg_time={total_ms / times.iterations:.3f} ms "
                f"standard_deviation={deviation} ms "
                f"min={min(times.e2e_ms):.3f} ms max={max(times.e2e_ms):.3f} ms"
            )
            self._say("operator()@strategy_normal.cpp:97", f"=== finished test #0: {summary}")
        self._say("run_subline@strategy_normal.cpp:129", f"=== total time: {total_ms:.3f}ms\n")

    def abort(self, why: str) -> None:
        """A C++ exception that nobody caught."""
        self.raw(b"terminate called after throwing an instance of 'mgb::AssertionError'\n")
        self.raw(f"  what():  assertion `false' failed at sim.cpp:1: run\nextra message: {why}\n\n".encode())

    def pad(self, count: int) -> None:
        """So many bytes of lines that mean nothing."""
        block = PADDING * (BLOCK_BYTES // len(PADDING))
        for _ in range(count // len(block)):
            self.raw(block)
        self.raw(PADDING * (count % len(block) // len(PADDING)))

    def raw(self, data: bytes) -> None:
        self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()

    def _say(self, where: str, text: str) -> None:
        self.raw(f"[{time.strftime('%d %H:%M:%S')} {where}] {text}\n".encode())


def _is_lite(model: str) -> bool:
    try:
        with open(model, "rb") as stream:  # noqa: PTH123 - starts faster
            head = stream.read(16)
    except OSError:
        return False
    return (
        not head.startswith((b"mgb0001", b"mgb0000a", b"MGBS", b"MGBC", b"mgbtest0"))
        and head[8:12] != b"mgv2"
    )
