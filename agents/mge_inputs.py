"""`--input`: strings, JSON, .npy and .ppm/.pgm files, read without numpy and converted to the dtype of the
model's input.

Where the C++ program would silently read other numbers than the file holds (Fortran order, float64 into
float32, integers into a float input, a PPM header of three lines), this one reads the numbers; where that
would change them, it refuses.
"""

import array
import ast
import json
import math
import os
import re
import struct
import sys

from mge_log import Abort, failed

# .npy type codes without byte order -> letter of struct; "e" (float16) and "?" are unknown to module array
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
JSON_TYPES = ("float32", "float", "int32", "int", "int8", "uint8")
INTEGER_RANGES = {
    "i": (-(2**31), 2**31 - 1),
    "h": (-(2**15), 2**15 - 1),
    "b": (-128, 127),
    "B": (0, 255),
    "H": (0, 65535),
}
FLOATS = "efd"
# Integers above these are not all representable in the float type.
EXACT_INTEGERS = {"e": 2**11, "f": 2**24}


class Value(object):
    """Numbers as a flat sequence in C order. `letter` is their struct type, "" when the text has no type of
    its own. `other_shape` is what the C++ program makes of the same string."""

    def __init__(self, numbers, shape, letter="", source="", other_shape=None):
        self.numbers, self.shape, self.letter, self.source = numbers, tuple(shape), letter, source
        self.other_shape = other_shape


def parse(text):
    """name -> Value (or a shape, a tuple, for `{d0,d1}`) of the whole option; raises Abort."""
    values = {}
    for part in text.split(";"):
        if not part:
            continue
        head, colon, tail = part.partition(":")
        name, source = (head, tail) if colon else ("data", part)
        if source.endswith(".json"):
            found = read_json(source)
        elif source.endswith(".npy"):
            found = {name: read_npy(source)}
        elif source.endswith((".ppm", ".pgm")):
            found = {name: read_image(source)}
        elif source.startswith("{"):
            found = {name: read_shape(source)}
        else:
            found = {name: read_string(source)}
        twice = sorted(set(found) & set(values))
        if twice:
            raise failed("inputs.count(name) == 0", "--input gives %s twice" % ", ".join(twice))
        values.update(found)
    return values


def read_file(path):
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (IOError, OSError) as error:
        raise failed("fin.is_open()", "failed to open %s for --input: %s" % (path, error.strerror))


def count(shape):
    total = 1
    for size in shape:
        total *= size
    return total


def read_npy(path):
    data = read_file(path)
    if data[:6] != b"\x93NUMPY" or len(data) < 10:
        raise failed("npy header", "%s does not have a valid npy format" % path)
    width, letter = (2, "<H") if data[6] == 1 else (4, "<I")
    start = 8 + width
    try:
        end = start + struct.unpack_from(letter, data, 8)[0]
        header = ast.literal_eval(data[start:end].decode("utf-8" if data[6] == 3 else "latin-1").strip())
        descr, shape, fortran = (
            header["descr"],
            tuple(int(n) for n in header["shape"]),
            header["fortran_order"],
        )
    except (struct.error, ValueError, SyntaxError, KeyError, TypeError) as error:
        raise failed("npy header", "%s has an invalid npy header: %s" % (path, error))
    kind = NPY_TYPES.get(descr[1:]) if isinstance(descr, str) else None
    if kind is None:
        raise failed("type_map.count(type_str)", "%s holds %s, which --input cannot take" % (path, descr))
    size = struct.calcsize(kind)
    if len(data) - end != count(shape) * size:
        raise failed(
            "raw.size() == shape.total()",
            "%s holds %d bytes of data, its shape %s needs %d"
            % (path, len(data) - end, shape, count(shape) * size),
        )
    numbers = from_bytes(data[end:], kind, descr[0] == ">")
    if fortran and len(shape) > 1:
        numbers = from_fortran(numbers, shape)
    return Value(numbers, shape or (1,), kind, path)


