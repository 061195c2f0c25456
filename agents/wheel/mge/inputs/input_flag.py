"""`--input`: strings, JSON, .npy and .ppm/.pgm files.

Where the C++ program would silently read other numbers than the file holds (Fortran order, a PPM header of
three lines), this one reads the numbers.
"""

import ast
import json
import os
import re
import struct
from typing import Any, Dict, Tuple, Union

from mge.errors import failed
from mge.inputs.arrays import Array, Shape, element_count, from_bytes, from_fortran, nested

# .npy type codes without byte order -> letter of struct
NPY_TYPES = {
    "f8": "d",
    "f4": "f",
    "f2": "e",
    "i8": "q",
    "i4": "i",
    "i2": "h",
    "i1": "b",
    "u8": "Q",
    "u4": "I",
    "u2": "H",
    "u1": "B",
    "b1": "?",
}
NPY_MAGIC = b"\x93NUMPY"
NPY_PREFIX_BYTES = 8  # the magic and two bytes of version
JSON_TYPES = ("float32", "float", "int32", "int", "int8", "uint8")

Given = Union[Array, Shape]
"""What --input says of one tensor: its value, or only its shape (`{d0,d1}`)."""


def parse(text: str) -> Dict[str, Given]:
    """By name what is given, of the whole option. Raises AbortError."""
    given: Dict[str, Given] = {}
    for part in text.split(";"):
        if not part:
            continue
        head, colon, tail = part.partition(":")
        name, source = (head, tail) if colon else ("data", part)
        found = _read(name, source)
        twice = sorted(set(found) & set(given))
        if twice:
            raise failed("inputs.count(name) == 0", f"--input gives {', '.join(twice)} twice")
        given.update(found)
    return given


def _read(name: str, source: str) -> Dict[str, Given]:
    if source.endswith(".json"):
        return {**read_json(source)}
    if source.endswith(".npy"):
        return {name: read_npy(source)}
    if source.endswith((".ppm", ".pgm")):
        return {name: read_image(source)}
    if source.startswith("{"):
        return {name: read_shape(source)}
    return {name: read_string(source)}


def read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise failed("fin.is_open()", f"failed to open {path} for --input: {error.strerror}") from error


def read_npy(path: str) -> Array:
    data = read_file(path)
    descr, shape, fortran, start = _npy_header(path, data)
    letter = NPY_TYPES.get(descr[1:]) if isinstance(descr, str) else None
    if letter is None:
        raise failed("type_map.count(type_str)", f"{path} holds {descr}, which --input cannot take")
    size = struct.calcsize(letter)
    if len(data) - start != element_count(shape) * size:
        raise failed(
            "raw.size() == shape.total()",
            f"{path} holds {len(data) - start} bytes of data, its shape {shape} needs "
            f"{element_count(shape) * size}",
        )
    numbers = from_bytes(data[start:], letter, big_endian=descr[0] == ">")
    if fortran and len(shape) > 1:
        numbers = from_fortran(numbers, shape)
    return Array(numbers, shape or (1,), letter, path)


def _npy_header(path: str, data: bytes) -> Tuple[Any, Shape, bool, int]:
    """(type, shape, whether in Fortran order, place of the data) of a file's bytes."""
    if data[: len(NPY_MAGIC)] != NPY_MAGIC or len(data) < NPY_PREFIX_BYTES + 2:
        raise failed("npy header", f"{path} does not have a valid npy format")
    major = data[len(NPY_MAGIC)]
    length = struct.Struct("<H" if major == 1 else "<I")
    start = NPY_PREFIX_BYTES + length.size
    try:
        end = start + length.unpack_from(data, NPY_PREFIX_BYTES)[0]
        header = ast.literal_eval(data[start:end].decode("utf-8" if major == 3 else "latin-1").strip())
        shape = tuple(int(size) for size in header["shape"])
        return header["descr"], shape, header["fortran_order"], end
    except (struct.error, ValueError, SyntaxError, KeyError, TypeError) as error:
        raise failed("npy header", f"{path} has an invalid npy header: {error}") from error


