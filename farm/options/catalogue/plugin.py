"""Profiles and checks of a run."""

from __future__ import annotations

from farm.model.matrix import RoundKind
from farm.options.catalogue.fusion import INTERNAL, internal
from farm.options.row import Group, Kind, Needs, Option, condition

JSON_BUILD = Needs(build="MGB_ENABLE_JSON")
PROFILED_AFTER = condition(
    "attached after the timed runs, for two more runs: it does not slow down the timed ones"
)

ROWS = (
    Option(
        name="check-dispatch",
        flag="check_dispatch",
        group=Group.PLUGIN,
        kind=Kind.FLAG,
        round_kind=RoundKind.INFO,
        not_lite="lite model don't support CPUDispatchChecker plugin",
        help="Warn about operators that dispatch no kernel on the CPU.",
        wheel=internal("on a CPU only"),
        traps=("Prints to standard error, not to standard output.",),
    ),
    Option(
        name="range",
        flag="range",
        group=Group.PLUGIN,
        kind=Kind.FLOAT,
        default=0.0,
        metavar="LIMIT",
        minimum=0,
        limit_reason="it is compared with an absolute value",
        round_kind=RoundKind.INFO,
        observe_iter=1,
        not_lite="lite model don't support NumRangeChecker plugin",
        help="Fail if any number in the graph is larger than this in absolute value.",
        wheel=INTERNAL,
        traps=("Weights and inputs are checked too.", "NaN passes."),
    ),
    Option(
        name="check-var-value",
        flag="check_var_value",
        group=Group.PLUGIN,
        kind=Kind.TEXT,
        metavar="INTERVAL[:FIRST]",
        pattern=r"\d+(:\d+)?",
        round_kind=RoundKind.INFO,
        not_lite="lite model don't support VarValueChecker plugin",
        help="Check that variables keep their values, one variable every INTERVAL runs.",
        wheel=internal("an int8 model aborts"),
        traps=(
            "Needs many iterations to see all variables.",
            "Text that is not a number aborts with `stoul`.",
        ),
    ),
    Option(
        name="profile",
        flag="profile",
        group=Group.PLUGIN,
        kind=Kind.FILE_OUT,
        metavar="FILE",
        needs=JSON_BUILD,
        writes="profile",
        round_kind=RoundKind.PROFILE,
        help="Write times, memory and shapes of every operator as JSON.",
        wheel=PROFILED_AFTER,
        traps=(
            "Only the last run is kept; native iterations take several times as long.",
            "A missing folder is noticed only after all iterations: farm creates it.",
        ),
    ),
    Option(
        name="profile-host",
        flag="profile_host",
        group=Group.PLUGIN,
        kind=Kind.FILE_OUT,
        metavar="FILE",
        needs=JSON_BUILD,
        writes="profile",
        round_kind=RoundKind.PROFILE,
        help="The same file, for devices whose profiling is slow.",
        wheel=PROFILED_AFTER,
        traps=("Runs the same code as `--profile`; when both are given, only this file is written.",),
    ),
)
