"""Questions to a person, on stderr."""

from __future__ import annotations

import sys

import typer

from farm.errors import RequestError


def agreed(question: str) -> bool:
    """The answer of a person. Ctrl-C is an interruption, and so is the end of what a person types. Raises
    RequestError where nobody can answer.
    """
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as error:  # which would end with exit code 1: a regression
        if isinstance(error.__context__, EOFError) and not (sys.stdin and sys.stdin.isatty()):
            typer.echo(err=True)  # what stands there is the question
            raise RequestError(f"nobody answered: {question}", hint="--yes agrees beforehand") from error
        raise KeyboardInterrupt from error


def secret(prompt: str) -> str:
    """What a person types and nobody sees; from a pipe, its first line. Interrupted as `agreed`."""
    if sys.stdin is not None and not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    try:
        return str(typer.prompt(prompt, hide_input=True, err=True))
    except typer.Abort as error:
        raise KeyboardInterrupt from error
