"""Inspecting a model and a process."""

from __future__ import annotations

from farm.model.matrix import RoundKind
from farm.options.catalogue.fusion import INTERNAL
from farm.options.catalogue.plugin import JSON_BUILD
from farm.options.row import Group, Kind, Needs, Option, condition

NO_DEBUGGER = (
    "the prompt with the process id is printed, but the standard input of a round is empty, so the program "
    "continues at once"
)

ROWS = (
    Option(
        name="model-info",
        flag="model_info",
        group=Group.DEBUG,
        kind=Kind.FLAG,
        misspellings=("mode-info",),
        round_kind=RoundKind.INFO,
        observe_iter=1,
        observe_warmup=0,
        help="Show names, shapes and types of the model's inputs and outputs.",
    ),
    Option(
        name="verbose",
        flag="verbose",
        group=Group.DEBUG,
        kind=Kind.FLAG,
        round_kind=RoundKind.INFO,
        observe_iter=1,
        help="Log everything, debug messages too.",
    ),
    Option(
        name="disable-assert-throw",
        flag="disable_assert_throw",
        group=Group.DEBUG,
        kind=Kind.FLAG,
        not_lite="lite model don't support disable assert throw",
        help="Continue when an assertion inside the model fails.",
        traps=("Only relevant for models with assertion operators, such as dumped test cases.",),
    ),
    Option(
        name="get-static-mem-info",
        flag="get_static_mem_info",
        group=Group.DEBUG,
        kind=Kind.DIRECTORY_OUT,
        metavar="DIR",
        needs=JSON_BUILD,
        writes="static-mem-info",
        round_kind=RoundKind.INFO,
        observe_iter=1,
        observe_warmup=0,
        not_lite="lite model don't support get static memory information",
        help="Write the plan of the static memory as JSON.",
        wheel=INTERNAL,
        traps=(
            "The program accepts only letters and digits, in its current folder: farm makes a valid name.",
        ),
    ),
    Option(
        name="wait-gdb",
        flag="wait_gdb",
        group=Group.DEBUG,
        kind=Kind.FLAG,
        needs=Needs(build="Linux or another Unix"),
        round_kind=RoundKind.INFO,
        help="Print the process id and wait for a debugger.",
        native=condition(NO_DEBUGGER),
        wheel=condition(NO_DEBUGGER),
        traps=("Waits for ever when standard input is open; in a round it never is.",),
    ),
)
