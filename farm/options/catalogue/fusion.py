"""Fusing operators, preparing weights, recording the sequence, memory."""

from __future__ import annotations

from farm.model.device import RuntimeKind
from farm.options.row import Group, Kind, Needs, Option, Support, condition

BY_SYMBOLS = "through internal symbols, after a check of size and build id of the libraries"


def internal(more: str = "") -> Support:
    """Support through internal symbols: MegEngine's public interface does not have the option."""
    return condition(f"{BY_SYMBOLS}; {more}" if more else BY_SYMBOLS)


INTERNAL = internal()

ROWS = (
    Option(
        name="enable-fuse-preprocess",
        flag="enable_fuse_preprocess",
        group=Group.FUSION,
        kind=Kind.FLAG,
        help="Fuse type conversion, padding and dimension shuffles at the inputs.",
    ),
    Option(
        name="weight-preprocess",
        flag="weight_preprocess",
        group=Group.FUSION,
        kind=Kind.FLAG,
        help="Prepare weights (winograd, im2col) before the first run; uses more memory.",
    ),
    Option(
        name="enable-fuse-conv-bias-nonlinearity",
        flag="enable_fuse_conv_bias_nonlinearity",
        group=Group.FUSION,
        kind=Kind.FLAG,
        not_lite="fuse conv+bias+nonlinearity not supported in lite model",
        help="Fuse convolution, bias and activation into one operator.",
        wheel=INTERNAL,
    ),
    Option(
        name="enable-fuse-conv-bias-with-z",
        flag="enable_fuse_conv_bias_with_z",
        group=Group.FUSION,
        kind=Kind.FLAG,
        not_lite="fuse conv+bias+z optimization not supported in lite model",
        needs=Needs(meant_for=("nvidia",)),
        help="Fuse convolution, bias and the addition of a second input into one operator.",
        wheel=internal("on a CPU the outputs of int8 models are wrong"),
    ),
    Option(
        name="const-shape",
        flag="const_shape",
        group=Group.FUSION,
        kind=Kind.FLAG,
        misspellings=("const",),
        help="Fix all shapes at load time.",
        traps=("`--const` in the documentation's example is not a flag.",),
    ),
    Option(
        name="fake-first",
        flag="fake_first",
        group=Group.FUSION,
        kind=Kind.FLAG,
        help="Make the first run prepare memory and queues only, without computing.",
        traps=("The outputs of the first run are garbage.",),
    ),
    Option(
        name="no-sanity-check",
        flag="no_sanity_check",
        group=Group.FUSION,
        kind=Kind.FLAG,
        help="Skip the check of all variables in the first run.",
    ),
    Option(
        name="disable-mem-opt",
        flag="disable_mem_opt",
        group=Group.FUSION,
        kind=Kind.FLAG,
        not_lite="lite model don't support disable memory optimization",
        help="Do not plan and reuse static memory.",
        wheel=INTERNAL,
    ),
    Option(
        name="workspace-limit",
        flag="workspace_limit",
        group=Group.FUSION,
        kind=Kind.UINT,
        default=2**64 - 1,
        metavar="BYTES",
        unit="bytes",
        minimum=0,
        maximum=2**64 - 1,
        help="Upper limit of an operator's workspace.",
        native=condition("has an effect only with `--lite`: the MDL interface sets it too early"),
        traps=("About 60 times slower in Lite when the limit is tight.",),
    ),
    Option(
        name="record-comp-seq",
        flag="record_comp_seq",
        group=Group.FUSION,
        kind=Kind.FLAG,
        help="Record the kernels in the first run and replay them afterwards (static shapes, one device).",
        traps=(
            "The native program hangs with `--profile`, and aborts at the end with `--io-dump`.",
            "The wheel runtime refuses `--profile`, and its `--io-dump` is empty.",
        ),
    ),
    Option(
        name="record-comp-seq2",
        flag="record_comp_seq2",
        group=Group.FUSION,
        kind=Kind.FLAG,
        help="The same, and free the graph afterwards to save memory.",
        native=condition("needs `--no-sanity-check`, and no `--fake-first`"),
        wheel=condition("needs `--no-sanity-check`, and no `--fake-first`"),
        traps=("Aborts or crashes with every plugin that inspects the graph.",),
    ),
    Option(
        name="enable-jit",
        flag="enable_jit",
        group=Group.FUSION,
        kind=Kind.FLAG,
        misspellings=("enbale-jit",),
        needs=Needs(build="a JIT backend", nvidia_gpu=frozenset({RuntimeKind.WHEEL})),
        help="Compile element-wise operators at run time (level 1).",
        native=condition("needs a build with a JIT backend for the device"),
        wheel=condition("only on an NVIDIA GPU: the library has no JIT compiler for CPUs"),
        traps=("Aborts with `No compiler support for cpu` where there is no backend.",),
    ),
    Option(
        name="enable-ioc16",
        flag="enable_ioc16",
        group=Group.FUSION,
        kind=Kind.FLAG,
        documented=False,
        help="Compute and store in float16.",
        wheel=internal("an int8 model aborts"),
        traps=(
            "With max pooling in the model the outputs are wrong on x86 (its float16 kernel writes nothing).",
        ),
    ),
    Option(
        name="optimize-for-inference",
        flag="optimize_for_inference",
        group=Group.FUSION,
        kind=Kind.FLAG,
        documented=False,
        not_lite="optimize for inference not supported in lite model",
        help="Fold batch normalisation and apply the base set of optimisations at load time.",
        wheel=INTERNAL,
    ),
    Option(
        name="fuse-grain",
        flag="fuse_grain",
        group=Group.FUSION,
        kind=Kind.FLAG,
        documented=False,
        not_lite="enable fuse-grain optimization not support in lite model",
        help="Fuse small operators into larger ones.",
        wheel=INTERNAL,
    ),
)
