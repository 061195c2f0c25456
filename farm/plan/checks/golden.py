"""Golden files: what the outputs of a model should be."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from farm.analysis.tolerances import kind_of
from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.matrix import Golden
from farm.model.measurement import TensorInfo
from farm.plan.inputs import keep_input
from farm.store.artifacts import artifact_of
from farm.suggest import nearest

HINT = "a golden file is a .npy (one output), a .npz, or a folder of .npy files, by the outputs' names"
LARGEST_MEMBER_BYTES = 1 << 30


def read_golden(path: Path) -> Golden:
    """The outputs in a file or folder. Raises RequestError for one that is missing or not readable."""
    if path.is_dir():
        files = _folder(path)
    elif path.suffix.lower() == ".npz":
        files = _archive(path)
    else:
        files = (("", artifact_of(path)),)
    for name, file in files:
        _require_numbers(f"{path}: {name}" if name else str(path), file)
    return Golden(path.name, files)


def require_fit(golden: Golden, tensors: Sequence[TensorInfo], *, has_own_shapes: bool) -> None:
    """Raises RequestError for a golden file that is not of this model's outputs, as --model-info lists them.
    Shapes are compared where the inputs have the model's own shapes.
    """
    outputs = [tensor for tensor in tensors if tensor.direction == "output"]
    listed = ", ".join(f"{one.name} {one.shape} {one.dtype}" for one in outputs) or "none"
    hint = f"outputs of the model: {listed}"
    for (name, file), output in _matched(golden, outputs, hint):
        dtype, shape = _header(file)
        label = f"{golden.name}: {name}" if name else golden.name
        if output.dtype and kind_of(dtype) != kind_of(output.dtype):
            raise RequestError(f"{label} has the type {dtype}, the output {output.dtype}", hint=hint)
        if has_own_shapes and output.shape and shape != output.shape:
            raise RequestError(f"{label} has the shape {shape}, the output {output.shape}", hint=hint)


def _matched(
    golden: Golden, outputs: Sequence[TensorInfo], hint: str
) -> list[tuple[tuple[str, Artifact], TensorInfo]]:
    """By name, or all by their order where no name is known, as farm.analysis.outputs does it."""
    by_name = {one.name: one for one in outputs}
    unknown = [name for name, _ in golden.files if name not in by_name]
    if len(unknown) == len(golden.files) == len(outputs):
        return list(zip(golden.files, outputs, strict=True))
    if not unknown:
        return [((name, file), by_name[name]) for name, file in golden.files]
    if unknown == [""]:
        raise RequestError(f"{golden.name} is one array, the model has {len(outputs)} outputs", hint=hint)
    raise RequestError(
        f"{golden.name} has {unknown[0]!r}, which is no output of the model{nearest(unknown[0], by_name)}",
        hint=hint,
    )


def _folder(path: Path) -> tuple[tuple[str, Artifact], ...]:
    try:
        files = sorted(one for one in path.iterdir() if one.suffix.lower() == ".npy")
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}", hint=HINT) from error
    if not files:
        raise RequestError(f"no .npy file in {path}", hint=HINT)
    return tuple((one.stem, artifact_of(one)) for one in files)


def _archive(path: Path) -> tuple[tuple[str, Artifact], ...]:
    artifact_of(path)  # says what is wrong with a file that cannot be opened
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
            large = next((one for one in members if one.file_size > LARGEST_MEMBER_BYTES), None)
            if large is not None:
                raise RequestError(
                    f"{path}: {large.filename} has more than {LARGEST_MEMBER_BYTES:,} bytes",
                    hint="save it as a .npy in a folder",
                )
            files = tuple((one.filename.removesuffix(".npy"), archive.read(one)) for one in members)
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
        raise RequestError(f"{path} cannot be read as .npz: {error}", hint=HINT) from error
    if not files:
        raise RequestError(f"{path} has no array", hint=HINT)
    return tuple((name, keep_input("golden.npy", data)) for name, data in files)


def _require_numbers(label: str, file: Artifact) -> None:
    try:
        dtype, _ = _header(file)
    except Exception as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(f"{label} cannot be read as .npy: {words[:160]}", hint=HINT) from error
    if kind_of(dtype) not in ("float", "integer", "bool", "complex64"):
        raise RequestError(
            f"{label} has the type {dtype}, which no output has", hint="save it as float32 or int32"
        )


def _header(file: Artifact) -> tuple[str, tuple[int, ...]]:
    """(type, shape), also of an array without elements, which cannot be mapped."""
    import numpy as np

    array: Any
    if file.size_bytes < 1 << 16:
        array = np.load(io.BytesIO(file.path.read_bytes()), allow_pickle=False)
    else:
        array = np.load(file.path, mmap_mode="r", allow_pickle=False)
    return array.dtype.name, array.shape
