"""C++ objects of the library in this process's memory, of one exact build of it.

A build id names the linked code and data; it is the same in the wheel's library and in the copy whose CUDA
code was filled with zeros, and it is read in microseconds where a SHA-256 of 1.5 GB takes seconds (the
farm checks the digest when it deploys the file).
"""

import ctypes
import os
import struct
from ctypes import c_void_p
from typing import Any, List, Sequence

from mge.bindings import elf
from mge.bindings.lite import Library
from mge.bindings.lite_c import CORE, LITE
from mge.errors import UnavailableError

# file -> (size in bytes, GNU build id) in MegEngine 1.13.0's manylinux2014 x86-64 wheel for CPython 3.10
BUILDS = {
    CORE: (1571279640, "d3b295c3793f08725594d2e8cc525b5c1d3c37f9"),
    LITE: (713816, "1aaee672a3da6f3f413d41595f3a9eb3b1130918"),
}
SMALL_VECTOR = struct.Struct("<3Q")  # begin, end, end of capacity; up to four elements follow in place
SMALL_VECTOR_ITEMS = 4
MAX_ITEMS = 4096
POINTER_BYTES = 8
CLASS_TABLE_OFFSET = 16  # a class's table of functions starts so many bytes into its symbol
STRING_HEADER_BYTES = 24  # of GCC's old, reference-counted std::string: length, capacity, references
MANY_REFERENCES = 1 << 20  # so that the library never frees a string of ours


def refusal(why: str) -> UnavailableError:
    return UnavailableError(
        "this option needs internal symbols of MegEngine 1.13.0's wheel for CPython 3.10 on x86-64, "
        f"and {why}"
    )


class CppObjects:
    """Reads, makes and changes objects of the library.

    Raises UnavailableError for a library of another build, and where an object is not what it should be.
    Memory is reached through a file, so a wrong address is an error and no crash.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.kept: List[Any] = []  # the library keeps their addresses for the rest of the process
        for name, (size_bytes, identity) in BUILDS.items():
            path = os.path.join(library.folder, name)
            if os.path.getsize(path) != size_bytes or elf.build_id(path) != identity:
                raise refusal(f"{name} is another build")
        self.memory = open("/proc/self/mem", "r+b", 0)  # noqa: SIM115 - to the end of the process

    def read(self, address: int, size_bytes: int) -> bytes:
        """What is at an address, nothing when that cannot be read."""
        try:
            self.memory.seek(address)
            return self.memory.read(size_bytes)
        except (OSError, ValueError, OverflowError):
            return b""

    def write(self, address: int, data: bytes) -> None:
        self.memory.seek(address)
        self.memory.write(data)

    def pointer(self, address: int) -> int:
        """The pointer at an address, 0 when that cannot be read."""
        data = self.read(address, POINTER_BYTES)
        return int.from_bytes(data, "little") if len(data) == POINTER_BYTES else 0

    def symbol(self, name: str) -> int:
        """Address of a symbol of the library."""
        try:
            return ctypes.cast(getattr(self.library.core, name), c_void_p).value or 0
        except AttributeError as error:
            raise refusal(f"{name} is missing") from error

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function without a result; integers are addresses, everything else has its ctypes type."""
        types = [c_void_p if isinstance(argument, int) else type(argument) for argument in arguments]
        ctypes.CFUNCTYPE(None, *types)(self.symbol(name))(*arguments)

    def class_table(self, class_symbol: str) -> int:
        """What the first pointer of every object of a class is."""
        return self.symbol(class_symbol) + CLASS_TABLE_OFFSET

    def checked(self, address: int, class_symbol: str) -> int:
        """`address`, if an object of that class is there."""
        if not address or address % 8 or self.pointer(address) != self.class_table(class_symbol):
            raise refusal(f"an object of the library is not where it should be ({class_symbol})")
        return address

    def vector_items(self, vector: int, class_symbol: str) -> List[int]:
        """Pointers of a SmallVector of objects of one class."""
        begin, end, _ = SMALL_VECTOR.unpack(self.read(vector, SMALL_VECTOR.size))
        if end < begin or (end - begin) % POINTER_BYTES or end - begin > MAX_ITEMS * POINTER_BYTES:
            raise refusal("a list of variables is not where it should be")
        places = range(begin, end, POINTER_BYTES)
        return [self.checked(self.pointer(place), class_symbol) for place in places]

    def new_vector(self, items: Sequence[int]) -> int:
        """Address of a new SmallVector of pointers."""
        room = max(len(items), SMALL_VECTOR_ITEMS)
        buffer = ctypes.create_string_buffer(SMALL_VECTOR.size + POINTER_BYTES * room)
        begin = ctypes.addressof(buffer) + SMALL_VECTOR.size
        ends = (begin + POINTER_BYTES * len(items), begin + POINTER_BYTES * room)
        data = SMALL_VECTOR.pack(begin, *ends) + struct.pack(f"<{len(items)}Q", *items)
        ctypes.memmove(buffer, data, len(data))
        self.kept.append(buffer)
        return ctypes.addressof(buffer)

    def new_string(self, text: str) -> int:
        """Address of a new std::string."""
        data = os.fsencode(text)
        body = ctypes.create_string_buffer(struct.pack("<QQq", len(data), len(data), MANY_REFERENCES) + data)
        holder = c_void_p(ctypes.addressof(body) + STRING_HEADER_BYTES)
        self.kept += [body, holder]
        return ctypes.addressof(holder)
