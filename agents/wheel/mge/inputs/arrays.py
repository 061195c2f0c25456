"""Numbers with a shape, and their bytes in the data type of a model's input; without numpy.

A data type is a letter of module struct. Where a conversion would change the numbers, it is refused.
"""

import array
import math
import struct
import sys
from typing import Any, List, MutableSequence, Optional, Sequence, Tuple

from mge.errors import AbortError

Shape = Tuple[int, ...]
Numbers = MutableSequence[Any]
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


class Array:
    """Numbers as a flat sequence in C order.

    `letter` is their data type, "" when the text that they come from has none of its own. `source` is that
    text, or a file's path. `other_shape` is what the C++ program makes of the same text.
    """

    def __init__(
        self,
        numbers: Numbers,
        shape: Sequence[int],
        letter: str = "",
        source: str = "",
        other_shape: Optional[Shape] = None,
    ) -> None:
        self.numbers, self.shape, self.letter, self.source = numbers, tuple(shape), letter, source
        self.other_shape = other_shape


def element_count(shape: Sequence[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def from_bytes(data: bytes, letter: str, *, big_endian: bool = False) -> Numbers:
    if letter in "e?":  # unknown to module array
        order = ">" if big_endian else "<"
        return list(struct.unpack(f"{order}{len(data) // struct.calcsize(letter)}{letter}", data))
    numbers: array.array[Any] = array.array(letter)
    numbers.frombytes(data)
    if big_endian != (sys.byteorder == "big"):
        numbers.byteswap()
    return numbers


def from_fortran(numbers: Numbers, shape: Sequence[int]) -> Numbers:
    """Column-major numbers in row-major order: every step of the first axis is one strided slice."""
    if len(shape) < 2:
        return numbers
    result = numbers[:0]
    for index in range(shape[0]):
        result += from_fortran(numbers[index :: shape[0]], shape[1:])
    return result


def encode(name: str, value: Array, letter: str, ndim: int) -> Tuple[bytes, Shape, str]:
    """(bytes, shape, note) of an array for the input `name` of data type `letter` and rank `ndim`.

    Raises AbortError when the type cannot hold its numbers.
    """
    shape = value.shape
    if value.other_shape and len(shape) != ndim:
        shape = value.other_shape
    if value.letter == letter and isinstance(value.numbers, array.array):
        return value.numbers.tobytes(), shape, ""
    data = (_float_bytes if letter in FLOATS else _integer_bytes)(name, value, letter)
    note = ""
    if value.letter and value.letter != letter:
        note = f"input {name}: {type_name(value.letter)} converted to {type_name(letter)}"
    return data, shape, note


def _integer_bytes(name: str, value: Array, letter: str) -> bytes:
    low, high = INTEGER_RANGES[letter]
    for number in value.numbers:
        if not (math.isfinite(number) and number == int(number) and low <= number <= high):
            raise _refused(name, value, f"{number!r}, which {type_name(letter)} cannot hold")
    return array.array(letter, [int(number) for number in value.numbers]).tobytes()


def _float_bytes(name: str, value: Array, letter: str) -> bytes:
    numbers, limit = value.numbers, EXACT_INTEGERS[letter]
    out_of_range = f"numbers beyond the range of {type_name(letter)}"
    try:
        if value.letter and value.letter not in FLOATS:
            for number in numbers:
                if abs(number) > limit and int(_rounded(number, letter)) != number:
                    raise _refused(name, value, f"integers that {type_name(letter)} cannot hold exactly")
        if letter == "e":
            return struct.pack(f"<{len(numbers)}e", *numbers)
        data = array.array(letter, numbers).tobytes()
    except (OverflowError, struct.error) as error:  # of a float, of an integer
        raise _refused(name, value, out_of_range) from error
    for converted, number in zip(from_bytes(data, letter), numbers):
        if math.isinf(converted) and not math.isinf(number):
            raise _refused(name, value, out_of_range)
    return data


def _rounded(number: float, letter: str) -> float:
    """The nearest number of a float type. Raises OverflowError or struct.error beyond its range."""
    rounded: float = struct.unpack(letter, struct.pack(letter, number))[0]
    return rounded


def _refused(name: str, value: Array, held: str) -> AbortError:
    return AbortError(f"input {name}: {value.source} holds {held}")


def repeat_rows(data: bytes, shape: Shape, batch: int) -> Tuple[bytes, Shape]:
    """The rows of `data` again and again until there are `batch` of them."""
    row_bytes = len(data) // shape[0]
    times = -(-batch // shape[0])
    return (bytes(data) * times)[: row_bytes * batch], (batch, *shape[1:])


def type_name(letter: str) -> str:
    """The data type as people write it: `float32`."""
    if letter == "?":
        return "bool"
    kind = "float" if letter in FLOATS else "int" if letter.islower() else "uint"
    return f"{kind}{struct.calcsize(letter) * 8}"


def nested(items: Any) -> Tuple[List[float], Shape]:
    """(flat numbers, shape) of nested lists. Raises ValueError when they are ragged."""
    if not isinstance(items, list):
        return [float(items)], ()
    parts = [nested(item) for item in items]
    if not parts or any(shape != parts[0][1] for _, shape in parts):
        raise ValueError("rows of different length")
    return [number for numbers, _ in parts for number in numbers], (len(items), *parts[0][1])
