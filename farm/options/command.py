"""An option set as a command line: real flags, device paths, output files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from farm.errors import RequestError
from farm.model.options import OptionSet, Value
from farm.options.catalogue import BY_NAME
from farm.options.row import Kind, Option
from farm.options.rules import SEARCHES

OUTPUT_KINDS = frozenset({Kind.FILE_OUT, Kind.FILE_INOUT, Kind.DIRECTORY_OUT})
NAME_LIMIT = 80


@dataclass(frozen=True)
class Output:
    """A file or folder that a round writes. `path` is relative to the round's output folder.

    A directory must be made before the round starts.
    """

    option: str
    role: str
    path: str
    is_directory: bool


def argv(
    options: OptionSet,
    *,
    program: tuple[str, ...],
    model: str,
    input_text: str | None,
    out_dir: str,
    inputs: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The words that start a round.

    `model` and `out_dir` are paths on the device, `input_text` is the value of `--input` with device paths
    (None: as in the option set). `inputs` maps an option that reads a file to the file's path on the
    device; for one that is also written (a cache) this path wins over the one in `out_dir`. The current
    folder of the round must be `out_dir`. Raises RequestError for an option without a flag.
    """
    paths = {output.option: output.path for output in outputs(options)}
    given = dict(inputs or {})
    words = [*program, model]
    for name, value in options.values:
        row = BY_NAME[name]
        if row.flag is None:
            raise RequestError(f"--{name} is not available: {row.native.why}")
        if name == "input" and input_text is not None:
            continue
        words.append(_word(row, given.get(name) or _device_value(row, value, paths, out_dir)))
    if input_text:
        words.append(_word(BY_NAME["input"], input_text))
    return tuple(words)


def outputs(options: OptionSet) -> tuple[Output, ...]:
    """What a round with these options writes, under safe names made from the user's."""
    found: list[Output] = []
    for name, value in options.values:
        row = BY_NAME[name]
        if row.writes and row.kind in OUTPUT_KINDS:
            path = _safe_name(row, str(value))
            if any(output.path == path for output in found):
                path = _safe_name(row, f"{name}{'' if _is_strict(row) else '-'}{path}")
            found.append(Output(name, row.writes, path, row.kind is Kind.DIRECTORY_OUT))
    return tuple(found)


def input_files(
    options: OptionSet, exists: Callable[[str], bool] = lambda _: False
) -> tuple[tuple[str, str], ...]:
    """The local files that a round reads, as (option, path); `--input` is not among them.

    A cache is read if it exists (by `exists`), and must exist when no search is requested.
    """
    return tuple((name, path) for name, path in _read_paths(options) if _is_read(name, path, options, exists))


def _read_paths(options: OptionSet) -> Iterator[tuple[str, str]]:
    for name, value in options.values:
        if BY_NAME[name].kind in (Kind.FILE_IN, Kind.FILE_INOUT):
            yield name, str(value)


def _is_read(name: str, path: str, options: OptionSet, exists: Callable[[str], bool]) -> bool:
    if BY_NAME[name].kind is Kind.FILE_IN or exists(path):
        return True
    return name == "fast-run-algo-policy" and not any(search in options for search in SEARCHES)


def _device_value(row: Option, value: Value, paths: Mapping[str, str], out_dir: str) -> Value:
    if row.name not in paths:
        return value
    return paths[row.name] if _is_strict(row) else f"{out_dir.rstrip('/')}/{paths[row.name]}"


def _word(row: Option, value: Value) -> str:
    flag = (row.flag or row.name).replace("_", "-")
    return f"--{flag}" if value is True else f"--{flag}={value}"


def _is_strict(row: Option) -> bool:
    """Whether the program takes only letters and digits, below its current folder."""
    return row.name == "get-static-mem-info"


def _safe_name(row: Option, text: str) -> str:
    last = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    if _is_strict(row):
        name = re.sub(r"[^0-9A-Za-z]", "", last)[:NAME_LIMIT]
        return name if len(name) > 1 else "staticmem"
    name = re.sub(r"[^0-9A-Za-z._-]+", "-", last).lstrip(".-")[-NAME_LIMIT:]
    return name or (row.writes or row.name)
