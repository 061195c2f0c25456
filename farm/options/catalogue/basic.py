"""Iterations, concurrent runs, input data."""

from __future__ import annotations

from farm.options.row import Group, Kind, Option, condition

INT32_MAX = 2**31 - 1

ROWS = (
    Option(
        name="iter",
        flag="iter",
        group=Group.BASIC,
        kind=Kind.INT,
        default=10,
        metavar="N",
        unit="iterations",
        minimum=1,
        maximum=INT32_MAX,
        limit_reason="a negative number makes load_and_run loop for ever, 0 gives no times",
        help="Timed iterations in one round.",
        traps=(
            "`--iter -1` never ends.",
            "`--iter 0` prints no summary, `--iter 1` a standard deviation of `-nan`: farm computes its own.",
        ),
    ),
    Option(
        name="warmup-iter",
        flag="warmup_iter",
        group=Group.BASIC,
        kind=Kind.INT,
        default=1,
        metavar="N",
        unit="iterations",
        minimum=0,
        maximum=INT32_MAX,
        limit_reason="a negative number makes load_and_run loop for ever",
        help="Iterations before the timed ones; fast-run search, JIT and recording happen in the first.",
        traps=(
            "`--warmup-iter -1` never ends.",
            "Warm-ups are normal runs: dumps are written in them too.",
            "Without a warm-up the first timed iteration includes the whole set-up.",
        ),
    ),
    Option(
        name="thread",
        flag="thread",
        group=Group.BASIC,
        kind=Kind.INT,
        default=1,
        metavar="N",
        unit="threads",
        minimum=1,
        maximum=1024,
        limit_reason="-1 starts threads for ever, 0 is refused by the program",
        help="Run the model N times concurrently (a check of thread safety, not faster).",
        traps=(
            "The log lines of the N runs are mixed, without tags: farm counts the runs and marks the round.",
            "Profiles, dumps and searches use one run: several would write the same file.",
        ),
    ),
    Option(
        name="input",
        flag="input",
        group=Group.BASIC,
        kind=Kind.TEXT,
        metavar="NAME:DATA;...",
        help="Data of the input tensors: text, or a JSON, .npy, .ppm or .pgm file; zeros without it.",
        reads="input",
        traps=(
            "Text without a dot is int32: for a float input MDL aborts, and Lite takes the bits as float.",
            "A Fortran-ordered .npy is read as C order, int64 and float64 abort: farm converts them.",
            "The usual three-line header of a PPM shifts the image by four bytes: farm rewrites it.",
            "A missing .npy aborts without naming the file.",
        ),
    ),
    Option(
        name="lite",
        flag="lite",
        group=Group.BASIC,
        kind=Kind.FLAG,
        misspellings=("Lite",),
        documented=False,
        help="Run the model through MegEngine Lite's interface.",
        wheel=condition(
            "the wheel runtime always runs through MegEngine Lite's library; with the flag it copies the "
            "outputs in each run, and refuses the same options as the native program"
        ),
        traps=(
            "The documentation writes `--Lite`; flags are case-sensitive.",
            "`--lite false` turns Lite on: `false` is taken as another file and ignored.",
        ),
    ),
    Option(
        name="mdl",
        flag="mdl",
        group=Group.BASIC,
        kind=Kind.FLAG,
        documented=False,
        not_lite="a packed Lite model cannot be opened by the MDL interface",
        help="Run the model through MegEngine's graph interface, whatever the format of the file.",
        wheel_with_lite=True,
        wheel=condition("accepted, but the wheel's library has only Lite's interface and uses that"),
    ),
    Option(
        name="share-param-mem",
        flag="share_param_mem",
        group=Group.BASIC,
        kind=Kind.FLAG,
        documented=False,
        help="Load the model from memory and share its parameters.",
        wheel=condition("the wheel runtime always loads from memory; the flag has no effect"),
        traps=("Has no effect with `--lite`.",),
    ),
    Option(
        name="batch-size",
        flag="batch_size",
        group=Group.IO,
        kind=Kind.INT,
        default=-1,
        metavar="N",
        minimum=1,
        maximum=INT32_MAX,
        limit_reason="a batch has at least one sample",
        documented=False,
        help="Set the first dimension of every input, repeating the model's own data.",
        native=condition("data given with `--input` is silently ignored"),
        traps=("The wheel runtime repeats the rows of `--input`.",),
    ),
)
