"""--fitting: tries the option sets of strategy_fitting.cpp, each in a process of its own, and prints the
fastest.

A process for each, because an operator's algorithm, once chosen, is used again in the same process whatever
the options.
"""

import json
import re
import subprocess
import sys
from typing import List, Optional, Tuple

from mge import files, log
from mge.command_line import checks
from mge.command_line.flags import Values
from mge.errors import AbortError
from mge.outputs import packed_model

OptionSet = Tuple[str, ...]
WARMUPS, RUNS = 3, 10
LIMIT_S = 600
FUSE = "enable_fuse_conv_bias_nonlinearity"
# First the best of these, the device in front ...
CPU: Tuple[OptionSet, ...] = (
    ("cpu", FUSE),
    ("cpu", "weight_preprocess", "fast_run", FUSE),
    ("cpu", "layout_transform", FUSE),
    ("cpu", "layout_transform", "weight_preprocess", FUSE),
    ("cpu", "enable_nchw88", FUSE),
    ("cpu", "enable_nchw88", "weight_preprocess", "fast_run", FUSE),
)
CUDA: Tuple[OptionSet, ...] = (
    ("cuda", FUSE),
    ("cuda", "enable_nchw4", FUSE),
    ("cuda", "enable_chwn4", FUSE),
    ("cuda", "enable_nchw64", FUSE),
    ("cuda", "enable_nchw32", FUSE),
    ("cuda", "layout_transform", FUSE),
    ("cuda", "layout_transform", "weight_preprocess", FUSE),
)
# ... then that one with each of these.
MORE = ("enable_fuse_conv_bias_with_z", "enable_fuse_preprocess", "record_comp_seq", "const_shape")
# option -> entry of the packed model's options
PACKED = {
    "weight_preprocess": ("weight_preprocess", True),
    "enable_fuse_preprocess": ("fuse_preprocess", True),
    "record_comp_seq": ("comp_node_seq_record_level", 1),
    "const_shape": ("const_shape", True),
}


def fit(program: str, values: Values, model: str) -> None:
    """Runs `program`, this program's file, with every set. Raises AbortError when none can be run."""
    checks.check(values)
    Fitting(program, values, model).run()


class Fitting:
    def __init__(self, program: str, values: Values, model: str) -> None:
        self.program, self.values, self.model = program, values, model
        self.best: Optional[OptionSet] = None
        self.best_ms = float("inf")  # of an inference

    def run(self) -> None:
        log.line("megbrain/lite/load_and_run: fitting\n")
        for options in CUDA if self.values.cuda else CPU:
            self._measure(options)
        if self.best is None:
            raise AbortError("no set of options could be run")
        first = self.best
        for option in MORE:
            self._measure((option, *first))
        shown = "\n".join(flags(self.best))
        sys.stdout.write(f"the best options:\n{shown}\n\n")
        if self.values.dump_fitting_model:
            self._dump(self.best)

    def _measure(self, options: OptionSet) -> None:
        """Runs one set and keeps it when it is the fastest so far."""
        shown = "\n".join(flags(options))
        words = [word.replace('"', "") for word in flags(options)]
        code, said = self._call(f"--iter={RUNS}", f"--warmup_iter={WARMUPS}", *words)
        found = re.search(r"avg_time=([0-9.]+) ms", said)
        if code or not found:
            why = re.search(r"what\(\):\s+(.*)", said)
            reason = why.group(1) if why else f"exit code {code}"
            log.line(f"cannot run with these options ({reason}):\n{shown}\n", "ERR")
            return
        average_ms = float(found.group(1))
        log.line(f"profile option:\n{shown}\n avg_time={average_ms:.3f} ms\n")
        if average_ms < self.best_ms:
            self.best, self.best_ms = options, average_ms

    def _call(self, *words: str) -> Tuple[int, str]:
        """(exit code, standard error) of this program with the model, its input and these words."""
        command = [sys.executable, "-B", "-I", "-S", self.program, self.model, *words]
        if self.values.input:
            command.append(f"--input={self.values.input}")
        if self.values.batch_size > 0:
            command.append(f"--batch_size={self.values.batch_size}")
        if self.values.lite:
            command.append("--lite")
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            said = child.communicate(timeout=LIMIT_S)[1]
        except subprocess.TimeoutExpired:
            child.kill()
            said = child.communicate()[1]
        return child.returncode, said.decode("utf-8", "replace")

    def _dump(self, best: OptionSet) -> None:
        """--dump-fitting-model: the optimised graph, packed with those of the best options that a model can
        carry.
        """
        scratch = files.Scratch()
        try:
            path = scratch.path("best.mge")
            code, said = self._call("--iter=0", "--warmup_iter=0", *_dump_flags(best, path))
            if code:
                log.raw(said)
                raise AbortError("the model could not be dumped with the best options")
            info = {
                "name": packed_model.NAME,
                "valid": True,
                "backend": "MGE",
                "has_compression": False,
                "version": "1.13.0",
                "device": {"type": _device(best).upper()},
                "options": dict(PACKED[name] for name in best if name in PACKED),
            }
            files.check_writable(self.values.dump_fitting_model)
            data = packed_model.pack(
                files.read_if_named(path), json.dumps(info, sort_keys=True).encode("utf-8")
            )
            with open(self.values.dump_fitting_model, "wb") as stream:
                stream.write(data)
        finally:
            scratch.remove()


def _dump_flags(options: OptionSet, path: str) -> List[str]:
    """What writes the graph that these options make to `path`."""
    if "layout_transform" in options:
        return [f"--layout_transform={_device(options)}", f"--layout_transform_dump={path}"]
    graph = [word for word in flags(options) if re.match("--(enable_(nchw|chwn|nhwc|fuse_conv))", word)]
    return [*graph, "--optimize_for_inference", f"--model_dump={path}"]


def _device(options: OptionSet) -> str:
    return "cuda" if "cuda" in options else "cpu"


def flags(options: OptionSet) -> List[str]:
    """As the C++ program prints them: a layout transform has its device, everything else is true."""
    return [
        f'--layout_transform="{_device(options)}"' if name == "layout_transform" else f"--{name}=true"
        for name in options
    ]
