"""Operators from user libraries."""

from __future__ import annotations

from farm.options.row import Group, Kind, Option, condition

ROWS = (
    Option(
        name="c-opr-lib",
        flag="c_opr_lib",
        group=Group.C_OPERATORS,
        kind=Kind.FILE_IN,
        metavar="FILE",
        reads="c-opr-lib",
        help="Shared library with operators; it is pushed to the device.",
        traps=("Its own dependencies must be on the device.",),
    ),
    Option(
        name="c-opr-lib-with-param",
        flag="c_opr_lib_with_param",
        group=Group.C_OPERATORS,
        kind=Kind.FLAG,
        not_lite="running c operators with parameters is not supported in lite models",
        help="Pass the parameters of the run to the operators (only for models dumped with test data).",
        wheel=condition("checks for the library's functions; a model with test data is skipped"),
        traps=("The library must have copr_param_device_ptr_malloc, _free and _h2d.",),
    ),
    Option(
        name="c-opr-init-interface",
        flag="c_opr_init_interface",
        group=Group.C_OPERATORS,
        kind=Kind.TEXT,
        default="mgb_c_opr_init",
        metavar="NAME",
        pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        documented=False,
        not_lite="another entry point is not supported in lite models",
        wheel_with_lite=True,
        help="Name of the library's entry point.",
    ),
)
