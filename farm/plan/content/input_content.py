"""Contents of input files: what load_and_run would misread or abort on is converted or refused.

The program (helpers/data_parser.cpp) takes `.npy` of f4 i4 i2 u2 i1 u1 in C order, images with a header of
two lines, and JSON with plain numbers. Bytes in, bytes and notes out; nothing is read from a disk.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from typing import Any

from farm.errors import RequestError
from farm.model.measurement import TensorInfo
from farm.plan.content import npy
from farm.plan.content.npy import MAX_HEADER_BYTES, NARROWER, NPY_TYPES, Content, Prepared
from farm.visible import has_controls, one_line, visible

JSON_TYPES = {
    "float32": "float32",
    "float": "float32",
    "int32": "int32",
    "int": "int32",
    "int8": "int8",
    "uint8": "uint8",
}
"""Types that the program reads from JSON, and their usual names; others are converted to one of these."""

_IMAGE = re.compile(rb"P([2356])" + rb"((?:\s|#[^\n]*\n)+)(\d{1,6})" * 3 + rb"\s")
_LARGEST_NUMBER = sys.float_info.max
_SIZE_LIMIT = (1 << 31) - 1
_DIMENSIONS_LIMIT = 7
"""Of a tensor of MegEngine."""

_NO_BRACE = re.compile(r'("\s*:\s*)(?="(?:shape|type|raw)"\s*:)')
"""Where the example in MegEngine's documentation lacks a brace: `{"data_f32": "shape": [1,3], ...}}`."""

JSON_EXAMPLE = '{"data": {"shape": [1, 3], "type": "float32", "raw": [3, 4, 5]}}'


def prepare(name: str, data: bytes) -> Prepared:
    """The file `name` (its suffix decides) in a form that load_and_run reads correctly.

    Raises RequestError for a file that is damaged, or whose numbers do not fit into a type it reads.
    """
    lower = name.lower()
    if lower.endswith(".npy"):
        return npy.read_npy(name, data)
    if lower.endswith(".json"):
        return _json(name, data)
    if lower.endswith((".ppm", ".pgm")):
        return _image(name, data)
    raise RequestError(f"{name} is not an input file", hint="use .json, .npy, .ppm or .pgm")


def fit(name: str, data: bytes, wanted: TensorInfo) -> Prepared:
    """A .npy, or an image as a .npy, converted to the type of the model's input where that keeps its numbers.

    Raises RequestError where it does not: a fraction into an integer, a number beyond the type's range; and
    for an image whose colours are on another axis than the model's.
    """
    dtype = wanted.dtype if wanted.dtype in NPY_TYPES else None
    if name.lower().endswith(".npy"):
        return npy.read_npy(name, data, dtype)
    prepared = prepare(name, data)
    (content,) = prepared.contents
    _check_layout(name, content.shape, wanted)
    if dtype in (None, content.dtype):
        return prepared
    import numpy as np

    pixels = np.frombuffer(prepared.data[-math.prod(content.shape) :], np.uint8).reshape(content.shape)
    fitted = npy.read_npy(name, npy.save(pixels), dtype)
    return Prepared(fitted.data, fitted.contents, (*prepared.notes, *fitted.notes))


def fit_json(name: str, data: bytes, inputs: Mapping[str, TensorInfo]) -> Prepared:
    """JSON whose tensors are declared in the types of the model's inputs, where JSON has them and they keep
    the numbers.

    Raises RequestError where they do not.
    """
    prepared = prepare(name, data)
    root, notes = json.loads(prepared.data), list(prepared.notes)
    for content in prepared.contents:
        tensor, wanted = str(content.tensor), inputs.get(str(content.tensor))
        if wanted and wanted.dtype in JSON_TYPES and wanted.dtype != content.dtype:
            root[tensor]["type"] = wanted.dtype
            notes.append(f"{name}: {tensor!r}: {content.dtype} converted to the model's {wanted.dtype}")
    if len(notes) == len(prepared.notes):
        return prepared
    fitted = prepare(name, json.dumps(root, ensure_ascii=False).encode())
    return Prepared(fitted.data, fitted.contents, tuple(notes))


