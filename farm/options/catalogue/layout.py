"""Memory layouts of tensors."""

from __future__ import annotations

from farm.model.matrix import RoundKind
from farm.options.catalogue.device import OLD_CUDA
from farm.options.catalogue.fusion import BY_SYMBOLS, internal
from farm.options.row import EVERYWHERE, WORKS, Group, Kind, Needs, Option, Support, condition

UNFUSED = "Aborts on a model with unfused batch normalisation: use `--optimize-for-inference` first."
NO_CODE = (
    "On some processors (seen on AMD EPYC with AVX-512) MKL-DNN prints `Xbyak::Error` for a float model; the "
    "native program then hangs, the wheel runtime ends: farm ends the round and names the cause."
)
CACHES_KNOWN = "a processor whose caches MKL-DNN can read (not AMD)"
QUANTISED_TAIL = "With the wheel's library an int8 model followed by a float part aborts."


def layout(
    name: str,
    text: str,
    *,
    meant_for: tuple[str, ...],
    cpu_features: tuple[str, ...] = (),
    not_lite: str | None = None,
    support: Support = WORKS,
    wheel: Support | None = None,
    traps: tuple[str, ...] = (),
) -> Option:
    return Option(
        name=f"enable-{name}",
        flag="enable_" + name.replace("-", "_"),
        group=Group.LAYOUT,
        kind=Kind.FLAG,
        help=text,
        needs=Needs(meant_for=meant_for, cpu_features=cpu_features),
        not_lite=not_lite,
        native=support,
        wheel=wheel or support,
        traps=traps,
    )


LAYOUTS = (
    layout(
        "nchw4",
        "Layout {N, C/4, H, W, 4}: faster int8 on GPUs.",
        meant_for=("nvidia",),
        traps=(QUANTISED_TAIL,),
    ),
    layout(
        "chwn4",
        "Layout {C/4, H, W, N, 4}: faster int8 on NVIDIA tensor cores.",
        meant_for=("nvidia",),
        not_lite="lite model unsupport chwn4 layout",
        wheel=internal("an int8 model aborts on a CPU"),
        traps=("An int8 model aborts on a CPU (`invalid conv format`).",),
    ),
    layout(
        "nchw44",
        "Layout {N/4, C/4, H, W, 4, 4}: faster float32 on ARM CPUs.",
        meant_for=("arm",),
        traps=(UNFUSED,),
    ),
    layout(
        "nchw88",
        "Layout {N/8, C/8, H, W, 8, 8}: faster float32 on x86 CPUs with AVX (256 bits).",
        meant_for=("x86",),
        wheel=condition(f"a float model needs {CACHES_KNOWN}"),
        traps=(
            UNFUSED,
            NO_CODE,
            "A build without MKL-DNN falls back to naive kernels and is many times slower.",
        ),
    ),
    layout(
        "nchw32",
        "Layout {N, C/32, H, W, 32}: faster int8 on NVIDIA tensor cores.",
        meant_for=("nvidia",),
        traps=(QUANTISED_TAIL,),
    ),
    layout(
        "nchw64",
        "Layout {N, C/64, H, W, 64}: int4 on NVIDIA tensor cores.",
        meant_for=("nvidia",),
        traps=(QUANTISED_TAIL,),
    ),
    layout(
        "nhwcd4",
        "Layout {N, H, W, (C+3)/4, 4}: float16 on mobile GPUs.",
        meant_for=("mobile-gpu",),
        wheel=condition("a quantised output keeps its inner shape (N, H, C/4, W, 4)"),
        traps=(
            "With float16 max pooling outputs are wrong on x86 (its kernel writes nothing).",
            "Aborts on residual nets in some builds (`invalid conv format`).",
            UNFUSED,
        ),
    ),
    layout(
        "nchw44-dot",
        "Layout {N/4, C/4, H, W, 4, 4} with dot products: faster int8 on ARMv8.2 CPUs.",
        meant_for=("arm",),
        cpu_features=("asimddp",),
        support=condition("only on a CPU with dot products (`asimddp`, ARMv8.2); skipped elsewhere"),
        wheel=condition("correct, but no x86 CPU has dot products: skipped"),
        traps=(UNFUSED,),
    ),
)

ROWS = (
    *LAYOUTS,
    Option(
        name="layout-transform",
        flag="layout_transform",
        group=Group.GLOBAL_LAYOUT,
        kind=Kind.CHOICE,
        choices=("cpu", "cuda"),
        metavar="TARGET",
        needs=Needs(nvidia_gpu=EVERYWHERE, gpu_value="cuda"),
        help="Measure layouts and rebuild the whole graph with the fastest combination.",
        native=condition("`cuda` only in builds with CUDA"),
        wheel=condition(f"a float model needs {CACHES_KNOWN}; `cuda` {OLD_CUDA}"),
        traps=(
            "Every process with the flag searches again: farm transforms once and runs the new model.",
            "`cuda` on a device without a GPU silently does nothing, or aborts.",
            NO_CODE,
        ),
    ),
    Option(
        name="layout-transform-dump",
        flag="layout_transform_dump",
        group=Group.GLOBAL_LAYOUT,
        kind=Kind.FILE_OUT,
        metavar="FILE",
        writes="layout-transform-model",
        round_kind=RoundKind.SETUP,
        observe_iter=1,
        observe_warmup=0,
        help="Write the model as `--layout-transform` rebuilt it.",
        wheel=condition(f"the names of the inputs are restored {BY_SYMBOLS}"),
        traps=(
            "Without `--layout-transform` silently writes no file.",
            "Lite loses the names of the inputs: `data` becomes `h2d[6]`.",
        ),
    ),
)
