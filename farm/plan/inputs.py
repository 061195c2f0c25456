"""`--input` before it goes to a device: files as load_and_run reads them, data as the model takes it.

`read_input` needs no model: it converts what any program would misread. `fit_inputs` knows the model's
inputs, and refuses or converts what this model's run would abort on. Both serve native and wheel alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm import resources
from farm.errors import RequestError, RunError
from farm.files import ascii_name, digest_path, private_folder, sha256_of, user_path, write_atomic
from farm.model.artifact import Artifact
from farm.model.matrix import InputFile, InputSpec, Model
from farm.model.measurement import TensorInfo
from farm.options.input_spec import DEFAULT_TENSOR, InputPart, numbers, parse_input
from farm.plan.content import input_content as content
from farm.plan.content.npy import NPY_TYPES, Array, Content, Prepared
from farm.store.artifacts import artifact_of
from farm.suggest import nearest
from farm.visible import visible

ZEROS = "outputs, and times that depend on the data, are for zeros"


@dataclass(frozen=True)
class _Ready:
    """A part of `--input` as it is sent: text, or a file; `contents` are the tensors in it."""

    tensor: str | None
    contents: tuple[Content, ...]
    inline: str = ""
    file: Artifact | None = None
    notes: tuple[str, ...] = ()


def read_input(text: str) -> tuple[InputSpec, tuple[str, ...]]:
    """The parsed `--input` (grammar: farm.options.input_spec) with its files, and notes on what was changed.

    Raises RequestError for a file that is missing or damaged, and for data given twice.
    """
    ready = [_read(part) for part in parse_input(text)]
    return _spec(text, ready), _notes(ready)


def fit_inputs(model: Model, tensors: Sequence[TensorInfo]) -> Model:
    """The model with inputs of the names, types and ranks of `tensors`, and with the notes about that.

    Raises RequestError for data that no input of the model can take.
    """
    known = {
        tensor.name: replace(tensor, dtype=tensor.dtype if tensor.dtype in NPY_TYPES else "")
        for tensor in tensors
        if tensor.direction == "input"
    }
    try:
        ready = [_fit(_named(part, known), known) for part in parse_input(model.inputs.text)]
        found = tuple(one for part in ready for one in part.contents)
        wrong = content.mismatches(found, tuple(known.values()))
        if wrong:
            unknown = next((one.tensor for one in found if one.tensor not in known), None)
            raise RequestError(wrong[0], hint=nearest(unknown, known).strip(" ()") if unknown else None)
        spec = _spec(model.inputs.text, ready)
    except RequestError as error:
        hint = "; ".join(filter(None, (error.hint, f"inputs of the model: {_listed(known)}")))
        raise RequestError(f"--input of {model.name}: {error.message}", hint=hint) from error
    given = {one.tensor for one in found}
    left_out = tuple(one for one in tensors if one.direction == "input" and one.name in known.keys() - given)
    notes = _notes(ready)
    if left_out:
        names = ", ".join(sorted(tensor.name for tensor in left_out))
        notes += (f"no data given for {names} of {model.name}: {ZEROS}",)
    is_reshaped = any(one.shape != known[one.tensor].shape for one in found if one.tensor in known)
    left_out += tuple(_shape_alone(ready, known))
    return replace(model, inputs=spec, notes=notes, left_out=left_out, is_reshaped=is_reshaped)


def _shape_alone(ready: Sequence[_Ready], known: Mapping[str, TensorInfo]) -> Iterator[TensorInfo]:
    """Inputs of which a shape was given (`{1,3}`) and no data."""
    for part in ready:
        wanted = known.get(part.tensor or DEFAULT_TENSOR)
        if wanted and part.inline.startswith("{"):
            yield replace(wanted, shape=part.contents[0].shape)


def leave_unchecked(model: Model, why: str) -> Model:
    """The model with a note that its inputs could not be compared with it."""
    note = f"input of {model.name} not compared with the model: {why}"
    return replace(model, notes=(*model.notes, note if model.inputs.text else f"no --input: {ZEROS}"))


def _read(part: InputPart) -> _Ready:
    if part.path is None:
        return _Ready(part.tensor, (), part.inline or "", notes=part.notes)
    original = artifact_of(user_path(part.path))
    data = original.path.read_bytes()
    return _file(part, original, data, content.prepare(original.name, data))


def _fit(part: InputPart, known: Mapping[str, TensorInfo]) -> _Ready:
    """The part for its tensor. Where there is no such tensor, the part as it is: `mismatches` reports it."""
    if part.path is None:
        return _fit_text(part, known.get(part.tensor or DEFAULT_TENSOR))
    original = artifact_of(user_path(part.path))
    data = original.path.read_bytes()
    if part.suffix == ".json":
        return _file(part, original, data, content.fit_json(original.name, data, known))
    wanted = known.get(part.tensor or DEFAULT_TENSOR)
    fitted = content.fit(original.name, data, wanted) if wanted else content.prepare(original.name, data)
    return _file(part, original, data, fitted)


def _fit_text(part: InputPart, wanted: TensorInfo | None) -> _Ready:
    text = part.inline or ""
    if text.startswith("{"):
        shape = tuple(int(size) for size in text.strip("{} ").split(","))
        return _Ready(
            part.tensor,
            (Content(part.tensor, wanted.dtype if wanted else "", shape),),
            text,
            notes=part.notes,
        )
    import numpy as np

    nested, is_float = numbers(text)
    array, dtype = np.array(nested, np.float64), "float32" if is_float else "int32"
    shape = array.shape
    if (
        wanted is None
        or not wanted.shape
        or (wanted.dtype in ("", dtype) and len(wanted.shape) == len(shape))
    ):
        _require_int32(part, array, is_float=is_float)
        return _Ready(part.tensor, (Content(part.tensor, dtype, shape),), text, notes=part.notes)
    fitted = content.inline(nested, wanted)
    (made,) = fitted.contents
    note = (
        f"numbers for {wanted.name!r} sent as {made.dtype} {_braces(made.shape)};"
        f" load_and_run would read the text as {dtype} {_braces(shape)}"
    )
    file = keep_input(f"{ascii_name(wanted.name)}.npy", fitted.data)
    return _Ready(part.tensor, (replace(made, tensor=part.tensor),), file=file, notes=(note,))


def _require_int32(part: InputPart, array: Array, *, is_float: bool) -> None:
    """Raises RequestError for an integer in a text without a dot that load_and_run would cut to 32 bits."""
    import numpy as np

    limits = np.iinfo(np.int32)
    if not is_float and (array.min() < limits.min or array.max() > limits.max):
        raise RequestError(
            f"--input: {part.tensor or DEFAULT_TENSOR} has a number beyond the range of int32, as which "
            "load_and_run reads a text without a dot",
            hint="write numbers with a dot for a float input",
        )


def _named(part: InputPart, known: Mapping[str, TensorInfo]) -> InputPart:
    """The part with the tensor that it is for: `data`, or the only input of the model."""
    if part.tensor is not None or part.suffix == ".json":
        return part
    if len(known) != 1:
        return replace(part, tensor=DEFAULT_TENSOR)
    (only,) = known
    note = () if only == DEFAULT_TENSOR else (f"--input without a name is for {only!r}, the only input",)
    return replace(part, tensor=only, notes=(*part.notes, *note))


def _file(part: InputPart, original: Artifact, data: bytes, prepared: Prepared) -> _Ready:
    """A file in the form that is sent: the user's own, or the converted one."""
    name = original.name
    if prepared.data.startswith(b"\x93NUMPY"):
        name = str(Path(name).with_suffix(".npy"))
    file = original if prepared.data is data else keep_input(name, prepared.data)
    contents = tuple(replace(one, tensor=one.tensor or part.tensor) for one in prepared.contents)
    return _Ready(part.tensor, contents, file=file, notes=(*part.notes, *prepared.notes))