def inline(nested: object, wanted: TensorInfo) -> Prepared:
    """Numbers of an `--input` text as a .npy of the model's type and rank (`nested` from
    `farm.options.input_spec.numbers`, which has one axis more than the text has brackets).

    Leading axes of length 1 are dropped or added to meet the rank. Raises RequestError if the numbers do not
    fit into the type.
    """
    import numpy as np

    array = np.array(nested, np.float64)
    while array.ndim > len(wanted.shape) and array.shape[0] == 1:
        array = array[0]
    while array.ndim < len(wanted.shape):
        array = array[np.newaxis]
    converted = npy.converted(wanted.name, array, wanted.dtype if wanted.dtype in NPY_TYPES else "float32")
    return Prepared(npy.save(converted), npy.contents_of(converted))


def mismatches(contents: tuple[Content, ...], inputs: tuple[TensorInfo, ...]) -> tuple[str, ...]:
    """What does not fit the model's inputs: names, types, ranks. A content without a name is `data`.

    Types and shapes that are empty are not compared.
    """
    known = {tensor.name: tensor for tensor in inputs}
    found: list[str] = []
    for content in contents:
        name = content.tensor or "data"
        tensor = known.get(name)
        if tensor is None:
            found.append(f"the model has no input {name!r} (it has: {', '.join(known) or 'none'})")
            continue
        if tensor.dtype and content.dtype != tensor.dtype:
            found.append(f"input {name!r} is {tensor.dtype}, the data is {content.dtype}")
        if tensor.shape and len(content.shape) != len(tensor.shape):
            found.append(
                f"input {name!r} has {len(tensor.shape)} dimensions, the data has {len(content.shape)}"
            )
    return tuple(found)


def _json(name: str, data: bytes) -> Prepared:
    notes: list[str] = []
    text = _json_text(name, data, notes)
    root = _json_root(name, text, notes)
    if not isinstance(root, dict) or not root:
        raise RequestError(f"{name} has no tensors", hint=f"write {JSON_EXAMPLE}")
    for tensor in root:
        if has_controls(tensor):
            raise RequestError(f"{name}: {visible(tensor)!r} is not the name of a tensor")
    fixed = {tensor: _json_tensor(f"{name}: {tensor!r}", value, notes) for tensor, value in root.items()}
    contents = tuple(
        Content(tensor, JSON_TYPES[value["type"]], tuple(value["shape"])) for tensor, value in fixed.items()
    )
    same = not notes and b"\\" not in data  # the program's own parser does not support escapes
    return Prepared(data if same else json.dumps(fixed, ensure_ascii=False).encode(), contents, tuple(notes))


def _json_text(name: str, data: bytes, notes: list[str]) -> str:
    """The text of a JSON file, with a note unless it is the plain UTF-8 that load_and_run reads."""
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding)
    except ValueError:
        raise RequestError(f"{name} is not JSON: it is not a text in UTF-8 or UTF-16") from None
    if encoding != "utf-8":
        was = (
            "the mark before the text removed"
            if encoding == "utf-8-sig"
            else f"{encoding} converted to UTF-8"
        )
        notes.append(f"{name}: {was}")
    return text


def _json_root(name: str, text: str, notes: list[str]) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            root: object = json.loads(_NO_BRACE.sub(r"\1{", text))
        except (ValueError, RecursionError):
            raise RequestError(f"{name} is not JSON: {error}", hint=f"write {JSON_EXAMPLE}") from None
        notes.append(f"{name}: added the brace that is missing in MegEngine's documentation")
        return root


