"""--fitting: tries the option sets of strategy_fitting.cpp, each in a process of its own, and prints the
fastest.

A process for each, because an operator's algorithm, once chosen, is used again in the same process whatever
the options.
"""

import json
import os
import re
import subprocess
import sys

import mge_check
import mge_dump
import mge_log
import mge_pack
from mge_log import log

WARMUPS, RUNS = 3, 10
LIMIT_S = 600
FUSE = "enable_fuse_conv_bias_nonlinearity"
# First the best of these, the device in front ...
CPU = (
    ("cpu", FUSE),
    ("cpu", "weight_preprocess", "fast_run", FUSE),
    ("cpu", "layout_transform", FUSE),
    ("cpu", "layout_transform", "weight_preprocess", FUSE),
    ("cpu", "enable_nchw88", FUSE),
    ("cpu", "enable_nchw88", "weight_preprocess", "fast_run", FUSE),
)
CUDA = (
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
# flag -> entry of the packed model's options
PACKED = {
    "weight_preprocess": ("weight_preprocess", True),
    "enable_fuse_preprocess": ("fuse_preprocess", True),
    "record_comp_seq": ("comp_node_seq_record_level", 1),
    "const_shape": ("const_shape", True),
}


class Fitting(object):
    def __init__(self, program, values, model):
        self.program, self.values, self.model = program, values, model
        self.best, self.best_ms = None, None  # option names, milliseconds for an inference

    def run(self):
        log("megbrain/lite/load_and_run: fitting\n")
        for options in CUDA if self.values.cuda else CPU:
            self.measure(options)
        fixed = self.best
        for option in MORE if fixed else ():
            self.measure((option,) + fixed)
        if fixed is None:
            raise mge_log.Abort("no set of options could be run")
        sys.stdout.write("the best options:\n%s\n\n" % "\n".join(flags(self.best)))
        if self.values.dump_fitting_model:
            self.dump()

    def command(self, *words):
        words = (self.program, self.model) + words
        if self.values.input:
            words += ("--input=" + self.values.input,)
        if self.values.batch_size > 0:
            words += ("--batch_size=%d" % self.values.batch_size,)
        if self.values.lite:
            words += ("--lite",)
        return [sys.executable, "-B", "-E"] + list(words)

    def measure(self, options):
        """Runs one set and keeps it when it is the fastest so far."""
        counts = ("--iter=%d" % RUNS, "--warmup_iter=%d" % WARMUPS)
        text = "\n".join(flags(options))
        code, said = self._call(
            self.command(*(counts + tuple(word.replace('"', "") for word in flags(options))))
        )
        found = re.search(r"avg_time=([0-9.]+) ms", said)
        if code or not found:
            why = re.search(r"what\(\):\s+(.*)", said)
            log(
                "cannot run with these options (%s):\n%s\n"
                % (why.group(1) if why else "exit code %s" % code, text),
                "ERR",
            )
            return
        average_ms = float(found.group(1))
        log("profile option:\n%s\n avg_time=%.3f ms\n" % (text, average_ms))
        if self.best is None or average_ms < self.best_ms:
            self.best, self.best_ms = options, average_ms

    def _call(self, command):
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            said = child.communicate(timeout=LIMIT_S)[1]
        except subprocess.TimeoutExpired:
            child.kill()
            said = child.communicate()[1]
        return child.returncode, said.decode("utf-8", "replace")

    def dump(self):
        """--dump-fitting-model: the optimised graph, packed with those of the best options that a model can
        carry."""
        scratch = mge_dump.Scratch()
        try:
            path = scratch.path("best.mge")
            once = ("--iter=0", "--warmup_iter=0")
            if "layout_transform" in self.best:
                how = ("--layout_transform=%s" % self.device(), "--layout_transform_dump=" + path)
            else:
                graph = [
                    word
                    for word in flags(self.best)
                    if re.match("--(enable_(nchw|chwn|nhwc|fuse_conv))", word)
                ]
                how = tuple(graph) + ("--optimize_for_inference", "--model_dump=" + path)
            code, said = self._call(self.command(*(once + how)))
            if code:
                mge_log.raw(said)
                raise mge_log.Abort("the model could not be dumped with the best options")
            info = {
                "name": "packed_model",
                "valid": True,
                "backend": "MGE",
                "has_compression": False,
                "version": "1.13.0",
                "device": {"type": self.device().upper()},
                "options": dict(PACKED[name] for name in self.best if name in PACKED),
            }
            mge_check.writable(self.values.dump_fitting_model)
            with open(self.values.dump_fitting_model, "wb") as stream:
                stream.write(
                    mge_pack.pack(mge_check.contents(path), json.dumps(info, sort_keys=True).encode("utf-8"))
                )
        finally:
            scratch.remove()

    def device(self):
        return "cuda" if "cuda" in self.best else "cpu"


def flags(options):
    """As the C++ program prints them: a layout transform has its device, everything else is true."""
    device = "cuda" if "cuda" in options else "cpu"
    return [
        '--layout_transform="%s"' % device if name == "layout_transform" else "--%s=true" % name
        for name in options
    ]


def fit(folder, values, model):
    mge_check.check(values)
    Fitting(os.path.join(folder, "load_and_run.py"), values, model).run()