def keep_input(name: str, data: bytes) -> Artifact:
    """Bytes as a file of the cache, by digest. Raises RunError when they cannot be written."""
    digest = hashlib.sha256(data).hexdigest()
    path = digest_path(resources.cache_folder() / "inputs", digest).with_suffix(Path(name).suffix.lower())
    try:
        if not path.is_file() or sha256_of(path) != digest:
            private_folder(path.parent)
            write_atomic(path, data)
    except OSError as error:
        raise RunError(
            f"cannot write the converted {name}: {path}: {error.strerror or error}",
            hint="set FARM_CACHE_DIR to a writable folder",
        ) from error
    return Artifact(name, digest, len(data), path)


def _spec(text: str, ready: Sequence[_Ready]) -> InputSpec:
    """Raises RequestError when two parts are for one tensor: load_and_run would silently take the first."""
    names = [one.tensor or DEFAULT_TENSOR for part in ready for one in part.contents]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise RequestError(f"--input has data for {doubled!r} twice", hint="remove one")
    files: list[InputFile] = []
    pieces: list[str] = []
    for part in ready:
        prefix = "" if part.tensor is None else f"{part.tensor}:"
        if part.file is None:
            pieces.append(literal(prefix + part.inline))
        else:
            pieces.append(f"{literal(prefix)}{{{len(files)}}}")
            files.append(InputFile(part.tensor, part.file))
    return InputSpec(text, ";".join(pieces), tuple(files))


def literal(text: str) -> str:
    """Text as a part of `InputSpec.template`."""
    return text.replace("{", "{{").replace("}", "}}")


def _notes(ready: Sequence[_Ready]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(visible(note) for part in ready for note in part.notes))


def _listed(known: Mapping[str, TensorInfo]) -> str:
    """`image {1,32,32,3} uint8, ...`"""
    return (
        ", ".join(f"{one.name} {_braces(one.shape)} {one.dtype}".rstrip() for one in known.values()) or "none"
    )


def _braces(shape: tuple[int, ...]) -> str:
    """A shape as MegEngine writes it."""
    return f"{{{','.join(map(str, shape))}}}"
