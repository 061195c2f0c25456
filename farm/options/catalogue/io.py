"""Dumps and outputs."""

from __future__ import annotations

from farm.model.matrix import RoundKind
from farm.options.catalogue.fusion import INTERNAL
from farm.options.row import Group, Kind, Option, condition

ROWS = (
    Option(
        name="io-dump",
        flag="io_dump",
        group=Group.IO,
        kind=Kind.FILE_OUT,
        metavar="FILE",
        writes="io-dump",
        round_kind=RoundKind.DUMP,
        observe_iter=1,
        observe_warmup=0,
        help="Write inputs and outputs of every operator as text.",
        traps=(
            "A missing folder crashes the program (139): farm creates it.",
            "All runs are appended to one file: farm dumps one run.",
            "The text has five values and the statistics of each tensor, not the whole tensor.",
        ),
    ),
    Option(
        name="io-dump-stdout",
        flag="io_dump_stdout",
        group=Group.IO,
        kind=Kind.FLAG,
        round_kind=RoundKind.DUMP,
        observe_iter=1,
        observe_warmup=0,
        not_lite="lite model don't support the stdout or stderr io dump",
        help="The same text on standard output.",
    ),
    Option(
        name="io-dump-stderr",
        flag="io_dump_stderr",
        group=Group.IO,
        kind=Kind.FLAG,
        round_kind=RoundKind.DUMP,
        observe_iter=1,
        observe_warmup=0,
        not_lite="lite model don't support the stdout or stderr io dump",
        help="The same text on standard error, between the log lines.",
    ),
    Option(
        name="bin-io-dump",
        flag="bin_io_dump",
        group=Group.IO,
        kind=Kind.DIRECTORY_OUT,
        metavar="DIR",
        writes="bin-io-dump",
        round_kind=RoundKind.DUMP,
        observe_iter=1,
        observe_warmup=0,
        help="Write every variable of the graph as a binary tensor, one file each.",
        traps=(
            "The folder must exist: farm creates it.",
            "Files are named by variable id; the ids of MDL and Lite differ, because MDL rebuilds the graph.",
        ),
    ),
    Option(
        name="bin-out-dump",
        flag="bin_out_dump",
        group=Group.IO,
        kind=Kind.DIRECTORY_OUT,
        metavar="DIR",
        writes="bin-out-dump",
        round_kind=RoundKind.DUMP,
        observe_iter=1,
        observe_warmup=0,
        not_lite="lite model don't support the binary output dump",
        help="Write the model's outputs as binary tensors, one file for each run and output.",
        traps=(
            "The folder must exist: farm creates it.",
            "Warm-ups count as runs: `run0` is the first warm-up.",
            "The native program crashes (139) with `--copy-to-host`, `--fake-first` and `--io-dump`.",
        ),
        wheel=INTERNAL,
    ),
    Option(
        name="copy-to-host",
        flag="copy_to_host",
        group=Group.IO,
        kind=Kind.FLAG,
        help="Copy the outputs to the host inside the timed interval, as an application would.",
        native=condition("with `--lite` the outputs are always copied"),
        wheel=condition("with `--lite`, and with a packed model, the outputs are always copied"),
    ),
)
