"""Choosing algorithms by measuring them."""

from __future__ import annotations

from farm.options.catalogue.basic import INT32_MAX
from farm.options.row import Group, Kind, Needs, Option, condition

FASTRUN = Needs(build="MGB_ENABLE_FASTRUN")

ROWS = (
    Option(
        name="full-run",
        flag="full_run",
        group=Group.FAST_RUN,
        kind=Kind.FLAG,
        needs=FASTRUN,
        help="Measure all algorithms of each operator, the naive ones too, and use the fastest.",
        traps=("Every process with the flag searches again: farm searches once and passes the result on.",),
    ),
    Option(
        name="fast-run",
        flag="fast_run",
        group=Group.FAST_RUN,
        kind=Kind.FLAG,
        needs=FASTRUN,
        help="Measure the optimised algorithms of each operator and use the fastest.",
        traps=(
            "Every process with the flag searches again: farm searches once and passes the result on.",
            "On CUDA it measures convolutions only in fused (ConvBias) graphs.",
            "A search on a hot or busy device can make wrong choices that stay.",
        ),
    ),
    Option(
        name="fast-run-algo-policy",
        flag="fast_run_algo_policy",
        group=Group.FAST_RUN,
        kind=Kind.FILE_INOUT,
        metavar="FILE",
        reads="fast-run-cache",
        writes="fast-run-cache",
        help="Cache of algorithm choices: read if it exists, written at the end of the round.",
        traps=(
            "The file is rewritten at the end of every run that names it.",
            "Its key on any CPU is `plat=cpu`: a cache of another machine or thread count is used silently.",
            "A corrupt file crashes the program (139).",
            "A missing folder is noticed only after all iterations (134).",
        ),
    ),
    Option(
        name="reproducible",
        flag="reproducible",
        group=Group.FAST_RUN,
        kind=Kind.FLAG,
        help="Choose only among algorithms with reproducible results.",
        traps=(
            "The native program ignores it with `--lite`, unless `--binary-equal-between-batch` is set too.",
        ),
    ),
    Option(
        name="fast-run-shared-batch-size",
        flag="fast_run_shared_batch_size",
        group=Group.FAST_RUN,
        kind=Kind.INT,
        default=0,
        metavar="N",
        minimum=1,
        maximum=INT32_MAX,
        limit_reason="a batch has at least one sample",
        help="Search with this batch size instead of the model's.",
    ),
    Option(
        name="binary-equal-between-batch",
        flag="binary_equal_between_batch",
        group=Group.FAST_RUN,
        kind=Kind.FLAG,
        help="Choose only among algorithms that give equal outputs for equal samples of a batch.",
        native=condition("turns `--reproducible` on as well"),
        wheel=condition("turns `--reproducible` on as well"),
    ),
)
