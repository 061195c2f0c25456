"""Constraints between options of load_and_run, as data.

A rule applies when all of `all_of`, at least `count` of `any_of` and none of `none_of` are set (and `holds`
is true, where values matter), for these runtimes and this interface (`mdl`, `lite`, None: either).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from farm.model.device import RuntimeKind
from farm.model.options import OptionSet
from farm.options.catalogue.layout import LAYOUTS
from farm.options.row import EVERYWHERE


class Act(StrEnum):
    REFUSE = "refuse"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True)
class Rule:
    """`reason` says what would happen, `instead` what to type instead."""

    act: Act
    reason: str
    instead: str
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    count: int = 1
    holds: Callable[[OptionSet], bool] | None = None
    runtimes: frozenset[RuntimeKind] = EVERYWHERE
    interface: str | None = None

    def applies(self, options: OptionSet, runtime: RuntimeKind, interface: str | None) -> bool:
        if runtime not in self.runtimes or self.interface not in (None, interface):
            return False
        return (
            all(name in options for name in self.all_of)
            and (not self.any_of or sum(name in options for name in self.any_of) >= self.count)
            and not any(name in options for name in self.none_of)
            and (self.holds is None or self.holds(options))
        )

    def sentence(self, options: OptionSet) -> str:
        """The finding: the flags that were found unless the reason names them, the reason, the way out."""
        set_here = (name for name in (*self.all_of, *self.any_of) if name in options)
        unnamed = [f"--{name}" for name in set_here if not re.search(rf"--{name}(?![\w-])", self.reason)]
        found = f"{' '.join(unnamed)}: " if unnamed else ""
        return f"{found}{self.reason} ({self.instead})"

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.all_of, *self.any_of, *self.none_of)


NATIVE = frozenset({RuntimeKind.NATIVE})
WHEEL = frozenset({RuntimeKind.WHEEL})
LAYOUT_FLAGS = tuple(row.name for row in LAYOUTS)
DUMPS = ("io-dump", "io-dump-stdout", "io-dump-stderr", "bin-io-dump", "bin-out-dump")
POOLS = ("multithread", "multithread-default")
CPUS = ("cpu", "cpu-default", *POOLS)
DEVICES = ("cuda", *CPUS)
RECORDS = ("record-comp-seq", "record-comp-seq2")
PROFILES = ("profile", "profile-host")
SEARCHES = ("fast-run", "full-run")
WHEEL_ON_CPU = "without --cuda the wheel runtime uses the CPU"
PLUGINS = ("range", "check-dispatch", "check-var-value", *PROFILES)


def core_count_differs(options: OptionSet) -> bool:
    """Whether the number of core ids is not the number of threads; a core label counts as fitting."""
    ids = str(options.get("multi-thread-core-ids") or "").split(",")
    threads = options.get("multithread") or options.get("multithread-default")
    return all(part.isdigit() for part in ids) and threads is not None and len(ids) != threads


def _transforms_for_cuda(options: OptionSet) -> bool:
    return options.get("layout-transform") == "cuda"


def _one_step_of_check_var_value(options: OptionSet) -> bool:
    return int(options.get("iter") or 10) < 20


def refuse(reason: str, instead: str, **where: object) -> Rule:
    return Rule(Act.REFUSE, reason, instead, **where)  # type: ignore[arg-type]


def warn(reason: str, instead: str, **where: object) -> Rule:
    return Rule(Act.WARN, reason, instead, **where)  # type: ignore[arg-type]


def note(reason: str, instead: str, **where: object) -> Rule:
    return Rule(Act.NOTE, reason, instead, **where)  # type: ignore[arg-type]


RULES: tuple[Rule, ...] = (
    refuse(
        "load_and_run takes one layout; given several, it silently uses none",
        "use one, or compare them: --sweep layout=nchw44,nchw88",
        any_of=LAYOUT_FLAGS,
        count=2,
    ),
    refuse(
        "--layout-transform-dump alone silently writes no file",
        "add --layout-transform cpu (or cuda)",
        all_of=("layout-transform-dump",),
        none_of=("layout-transform",),
    ),
    refuse(
        "--dump-fitting-model alone silently writes no file",
        "add --fitting",
        all_of=("dump-fitting-model",),
        none_of=("fitting",),
    ),
    refuse(
        "--fast-run and --full-run are mutually exclusive",
        "remove one",
        all_of=("fast-run", "full-run"),
    ),
    refuse(
        "--fast-run-shared-batch-size has no effect without a search",
        "add --fast-run, --full-run or --fast-run-algo-policy FILE",
        all_of=("fast-run-shared-batch-size",),
        none_of=(*SEARCHES, "fast-run-algo-policy"),
    ),
    refuse(
        "--multi-thread-core-ids has no effect without a thread pool",
        "add --multithread N with as many threads as ids (one core: --multithread 1)",
        all_of=("multi-thread-core-ids",),
        none_of=POOLS,
    ),
    refuse(
        "the number of core ids differs from the number of threads",
        "use one id per thread",
        all_of=("multi-thread-core-ids",),
        any_of=POOLS,
        holds=core_count_differs,
    ),
    refuse(
        "--multithread and --multithread-default are mutually exclusive",
        "remove one",
        all_of=POOLS,
    ),
    refuse(
        "given several devices, the program silently uses only one of them",
        "remove one, or compare them: --sweep device=cpu,cuda",
        any_of=DEVICES,
        count=2,
        holds=lambda options: not ("cpu" in options and _only_pool(options)),
    ),
    note(
        "--cpu has no effect with a thread pool: the pool is on the CPU",
        "remove --cpu",
        all_of=("cpu",),
        any_of=POOLS,
    ),
    refuse(
        "--lite and --mdl are mutually exclusive: each chooses the other interface",
        "remove one, or compare them: --variant lite=--lite --variant mdl=--mdl",
        all_of=("lite", "mdl"),
    ),
    refuse(
        "two dumps at once crash the program or write into one folder",
        "use one dump per variant: --variant 'text=--io-dump io.txt' --variant 'binary=--bin-io-dump io'",
        any_of=DUMPS,
        count=2,
    ),
    refuse(
        "--record-comp-seq with a profile hangs after the results are printed",
        "profile without --record-comp-seq",
        all_of=("record-comp-seq",),
        any_of=PROFILES,
    ),
    refuse(
        "dumps do not work with a recorded sequence: the native program aborts at the end "
        "(`pure virtual method called`), the wheel runtime writes an empty file",
        "dump without --record-comp-seq",
        any_of=("io-dump", "io-dump-stdout", "io-dump-stderr"),
        all_of=("record-comp-seq",),
    ),
    refuse(
        "--record-comp-seq2 frees the graph that plugins and dumps need: the program aborts, crashes, "
        "hangs or writes nothing",
        "use it in a separate variant, without them",
        all_of=("record-comp-seq2",),
        any_of=(*PLUGINS, *DUMPS),
    ),
    refuse(
        "--record-comp-seq2 frees the graph that --model-dump would write",
        "use it in a separate variant, without --model-dump",
        all_of=("record-comp-seq2", "model-dump"),
        runtimes=WHEEL,
    ),
    refuse(
        "--record-comp-seq2 requires --no-sanity-check",
        "add --no-sanity-check",
        all_of=("record-comp-seq2",),
        none_of=("no-sanity-check",),
    ),
    refuse(
        "--record-comp-seq2 cannot be combined with --fake-first",
        "remove --fake-first",
        all_of=("record-comp-seq2", "fake-first"),
    ),
    refuse(
        "--record-comp-seq with --fake-first requires --no-sanity-check",
        "add --no-sanity-check",
        all_of=("record-comp-seq", "fake-first"),
        none_of=("no-sanity-check",),
    ),
    note(
        "--record-comp-seq is the lower level of --record-comp-seq2, which takes precedence",
        "remove --record-comp-seq",
        all_of=RECORDS,
    ),
    refuse(
        "--bin-out-dump with --fake-first crashes the native program (139), and the wheel runtime refuses it",
        "dump without --fake-first",
        all_of=("bin-out-dump", "fake-first"),
    ),
    refuse(
        "--bin-out-dump with --copy-to-host crashes the program (139)",
        "remove --copy-to-host: the dump copies the outputs itself",
        all_of=("bin-out-dump", "copy-to-host"),
        runtimes=NATIVE,
    ),
    refuse(
        "options of a packed model require --packed-model-dump",
        "add --packed-model-dump FILE",
        any_of=("pack-info-json", "pack-cache", "pack-info-cryption", "pack-model-cryption"),
        none_of=("packed-model-dump",),
    ),
    refuse(
        "MegEngine 1.13 swaps the two ciphers of a packed model",
        "set --pack-info-cryption and --pack-model-cryption to the same cipher",
        all_of=("packed-model-dump",),
        any_of=("pack-info-cryption", "pack-model-cryption"),
        holds=lambda options: options.get("pack-info-cryption") != options.get("pack-model-cryption"),
        runtimes=NATIVE,
    ),
    refuse(
        "options of C operators require --c-opr-lib",
        "add --c-opr-lib FILE",
        any_of=("c-opr-lib-with-param", "c-opr-init-interface"),
        none_of=("c-opr-lib",),
    ),
    refuse(
        "MIOpen requires ROCm",
        "add --rocm",
        all_of=("rocm-enable-miopen-search",),
        none_of=("rocm",),
    ),
    refuse(
        "--tensorrt works on an NVIDIA GPU only; on a CPU it is silently ignored",
        "use --cuda, or remove --tensorrt",
        all_of=("tensorrt",),
        any_of=CPUS,
    ),
    refuse(
        "--layout-transform cuda measures on a GPU, but the model runs on the CPU",
        "use --layout-transform cpu",
        all_of=("layout-transform",),
        any_of=CPUS,
        holds=_transforms_for_cuda,
    ),
    refuse(
        f"{WHEEL_ON_CPU}: the model would be transformed for the GPU but run on the CPU",
        "add --cuda, or use --layout-transform cpu",
        all_of=("layout-transform",),
        none_of=DEVICES,
        holds=_transforms_for_cuda,
        runtimes=WHEEL,
    ),
    refuse(
        f"{WHEEL_ON_CPU}, where --tensorrt is silently ignored",
        "add --cuda",
        all_of=("tensorrt",),
        none_of=DEVICES,
        runtimes=WHEEL,
    ),
    refuse(
        f"{WHEEL_ON_CPU}, for which its library has no JIT compiler (`No compiler support for cpu`)",
        "add --cuda, or remove --enable-jit",
        all_of=("enable-jit",),
        none_of=("cuda",),
        runtimes=WHEEL,
    ),
    warn(
        "--tensorrt-cache has no effect without --tensorrt, unless the model has TensorRT operators",
        "add --tensorrt",
        all_of=("tensorrt-cache",),
        none_of=("tensorrt",),
    ),
    warn(
        "the native program ignores --reproducible with Lite models",
        "add --binary-equal-between-batch",
        all_of=("reproducible",),
        none_of=("binary-equal-between-batch",),
        runtimes=NATIVE,
        interface="lite",
    ),
    warn(
        "--workspace-limit has no effect in the MDL interface",
        "add --lite",
        all_of=("workspace-limit",),
        runtimes=NATIVE,
        interface="mdl",
    ),
    warn(
        "--batch-size repeats the model's own data: --input is ignored",
        "remove one",
        all_of=("batch-size", "input"),
        runtimes=NATIVE,
    ),
    warn(
        "float16 max pooling is wrong on x86, and --enable-nhwcd4 gives quantised outputs in another shape",
        "check the outputs on the target device",
        any_of=("enable-ioc16", "enable-nhwcd4"),
    ),
    warn(
        "the outputs of int8 models are wrong on a CPU with this option",
        "check the outputs, or use --enable-fuse-conv-bias-nonlinearity",
        all_of=("enable-fuse-conv-bias-with-z",),
        none_of=("cuda",),
        runtimes=WHEEL,
    ),
    warn(
        "builds without a JIT backend for the device abort (`No compiler support`)",
        "remove --enable-jit if it aborts",
        all_of=("enable-jit",),
        runtimes=NATIVE,
    ),
    warn(
        "the log lines of several threads are mixed: their times are counted together",
        "--thread is a check of thread safety, in timed rounds only; for speed use --multithread",
        all_of=("thread",),
    ),
    warn(
        "--check-var-value checks one variable every few runs; this needs more iterations",
        "use --iter 100 or more",
        all_of=("check-var-value",),
        holds=_one_step_of_check_var_value,
    ),
    note(
        "--profile-host runs the same code as --profile: one is enough",
        "remove one",
        all_of=PROFILES,
    ),
    note(
        "recorded sequences are usually combined with --no-sanity-check and, for fixed shapes, --const-shape",
        "add --const-shape if the shapes are fixed",
        all_of=("record-comp-seq",),
        none_of=("const-shape",),
    ),
    note(
        "--wait-gdb does not wait in a round: its standard input is empty",
        "attach to the process on the device, or run the printed command by hand",
        all_of=("wait-gdb",),
    ),
    note(
        "--fitting uses its own iteration counts and ignores --iter, --warmup-iter and --thread",
        "run a bench with the options that it finds",
        all_of=("fitting",),
    ),
)


def _only_pool(options: OptionSet) -> bool:
    return not any(name in options for name in ("cuda", "cpu-default")) and not all(
        pool in options for pool in POOLS
    )