def _json_tensor(where: str, value: object, notes: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or not {"shape", "type", "raw"} <= value.keys():
        raise RequestError(f"{where} needs shape, type and raw", hint=f"write {JSON_EXAMPLE}")
    shape, kind, raw = value["shape"], value["type"], value["raw"]
    if not isinstance(shape, list) or not all(
        type(size) is int and 0 < size <= _SIZE_LIMIT for size in shape
    ):
        raise RequestError(f"{where}: shape must be a list of whole numbers")
    if not 0 < len(shape) <= _DIMENSIONS_LIMIT:
        raise RequestError(f"{where}: a shape has 1 to {_DIMENSIONS_LIMIT} dimensions, this one {len(shape)}")
    dtype = JSON_TYPES.get(kind) or NARROWER.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        raise RequestError(
            f"{where}: unknown type {one_line(str(kind), 40)!r}", hint=f"one of {', '.join(JSON_TYPES)}"
        )
    if kind not in JSON_TYPES:
        notes.append(f"{where}: {kind} converted to {dtype}")
        kind = dtype
    numbers = _json_numbers(where, raw, notes)
    if len(numbers) != math.prod(shape):
        raise RequestError(f"{where} has {len(numbers)} numbers, its shape {shape} needs {math.prod(shape)}")
    import numpy as np

    npy.converted(where, np.array(numbers, np.float64), dtype)
    return {"shape": shape, "type": kind, "raw": numbers}


def _json_numbers(where: str, raw: object, notes: list[str]) -> list[float]:
    """The numbers in `raw`: a list, nested or not, of numbers or (as the documentation has it) strings."""
    if isinstance(raw, str):
        raw = raw.strip().strip("[]").split(",")
    if not isinstance(raw, list):
        raise RequestError(f"{where}: raw must be a list of numbers")
    flat: list[float] = []
    waiting = raw[::-1]
    plain = True
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item[::-1])
            plain = False
            continue
        plain = plain and not isinstance(item, str)
        flat.append(_json_number(where, item))
    if not plain:
        notes.append(f"{where}: raw written as one list of numbers")
    return flat


def _json_number(where: str, item: object) -> float:
    """A number that float64 can hold: an integer may have any number of digits."""
    try:
        number = json.loads(item) if isinstance(item, str) else item
    except (ValueError, RecursionError):
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= _LARGEST_NUMBER:
        raise RequestError(f"{where}: {one_line(str(item), 40)!r} is not a number that load_and_run can read")
    return number


def _image(name: str, data: bytes) -> Prepared:
    found = _IMAGE.match(data[:MAX_HEADER_BYTES])
    if found is None:
        raise RequestError(f"{name} is not a PPM or PGM image")
    kind, width, height, top = (int(found[index]) for index in (1, 3, 5, 7))
    channels = 3 if kind in (3, 6) else 1
    if not 0 < top < 256:
        raise RequestError(f"{name} has values up to {top}; load_and_run reads one byte per value")
    size = width * height * channels
    notes: list[str] = []
    pixels = data[found.end() : found.end() + size]
    if kind in (2, 3):
        pixels = _ascii_pixels(name, data[found.end() :], size)
        notes.append(f"{name}: image in text form converted to bytes")
    if not size or len(pixels) != size:
        raise RequestError(f"{name} has {len(pixels)} bytes of pixels, {width} x {height} needs {size}")
    header = f"P{6 if channels == 3 else 5}\n{width} {height} {top}\n".encode()
    contents = (Content(None, "uint8", (1, height, width, channels)),)
    if data == header + pixels:
        return Prepared(data, contents)
    notes = notes or [f"{name}: header rewritten in the two lines that load_and_run reads"]
    return Prepared(header + pixels, contents, tuple(notes))


def _check_layout(name: str, shape: tuple[int, ...], wanted: TensorInfo) -> None:
    channels = shape[3]
    if len(wanted.shape) == 4 and wanted.shape[3] != channels and wanted.shape[1] == channels:
        raise RequestError(
            f"{name} has its channels last, {shape}; input {wanted.name!r} has them first, {wanted.shape}",
            hint="save the pixels with numpy.save as a .npy file, channels first",
        )


def _ascii_pixels(name: str, text: bytes, size: int) -> bytes:
    try:
        return bytes(int(word) for word in text.split()[:size])
    except ValueError:
        raise RequestError(f"{name} has a value that is not a pixel") from None
