"""The device and threads that compute a model."""

from __future__ import annotations

from farm.options.catalogue.basic import INT32_MAX
from farm.options.row import EVERYWHERE, Group, Kind, Needs, Option, cannot, condition

OLD_CUDA = (
    "needs an NVIDIA GPU up to Turing (compute capability 5.2, 6.0, 6.1, 7.0 or 7.5): "
    "the wheel is built with CUDA 10.1"
)
NO_ROCM = "not in load_and_run of MegEngine 1.13, and no published library is built with ROCm"
CORES_WITH_LITE = (
    "the native program aborts with core ids and `--lite` (it binds threads before the model is loaded)"
)

ROWS = (
    Option(
        name="cuda",
        flag="cuda",
        group=Group.DEVICE,
        kind=Kind.FLAG,
        needs=Needs(build="LITE_WITH_CUDA", nvidia_gpu=EVERYWHERE),
        help="Run on the first NVIDIA GPU.",
        native=condition("needs a build with CUDA and an NVIDIA GPU"),
        wheel=condition(f"{OLD_CUDA}; a device without a GPU gets the library without CUDA code"),
    ),
    Option(
        name="cpu",
        flag="cpu",
        group=Group.DEVICE,
        kind=Kind.FLAG,
        help="Run on the CPU, with a worker thread in addition to the caller.",
        traps=(
            "Without a device flag a native build with CUDA uses a GPU if there is one.",
            "Without a device flag the wheel runtime uses the CPU.",
        ),
    ),
    Option(
        name="cpu-default",
        flag="cpu_default",
        group=Group.DEVICE,
        kind=Kind.FLAG,
        help="Run on the CPU in the calling thread: less synchronisation on small devices.",
    ),
    Option(
        name="multithread",
        flag="multithread",
        group=Group.DEVICE,
        kind=Kind.INT,
        default=-1,
        metavar="N",
        unit="threads",
        minimum=1,
        maximum=INT32_MAX,
        limit_reason="a thread pool has at least one thread",
        help="Run on the CPU with a pool of N threads.",
        traps=(
            "The documentation shows it without a number; the program then ends with an error.",
            "With N = 1 the native MDL interface uses a pool of one thread, Lite uses none.",
        ),
    ),
    Option(
        name="multithread-default",
        flag="multithread_default",
        group=Group.DEVICE,
        kind=Kind.INT,
        default=-1,
        metavar="N",
        unit="threads",
        minimum=1,
        maximum=INT32_MAX,
        limit_reason="a thread pool has at least one thread",
        help="The same, with the calling thread as one of the N.",
    ),
    Option(
        name="multi-thread-core-ids",
        flag="multi_thread_core_ids",
        group=Group.DEVICE,
        kind=Kind.CORES,
        metavar="IDS",
        not_lite=CORES_WITH_LITE,
        wheel_with_lite=True,
        help="Bind the pool's threads to these cores: `0,1`, `4-7`, or a name: one of the device's `cores:`, "
        "or `big`, `mid`, `little`, `all`.",
        native=condition("as many ids as threads"),
        wheel=condition("as many ids as threads, each of them allowed to the process"),
        traps=(
            "Only the pool's threads are bound; the calling thread is not.",
            "The log repeats the ids two or three times: farm does not read the placement from it.",
        ),
    ),
    Option(
        name="rocm",
        flag=None,
        group=Group.DEVICE,
        kind=Kind.FLAG,
        help="Run on an AMD GPU (not in MegEngine 1.13).",
        needs=Needs(build="MGE_WITH_ROCM"),
        native=cannot(NO_ROCM),
        wheel=cannot(NO_ROCM),
    ),
    Option(
        name="rocm-enable-miopen-search",
        flag=None,
        group=Group.DEVICE,
        kind=Kind.FLAG,
        help="Let MIOpen search for algorithms (not in MegEngine 1.13).",
        needs=Needs(build="MGE_WITH_ROCM"),
        native=cannot(NO_ROCM),
        wheel=cannot(NO_ROCM),
    ),
    Option(
        name="tensorrt",
        flag="tensorrt",
        group=Group.DEVICE,
        kind=Kind.FLAG,
        needs=Needs(build="MGB_ENABLE_TENSOR_RT", nvidia_gpu=EVERYWHERE),
        not_lite="the native program aborts with `--lite` (use_tensorrt should be used before model loaded)",
        wheel_with_lite=True,
        help="Run the operators that TensorRT supports with TensorRT.",
        native=condition("needs a build with TensorRT and an NVIDIA GPU"),
        wheel=condition("TensorRT 6.0.1: " + OLD_CUDA),
        traps=("Silently ignored on a CPU.",),
    ),
    Option(
        name="tensorrt-cache",
        flag="tensorrt_cache",
        group=Group.DEVICE,
        kind=Kind.FILE_INOUT,
        metavar="FILE",
        needs=Needs(build="MGB_ENABLE_TENSOR_RT", nvidia_gpu=EVERYWHERE),
        reads="tensorrt-cache",
        writes="tensorrt-cache",
        help="Cache of TensorRT engines: read if it exists, written at the end.",
        native=condition("needs a build with TensorRT and an NVIDIA GPU"),
        wheel=condition("TensorRT 6.0.1: " + OLD_CUDA),
        traps=(
            "Its key is device and operator name: models that share a file can get each other's engines.",
            "On a CPU the file is written with four zero bytes.",
        ),
    ),
)

WHEEL_COMPUTE_CAPABILITIES = ("5.2", "6.0", "6.1", "7.0", "7.5")
"""What the wheel of 1.13.0 was built for. The library compares a GPU with these for equality
(MegEngine src/core/impl/comp_node/cuda/comp_node.cpp, MGE_CUDA_GENCODE).
"""
