"""The value of `--input`, parsed as load_and_run does it (helpers/data_parser.cpp).

Parts are separated by `;`; the text before the first `:` of a part is the tensor's name (`data` without
one); a part that ends in .json, .npy, .ppm or .pgm is a file, `{1,3,224,224}` is a shape without data,
anything else is numbers in brackets.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from farm.errors import RequestError

SUFFIXES = (".json", ".npy", ".ppm", ".pgm")
DEFAULT_TENSOR = "data"
TEXT_LIMIT = 1 << 20
DEPTH_LIMIT = 16
INFINITE_FLOAT32 = (2 - 2**-24) * 2.0**127
"""From here on a number is rounded to infinity in float32."""

_SHAPE = re.compile(r"\{\s*\d{1,9}(\s*,\s*\d{1,9}){0,6}\s*\}")
_NUMBERS = re.compile(r"[-+\s\[\],.0-9eE]+")
_NUMBER = re.compile(
    r"(?P<sign>[-+]?)(?:(?P<whole>\d+)(?P<dot>\.(?P<part>\d*))?|\.(?P<only>\d+))(?P<exponent>[eE][-+]?\d+)?"
)
EXAMPLE = "write --input 'NAME:[[1.0,2.0],[3.0,4.0]]' or --input 'NAME:file.npy;OTHER:other.npy'"


@dataclass(frozen=True)
class InputPart:
    """One part: a file (`path`) or numbers (`inline`). `tensor` is None where no name was given: the
    program uses `data`, or for JSON the names in the file.
    """

    tensor: str | None
    inline: str | None = None
    path: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def suffix(self) -> str | None:
        return "." + self.path.rpartition(".")[2].lower() if self.path else None


def parse_input(text: str) -> tuple[InputPart, ...]:
    """The parts of `--input`. Raises RequestError for what the program would abort on or misread."""
    if len(text) > TEXT_LIMIT:
        raise RequestError(
            f"--input is too long ({len(text)} characters)", hint="put the data into a .npy file"
        )
    parts = tuple(_part(piece.strip()) for piece in text.split(";") if piece.strip())
    names = [part.tensor or DEFAULT_TENSOR for part in parts if part.suffix != ".json"]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise RequestError(
            f"--input has data for {doubled!r} twice; load_and_run would silently use the first",
            hint=EXAMPLE if doubled == DEFAULT_TENSOR else "remove one",
        )
    return parts


def numbers(text: str) -> tuple[object, bool]:
    """(nested lists of numbers, whether the program reads them as float32) of an inline part.

    Raises RequestError for text that is not numbers, or whose rows differ in length.
    """
    if text.count("[") != text.count("]"):
        raise RequestError(f"--input: unbalanced brackets in {_short(text)}", hint=EXAMPLE)
    if not _NUMBERS.fullmatch(text) or _depth(text) > DEPTH_LIMIT:
        raise RequestError(
            f"--input: {_short(text)} is neither a file (.json, .npy, .ppm, .pgm) nor numbers", hint=EXAMPLE
        )
    out_of_range = _out_of_range(text)
    if out_of_range is not None:
        raise RequestError(
            f"--input: {_short(out_of_range)} is out of range for float32", hint="use smaller numbers"
        )
    try:
        nested = ast.literal_eval(f"[{_NUMBER.sub(_plain, text).strip()}]")
        _shape(nested)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise RequestError(f"--input: {_short(text)} cannot be read as an array", hint=EXAMPLE) from None
    return nested, "." in text


def _part(piece: str) -> InputPart:
    before, colon, after = piece.partition(":")
    tensor, data = (before.strip(), after.strip()) if colon else (None, piece)
    if colon and not tensor:
        raise RequestError(f"--input: {_short(piece)} has no name before the colon", hint=EXAMPLE)
    if not data:
        raise RequestError(f"--input: {tensor!r} has no data", hint=EXAMPLE)
    if data.lower().endswith(SUFFIXES):
        notes: tuple[str, ...] = ()
        if data.lower().endswith(".json") and tensor is not None:
            notes = (f"load_and_run uses the names in {data} and ignores {tensor!r}",)
        return InputPart(tensor, path=data, notes=notes)
    if data.startswith("{"):
        if not _SHAPE.fullmatch(data):
            raise RequestError(f"--input: {_short(data)} is not a shape", hint="write NAME:{1,3,224,224}")
        note = f"{tensor or DEFAULT_TENSOR} has a shape but no data: its contents are undefined"
        return InputPart(tensor, inline=data, notes=(note,))
    numbers(data)
    plain = "".join(_NUMBER.sub(_plain, data).split())
    notes = (f"{_short(data)} is read as float32",) if "." in plain and "." not in data else ()
    return InputPart(tensor, inline=plain, notes=notes)


def _plain(found: re.Match[str]) -> str:
    """A number as the program's own JSON reader takes it: no plus, no leading zeros, digits around the dot;
    with a dot where there is an exponent, since it rounds numbers of a text without a dot to integers.
    """
    fraction = found["only"] or found["part"] or "0"
    has_dot = found["dot"] or found["only"] or found["exponent"]
    whole = (found["whole"] or "0").lstrip("0") or "0"
    sign = "-" if found["sign"] == "-" else ""
    return f"{sign}{whole}{'.' + fraction if has_dot else ''}{found['exponent'] or ''}"


def _out_of_range(text: str) -> str | None:
    """The first number that no type of an input can hold."""
    return next((one[0] for one in _NUMBER.finditer(text) if abs(float(one[0])) >= INFINITE_FLOAT32), None)


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign == "[") - (sign == "]")
        deepest = max(deepest, depth)
    return deepest


def _shape(value: object) -> tuple[int, ...]:
    """The shape of nested lists. Raises ValueError where rows differ, or for an empty list."""
    if not isinstance(value, list):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError  # noqa: TRY004 - one error for everything that is not an array
        return ()
    shapes = {_shape(part) for part in value}
    if len(shapes) != 1:
        raise ValueError
    return (len(value), *shapes.pop())


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
