"""The manifest of a run, `kept.jsonl`: what is kept of it, one JSON object a line (docs/run-directory.md)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from farm.errors import RequestError
from farm.files import PRIVATE_FILE
from farm.model.device import RuntimeKind
from farm.visible import changed, writable

MANIFEST = "kept.jsonl"
MANIFEST_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Begin:
    """The first line."""

    line: Literal["begin"] = "begin"
    version: int
    run_id: str


@dataclass(frozen=True)
class KeptFile:
    """A file of the store of what is kept. `name` is its readable name."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class KeptModel:
    """A model with its inputs, as it was pushed: fields of Model and InputSpec. `id` is the manifest's."""

    line: Literal["model"] = "model"
    id: str
    name: str
    kind: Literal["mdl", "lite", "testcase"]
    file: KeptFile
    input_text: str = ""
    input_template: str = ""
    inputs: tuple[tuple[str | None, KeptFile], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KeptRuntime:
    """What ran the models. `files` are the user's by their names in the runtime's folder on a device; a
    `program` was on the device already, and is not kept. `wheel` are names and digests of the wheel's own
    libraries, which the cache of runtimes has by `version`.
    """

    line: Literal["runtime"] = "runtime"
    id: str
    kind: RuntimeKind
    version: str
    python: str | None = None
    program: str | None = None
    files: tuple[tuple[str, KeptFile], ...] = ()
    wheel: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class KeptCell:
    """A cell: ids of its model and its runtime, and the files that its options read, by option."""

    line: Literal["cell"] = "cell"
    cell: str
    model: str
    runtime: str
    files: tuple[tuple[str, KeptFile], ...] = ()


@dataclass(frozen=True, kw_only=True)
class KeptProduct:
    """The product of a preparation of a cell, under the key that it has in the cache of products. `seconds`
    is how long making it took, in the run `run_id`.
    """

    line: Literal["product"] = "product"
    cell: str
    key: str
    kind: str
    file: KeptFile
    seconds: float = 0.0
    run_id: str = ""


Line: TypeAlias = Begin | KeptModel | KeptRuntime | KeptCell | KeptProduct


@cache
def _line() -> TypeAdapter[Line]:
    return TypeAdapter(Annotated[Line, Field(discriminator="line")])


@dataclass
class Manifest:
    """What the lines say: cells, models and runtimes by their ids, products by the id of their cell."""

    cells: dict[str, KeptCell] = field(default_factory=dict)
    models: dict[str, KeptModel] = field(default_factory=dict)
    runtimes: dict[str, KeptRuntime] = field(default_factory=dict)
    products: dict[str, list[KeptProduct]] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        match line:
            case KeptCell(cell=cell):
                self.cells[cell] = line
            case KeptModel(id=name):
                self.models[name] = line
            case KeptRuntime(id=name):
                self.runtimes[name] = line
            case KeptProduct(cell=cell):
                self.products.setdefault(cell, []).append(line)
            case Begin():
                pass


def append(path: Path, lines: Sequence[Line]) -> None:
    """Lines on the disk when this returns. Raises OSError."""
    text = b"".join(_text(line) + b"\n" for line in lines)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
    with os.fdopen(handle, "ab+") as stream:
        if stream.tell() and os.pread(handle, 1, stream.tell() - 1) != b"\n":
            text = b"\n" + text  # a full disk cut the line before
        stream.write(text)
        stream.flush()
        os.fsync(handle)


def _text(line: Line) -> bytes:
    try:
        return _line().dump_json(line)
    except PydanticSerializationError:  # half characters
        return _line().dump_json(changed(line, writable))


def read_manifest(path: Path) -> Manifest:
    """Every whole line; a damaged one is as if it were not there. Of a run without a manifest: nothing.

    Raises RequestError for a version that this farm does not know, or when the file cannot be read.
    """
    found = Manifest()
    try:
        with path.open("rb") as stream:
            for text in stream:
                try:
                    line = _line().validate_json(text)
                except ValidationError:
                    continue
                if isinstance(line, Begin) and line.version != MANIFEST_VERSION:
                    raise RequestError(
                        f"unsupported version {line.version}; this farm reads version {MANIFEST_VERSION}",
                        source=str(path),
                        hint="use the version of farm that wrote it",
                    )
                found.add(line)
    except FileNotFoundError:
        return found
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror or error}") from error
    return found