def read_json(path: str) -> Dict[str, Array]:
    try:
        root = json.loads(read_file(path).decode("utf-8"))
    except ValueError as error:
        raise failed("root != nullptr", f"parse json {path} fail: {error}") from error
    if not isinstance(root, dict):
        raise failed(
            "Type::OBJECT == m_type", f'{path} is not {{"name": {{"shape": [], "type": "", "raw": []}}}}'
        )
    return {name: _json_value(path, name, item) for name, item in root.items()}


def _json_value(path: str, name: str, item: Any) -> Array:
    if not (
        isinstance(item, dict) and isinstance(item.get("shape"), list) and isinstance(item.get("raw"), list)
    ):
        raise failed("raw->is_array()", f'{path}: "{name}" needs "shape", "type" and "raw"')
    if item.get("type") not in JSON_TYPES:
        raise failed(
            "type_map.count(type_str)",
            f'{path}: unknown json data type for --input: "{item.get("type")}" '
            f"(known: {', '.join(JSON_TYPES)})",
        )
    try:
        shape = [int(size) for size in item["shape"]]
        raw = item["raw"]
        if any(isinstance(number, list) for number in raw):
            raw = nested(raw)[0]
        numbers = [float(number) for number in raw]  # the documentation also has numbers as strings
    except (TypeError, ValueError) as error:
        raise failed("Type::NUMBER == m_type", f'{path}: "{name}": {error}') from error
    if len(numbers) != element_count(shape):
        raise failed(
            "raw->len() == shape.total()",
            f'{path}: "{name}" has {len(numbers)} numbers, its shape {shape} needs {element_count(shape)}',
        )
    return Array(numbers, shape, "", path)


def read_image(path: str) -> Array:
    """Binary PPM or PGM, any white space and comments in its header -> uint8 {1, height, width, channels}."""
    data = read_file(path)
    gap = rb"((?:\s+|\s*#[^\n]*\n)+)"
    match = re.match(rb"P([56])" + gap + rb"(\d+)" + gap + rb"(\d+)" + gap + rb"(\d+)\s", data)
    if not match:
        raise failed("0", f"{path} is not a formal ppm/pgm")
    channels = 3 if match.group(1) == b"6" else 1
    width, height, largest = (int(match.group(index)) for index in (3, 5, 7))
    if not 0 < largest < 256:
        raise failed("0", f"{path} has a maximum of {largest}; only one byte for each value can be read")
    shape = (1, height, width, channels)
    pixels = data[match.end() :]
    if not element_count(shape) or len(pixels) < element_count(shape):
        raise failed(
            "w > 0 and h > 0",
            f"{path} has {len(pixels)} bytes of pixels, {width}x{height} needs {element_count(shape)}",
        )
    return Array(from_bytes(pixels[: element_count(shape)], "B"), shape, "B", path)


def read_shape(text: str) -> Shape:
    match = re.match(r"^\{\s*(\d+(?:\s*,\s*\d+)*)\s*\}$", text)
    if not match:
        raise failed(
            '"{" == str.substr(0, 1)', f"invalid value: {text} for parse_shape, valid format: {{d0,d1,..,dn}}"
        )
    return tuple(int(size) for size in match.group(1).split(","))


def read_string(text: str) -> Array:
    """`[[1.,2.],[3.,4.]]`, `1,2,3`, `[1,2],[3,4]`.

    The C++ program puts one more axis of length 1 before a text that is one bracket, so both shapes are kept
    and the model's input chooses.
    """
    if text.count("[") != text.count("]"):
        raise failed("cur == brace_root", f"braces not closed for --input: {text}")
    if not re.match(r"^[-+\s\[\],.0-9eE]+$", text):
        like_a_file = os.sep in text or re.search(r"\.\w+$", text)
        hint = " (a file must end in .json, .npy, .ppm or .pgm)" if like_a_file else ""
        raise failed("parse value", f"--input cannot read {text!r} as numbers{hint}")
    try:
        # a number may end or start with a dot in both languages, but may start with zeros only here
        items = ast.literal_eval("[" + re.sub(r"(?<![\d.eE])(-?)0+(?=\d)", r"\1", text.strip()) + "]")
        numbers, shape = nested(items)
    except (SyntaxError, ValueError, TypeError) as error:
        raise failed("parse value", f"--input cannot read {text!r} as an array: {error}") from error
    if len(items) == 1 and isinstance(items[0], list):
        return Array(numbers, shape[1:], "", text, other_shape=shape)
    return Array(numbers, shape, "", text)
