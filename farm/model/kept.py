"""What of a run is kept, to run it again: the lines of its manifest. See docs/run-directory.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from farm.model.device import RuntimeKind

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
