"""load_and_run's options as options of a farm command, made from the catalogue."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from farm.errors import RequestError
from farm.model.options import OptionSet
from farm.options import CATALOGUE, from_mapping, merge, recipe
from farm.options.row import Kind, Option

_TYPES: dict[Kind, type] = {Kind.INT: int, Kind.UINT: int, Kind.FLOAT: float}
_OWN = {"input"}
"""Options that farm takes itself, under the same name."""


def normalise(token: str) -> str:
    """Any accepted spelling of an option's name -> the documented one (`enbale_jit` -> `enable-jit`)."""
    return _SPELLINGS.get(token.replace("_", "-"), token.replace("_", "-"))


def misspelling_notes(argv: Sequence[str]) -> tuple[str, ...]:
    """A note for each documented misspelling in a command line: accepted, but better known."""
    notes = []
    for word in argv:
        name = word.lstrip("-").partition("=")[0].replace("_", "-")
        if word.startswith("-") and name in _MISSPELT:
            notes.append(
                f"--{name} is a misspelling in MegEngine's documentation; took it as --{_MISSPELT[name]}"
            )
    return tuple(notes)


def with_recipe(name: str | None, options: OptionSet) -> OptionSet:
    """The options given on top of a recipe's. Raises RequestError for an unknown recipe."""
    return merge(recipe(name), options) if name else options


def with_load_and_run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` every option of the catalogue; it receives them as one OptionSet in `options`."""
    rows = [row for row in CATALOGUE if row.name not in _OWN]
    names = {f"lar_{row.name.replace('-', '_')}": row for row in rows}

    @functools.wraps(command)
    def wrapper(**values: Any) -> Any:
        given = {row.name: values.pop(name) for name, row in names.items()}
        for name, value in given.items():
            if isinstance(value, str) and value.startswith("--"):  # click takes any next word for the value
                raise RequestError(f"--{name} needs a value before {value}", hint=f"farm options show {name}")
        return command(
            options=from_mapping({k: v for k, v in given.items() if v not in (None, False)}), **values
        )

    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "options"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(row))
        for name, row in names.items()
    ]
    parameters = [*own, *added]
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del wrapper.__wrapped__
    return wrapper


def _annotation(row: Option) -> Any:
    panel = f"load_and_run: {row.group}"
    if row.is_flag:
        return Annotated[bool | None, typer.Option(f"--{row.name}", help=row.help, rich_help_panel=panel)]
    kind = _TYPES.get(row.kind, str)
    metavar = row.metavar or {int: "N", float: "X"}.get(kind, "TEXT")
    return Annotated[
        kind | None, typer.Option(f"--{row.name}", help=row.help, metavar=metavar, rich_help_panel=panel)
    ]


_SPELLINGS = {spelling.replace("_", "-"): row.name for row in CATALOGUE for spelling in row.spellings}
_MISSPELT = {spelling.replace("_", "-"): row.name for row in CATALOGUE for spelling in row.misspellings}
