"""What options do to each other: the constraints of load_and_run, as data.

A rule applies when all of `all_of`, at least `count` of `any_of` and none of `none_of` are set (and `holds`
says so, where values matter), for these runtimes and this interface (`mdl`, `lite`, None: either).
"""

from __future__ import annotations

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
    """`reason` says what would happen, `way_out` what to do instead."""

    act: Act
    reason: str
    way_out: str
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
WHEEL_ON_CPU = "without --cuda the wheel runtime computes on the CPU"
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


def refuse(reason: str, way_out: str, **where: object) -> Rule:
    return Rule(Act.REFUSE, reason, way_out, **where)  # type: ignore[arg-type]


def warn(reason: str, way_out: str, **where: object) -> Rule:
    return Rule(Act.WARN, reason, way_out, **where)  # type: ignore[arg-type]


def note(reason: str, way_out: str, **where: object) -> Rule:
    return Rule(Act.NOTE, reason, way_out, **where)  # type: ignore[arg-type]


RULES: tuple[Rule, ...] = (
    refuse(
        "load_and_run takes one layout: given several, it silently uses none",
        "choose one, or compare them: --sweep layout=nchw44,nchw88",
        any_of=LAYOUT_FLAGS,
        count=2,
    ),
    refuse(
        "--layout-transform-dump alone writes no file, without a word",
        "add --layout-transform cpu (or cuda)",
        all_of=("layout-transform-dump",),
        none_of=("layout-transform",),
    ),
    refuse(
        "--dump-fitting-model alone writes no file, without a word",
        "add --fitting",
        all_of=("dump-fitting-model",),
        none_of=("fitting",),
    ),
    refuse(
        "--fast-run and --full-run are two searches; the program takes one",
        "leave one out",
        all_of=("fast-run", "full-run"),
    ),
    refuse(
        "--fast-run-shared-batch-size is about a search, and there is none",
        "add --fast-run, --full-run or --fast-run-algo-policy FILE",
        all_of=("fast-run-shared-batch-size",),
        none_of=(*SEARCHES, "fast-run-algo-policy"),
    ),
    refuse(
        "core ids bind the threads of a pool, and there is none",
        "add --multithread N with as many threads as ids (one core: --multithread 1)",
        all_of=("multi-thread-core-ids",),
        none_of=POOLS,
    ),
    refuse(
        "there are not as many core ids as threads",
        "give one id for each thread",
        all_of=("multi-thread-core-ids",),
        any_of=POOLS,
        holds=core_count_differs,
    ),
    refuse(
        "--multithread and --multithread-default exclude each other",
        "leave one out",
        all_of=POOLS,
    ),
    refuse(
        "of several devices the program silently uses the last one it looks at",
        "leave one out, or compare them: --sweep device=cpu,cuda",
        any_of=DEVICES,
        count=2,
        holds=lambda options: not ("cpu" in options and _only_pool(options)),
    ),
    note(
        "--cpu beside a thread pool changes nothing: the pool is on the CPU",
        "leave --cpu out",
        all_of=("cpu",),
        any_of=POOLS,
    ),
    refuse(
        "--lite and --mdl exclude each other",
        "leave one out",
        all_of=("lite", "mdl"),
    ),
    refuse(
        "two dumps at once crash the program or write into one folder",
        "one dump in a variant: --variant 'text=--io-dump io.txt' --variant 'binary=--bin-io-dump io'",
        any_of=DUMPS,
        count=2,
    ),
    refuse(
        "recording with a profile hangs for ever after the results are printed",
        "profile without --record-comp-seq",
        all_of=("record-comp-seq",),
        any_of=PROFILES,
    ),
    refuse(
        "a dump sees nothing of a recorded sequence: the native program aborts at the end "
        "(`pure virtual method called`), the wheel runtime writes an empty file",
        "dump without --record-comp-seq",
        any_of=("io-dump", "io-dump-stdout", "io-dump-stderr"),
        all_of=("record-comp-seq",),
    ),
    refuse(
        "--record-comp-seq2 frees the graph that plugins and dumps look at: the program aborts, crashes, "
        "hangs or sees nothing",
        "use it in a variant of its own, without them",
        all_of=("record-comp-seq2",),
        any_of=(*PLUGINS, *DUMPS),
    ),
    refuse(
        "--record-comp-seq2 frees the graph that --model-dump would write",
        "use it in a variant of its own, without --model-dump",
        all_of=("record-comp-seq2", "model-dump"),
        runtimes=WHEEL,
    ),
    refuse(
        "--record-comp-seq2 is refused by the program without --no-sanity-check",
        "add --no-sanity-check",
        all_of=("record-comp-seq2",),
        none_of=("no-sanity-check",),
    ),
    refuse(
        "--record-comp-seq2 does not go with --fake-first",
        "leave --fake-first out",
        all_of=("record-comp-seq2", "fake-first"),
    ),
    refuse(
        "--record-comp-seq with --fake-first is refused by the program without --no-sanity-check",
        "add --no-sanity-check",
        all_of=("record-comp-seq", "fake-first"),
        none_of=("no-sanity-check",),
    ),
    note(
        "--record-comp-seq is the lower level of --record-comp-seq2, which wins",
        "leave --record-comp-seq out",
        all_of=RECORDS,
    ),
    refuse(
        "--bin-out-dump with --fake-first crashes the native program (139), and the wheel runtime refuses it",
        "dump without --fake-first",
        all_of=("bin-out-dump", "fake-first"),
    ),
    refuse(
        "--bin-out-dump with --copy-to-host crashes the program (139)",
        "leave --copy-to-host out: the dump copies the outputs itself",
        all_of=("bin-out-dump", "copy-to-host"),
        runtimes=NATIVE,
    ),
    refuse(
        "a packed model needs something to be packed into: --packed-model-dump is missing",
        "add --packed-model-dump FILE",
        any_of=("pack-info-json", "pack-cache", "pack-info-cryption", "pack-model-cryption"),
        none_of=("packed-model-dump",),
    ),
    refuse(
        "the two ciphers of a packed model are swapped by MegEngine 1.13",
        "set --pack-info-cryption and --pack-model-cryption to the same cipher",
        all_of=("packed-model-dump",),
        any_of=("pack-info-cryption", "pack-model-cryption"),
        holds=lambda options: options.get("pack-info-cryption") != options.get("pack-model-cryption"),
        runtimes=NATIVE,
    ),
    refuse(
        "parameters for operators need the library that has them",
        "add --c-opr-lib FILE",
        any_of=("c-opr-lib-with-param", "c-opr-init-interface"),
        none_of=("c-opr-lib",),
    ),
    refuse(
        "MIOpen belongs to ROCm",
        "add --rocm",
        all_of=("rocm-enable-miopen-search",),
        none_of=("rocm",),
    ),
    refuse(
        "--tensorrt works on an NVIDIA GPU only; on a CPU it is ignored without a word",
        "use --cuda, or leave --tensorrt out",
        all_of=("tensorrt",),
        any_of=CPUS,
    ),
    refuse(
        "--layout-transform cuda measures on a GPU, and the run is on the CPU",
        "use --layout-transform cpu",
        all_of=("layout-transform",),
        any_of=CPUS,
        holds=_transforms_for_cuda,
    ),
    refuse(
        f"{WHEEL_ON_CPU}: the model would be transformed for the GPU and run on the CPU",
        "add --cuda, or use --layout-transform cpu",
        all_of=("layout-transform",),
        none_of=DEVICES,
        holds=_transforms_for_cuda,
        runtimes=WHEEL,
    ),
    refuse(
        f"{WHEEL_ON_CPU}, where --tensorrt is ignored without a word",
        "add --cuda",
        all_of=("tensorrt",),
        none_of=DEVICES,
        runtimes=WHEEL,
    ),
    refuse(
        f"{WHEEL_ON_CPU}, and the wheel's library has no JIT compiler for it (`No compiler support for cpu`)",
        "add --cuda, or leave --enable-jit out",
        all_of=("enable-jit",),
        none_of=("cuda",),
        runtimes=WHEEL,
    ),
    warn(
        "--tensorrt-cache does nothing without --tensorrt, unless the model holds TensorRT operators",
        "add --tensorrt",
        all_of=("tensorrt-cache",),
        none_of=("tensorrt",),
    ),
    warn(
        "--reproducible is ignored by the native program with Lite models",
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
        "--batch-size repeats the model's own data: what --input says is ignored",
        "leave one out",
        all_of=("batch-size", "input"),
        runtimes=NATIVE,
    ),
    warn(
        "float16 max pooling is wrong on x86, and --enable-nhwcd4 gives quantised outputs in another shape",
        "check the outputs on the device that you mean",
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
        "leave --enable-jit out if it does",
        all_of=("enable-jit",),
        runtimes=NATIVE,
    ),
    warn(
        "the lines of runs in several threads are mixed in one log: their times are counted together",
        "--thread checks thread safety, and acts in timed rounds only; for speed use --multithread",
        all_of=("thread",),
    ),
    warn(
        "--check-var-value looks at one variable every few runs and sees little in so few",
        "--iter 100 or more",
        all_of=("check-var-value",),
        holds=_one_step_of_check_var_value,
    ),
    note(
        "--profile-host runs the same code as --profile: one of them is enough",
        "leave one out",
        all_of=PROFILES,
    ),
    note(
        "--no-sanity-check is usual with a recorded sequence; --const-shape tells it that shapes are fixed",
        "add --const-shape where the shapes are fixed",
        all_of=("record-comp-seq",),
        none_of=("const-shape",),
    ),
    note(
        "--wait-gdb does not wait in a round: its standard input is empty",
        "attach to the process on the device, or run the printed command by hand",
        all_of=("wait-gdb",),
    ),
    note(
        "--fitting searches with iterations of its own; --iter, --warmup-iter and --thread do not reach it",
        "bench the options that it finds",
        all_of=("fitting",),
    ),
)


def _only_pool(options: OptionSet) -> bool:
    return not any(name in options for name in ("cuda", "cpu-default")) and not all(
        pool in options for pool in POOLS
    )