def from_bytes(data, letter, big_endian=False):
    if letter in "e?":
        return list(
            struct.unpack(
                "%s%d%s" % (">" if big_endian else "<", len(data) // struct.calcsize(letter), letter), data
            )
        )
    numbers = array.array(letter)
    numbers.frombytes(data)
    if big_endian != (sys.byteorder == "big"):
        numbers.byteswap()
    return numbers


def from_fortran(numbers, shape):
    """Column-major numbers in row-major order: every step of the first axis is one strided slice."""
    if len(shape) < 2:
        return numbers
    result = numbers[:0]
    for index in range(shape[0]):
        result += from_fortran(numbers[index :: shape[0]], shape[1:])
    return result


def read_json(path):
    try:
        root = json.loads(read_file(path).decode("utf-8"))
    except ValueError as error:
        raise failed("root != nullptr", "parse json %s fail: %s" % (path, error))
    if not isinstance(root, dict):
        raise failed(
            "Type::OBJECT == m_type", '%s is not {"name": {"shape": [], "type": "", "raw": []}}' % path
        )
    return {name: _json_value(path, name, item) for name, item in root.items()}


def _json_value(path, name, item):
    if (
        not isinstance(item, dict)
        or not isinstance(item.get("shape"), list)
        or not isinstance(item.get("raw"), list)
    ):
        raise failed("raw->is_array()", '%s: "%s" needs "shape", "type" and "raw"' % (path, name))
    if item.get("type") not in JSON_TYPES:
        raise failed(
            "type_map.count(type_str)",
            '%s: unknown json data type for --input: "%s" (known: %s)'
            % (path, item.get("type"), ", ".join(JSON_TYPES)),
        )
    try:
        shape = [int(n) for n in item["shape"]]
        raw = item["raw"]
        if any(isinstance(n, list) for n in raw):
            raw = _nested(raw)[0]
        numbers = [float(n) for n in raw]  # the documentation also has numbers as strings
    except (TypeError, ValueError) as error:
        raise failed("Type::NUMBER == m_type", '%s: "%s": %s' % (path, name, error))
    if len(numbers) != count(shape):
        raise failed(
            "raw->len() == shape.total()",
            '%s: "%s" has %d numbers, its shape %s needs %d'
            % (path, name, len(numbers), shape, count(shape)),
        )
    return Value(numbers, shape, "", path)


def read_image(path):
    """Binary PPM or PGM, any white space and comments in its header -> uint8 {1, height, width, channels}."""
    data = read_file(path)
    match = re.match(
        rb"P([56])((?:\s+|\s*#[^\n]*\n)+)(\d+)((?:\s+|\s*#[^\n]*\n)+)(\d+)((?:\s+|\s*#[^\n]*\n)+)(\d+)\s",
        data,
    )
    if not match:
        raise failed("0", "%s is not a formal ppm/pgm" % path)
    channels = 3 if match.group(1) == b"6" else 1
    width, height, top = (int(match.group(i)) for i in (3, 5, 7))
    if not 0 < top < 256:
        raise failed("0", "%s has a maximum of %d; only one byte for each value can be read" % (path, top))
    shape = (1, height, width, channels)
    pixels = data[match.end() :]
    if not count(shape) or len(pixels) < count(shape):
        raise failed(
            "w > 0 and h > 0",
            "%s has %d bytes of pixels, %dx%d needs %d" % (path, len(pixels), width, height, count(shape)),
        )
    return Value(from_bytes(pixels[: count(shape)], "B"), shape, "B", path)


def read_shape(text):
    match = re.match(r"^\{\s*(\d+(?:\s*,\s*\d+)*)\s*\}$", text)
    if not match:
        raise failed(
            '"{" == str.substr(0, 1)', "invalid value: %s for parse_shape, valid format: {d0,d1,..,dn}" % text
        )
    return tuple(int(n) for n in match.group(1).split(","))


def read_string(text):
    """`[[1.,2.],[3.,4.]]`, `1,2,3`, `[1,2],[3,4]`. The C++ program puts one more axis of length 1 before a
    text that is one bracket, so both shapes are kept and the model's input chooses."""
    if text.count("[") != text.count("]"):
        raise failed("cur == brace_root", "braces not closed for --input: %s" % text)
    if not re.match(r"^[-+\s\[\],.0-9eE]+$", text):
        hint = (
            ""
            if os.sep not in text and not re.search(r"\.\w+$", text)
            else " (a file must end in .json, .npy, .ppm or .pgm)"
        )
        raise failed("parse value", "--input cannot read %r as numbers%s" % (text, hint))
    try:
        # a number may end or start with a dot in both languages, but may start with zeros only here
        items = ast.literal_eval("[" + re.sub(r"(?<![\d.eE])(-?)0+(?=\d)", r"\1", text.strip()) + "]")
        numbers, shape = _nested(items)
    except (SyntaxError, ValueError, TypeError) as error:
        raise failed("parse value", "--input cannot read %r as an array: %s" % (text, error))
    if len(items) == 1 and isinstance(items[0], list):
        return Value(numbers, shape[1:], "", text, other_shape=shape)
    return Value(numbers, shape, "", text)


def _nested(items):
    """(flat numbers, shape) of nested lists; raises ValueError when they are ragged."""
    if not isinstance(items, list):
        return [float(items)], ()
    parts = [_nested(item) for item in items]
    if not parts or any(shape != parts[0][1] for _, shape in parts):
        raise ValueError("rows of different length")
    return [number for numbers, _ in parts for number in numbers], (len(items),) + parts[0][1]


def encode(name, value, letter, ndim):
    """(bytes, shape, note) of a Value for an input of struct type `letter` and rank `ndim`; raises Abort when
    the type cannot hold its numbers."""
    shape = value.shape
    if value.other_shape and len(shape) != ndim:
        shape = value.other_shape
    if value.letter == letter and isinstance(value.numbers, array.array):
        return value.numbers.tobytes(), shape, ""
    numbers = value.numbers
    if letter in FLOATS:
        limit = EXACT_INTEGERS[letter]
        if (
            value.letter
            and value.letter not in FLOATS
            and any(abs(n) > limit and int(_round(n, letter)) != n for n in numbers)
        ):
            raise Abort(
                "input %s: %s holds integers that %s cannot hold exactly"
                % (name, value.source, letter_name(letter))
            )
    else:
        low, high = INTEGER_RANGES[letter]
        for number in numbers:
            if not (math.isfinite(number) and number == int(number) and low <= number <= high):
                raise Abort(
                    "input %s: %s holds %r, which %s cannot hold"
                    % (name, value.source, number, letter_name(letter))
                )
        numbers = [int(n) for n in numbers]
    try:
        data = (
            array.array(letter, numbers).tobytes()
            if letter != "e"
            else struct.pack("<%de" % len(numbers), *numbers)
        )
    except OverflowError:
        raise Abort(
            "input %s: %s holds numbers beyond the range of %s" % (name, value.source, letter_name(letter))
        )
    if letter == "f" and any(
        math.isinf(new) and not math.isinf(old) for new, old in zip(from_bytes(data, "f"), numbers)
    ):
        raise Abort("input %s: %s holds numbers beyond the range of float32" % (name, value.source))
    note = ""
    if value.letter and value.letter != letter:
        note = "input %s: %s converted to %s" % (name, letter_name(value.letter), letter_name(letter))
    return data, shape, note


def _round(number, letter):
    return struct.unpack(letter, struct.pack(letter, number))[0]


def letter_name(letter):
    if letter == "?":
        return "bool"
    return "%s%d" % (
        "float" if letter in FLOATS else "int" if letter.islower() else "uint",
        struct.calcsize(letter) * 8,
    )
