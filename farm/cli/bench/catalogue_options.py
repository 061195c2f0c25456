"""load_and_run's options as options of a farm command, made from the catalogue."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from farm.cli.terminal.console import say
from farm.errors import RequestError
from farm.model.options import OptionSet
from farm.options import CATALOGUE, from_mapping, misspelling_note
from farm.options.row import Kind, Option

_TYPES: dict[Kind, type] = {Kind.INT: int, Kind.UINT: int, Kind.FLOAT: float}
_OWN = {"input"}
"""Options that farm defines itself, under the same name."""

ROWS = {f"lar_{row.name.replace('-', '_')}": row for row in CATALOGUE if row.name not in _OWN}
"""By the name of the parameter in a command."""


def normalise(token: str) -> str:
    """Any accepted spelling of an option's name -> the documented one (`enbale_jit` -> `enable-jit`)."""
    return _SPELLINGS.get(token.replace("_", "-"), token.replace("_", "-"))


def misspelling_notes(words: Sequence[str]) -> tuple[str, ...]:
    """A note for each documented misspelling in a command line: it is accepted."""
    typed = (word.partition("=")[0] for word in words if word.startswith("-"))
    return tuple(note for word in typed if (note := misspelling_note(word)))


def takes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of load_and_run to `command`; it receives them as one OptionSet in `options`."""
    own = parameters_of(command, without="options")

    @functools.wraps(command)
    def wrapper(**values: Any) -> Any:
        for note in misspelling_notes(sys.argv):
            say(f"note: {note}", "dim")
        return command(options=given_options(values), **{one.name: values[one.name] for one in own})

    shown = [*own, *parameters()]
    wrapper.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    del wrapper.__wrapped__
    return wrapper


def parameters_of(function: Callable[..., Any], *, without: str) -> list[inspect.Parameter]:
    """Its own parameters but one."""
    signature = inspect.signature(function, eval_str=True)
    return [one for one in signature.parameters.values() if one.name != without]


def parameters() -> tuple[inspect.Parameter, ...]:
    """The options of the catalogue as parameters of a command."""
    return tuple(
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if row.is_flag else None,
            annotation=_annotation(row),
        )
        for name, row in ROWS.items()
    )


def given_options(values: Mapping[str, Any]) -> OptionSet:
    """The option set of what was given for `parameters`. Raises RequestError for an invalid value."""
    given = {row.name: values[name] for name, row in ROWS.items()}
    for name, value in given.items():
        if isinstance(value, str) and value.startswith("--"):  # click takes any next word as the value
            raise RequestError(f"--{name} needs a value before {value}", hint=f"farm options show {name}")
    # By identity: 0 equals False.
    return from_mapping(
        {name: value for name, value in given.items() if value is not None and value is not False}
    )


def _annotation(row: Option) -> Any:
    panel = f"load_and_run: {row.group}"
    if row.is_flag:
        return Annotated[bool, typer.Option(f"--{row.name}", help=row.help, rich_help_panel=panel)]
    kind = _TYPES.get(row.kind, str)
    metavar = row.metavar or {int: "N", float: "X"}.get(kind, "TEXT")
    return Annotated[
        kind | None, typer.Option(f"--{row.name}", help=row.help, metavar=metavar, rich_help_panel=panel)
    ]


_SPELLINGS = {spelling.replace("_", "-"): row.name for row in CATALOGUE for spelling in row.spellings}
