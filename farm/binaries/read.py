"""What a program or library is, by its first bytes. Pure.

The standard library alone: a file may be cut short or hostile, and of one on a device only the beginning is
here, which readers of whole ELF files do not take.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

HEAD_BYTES = 1 << 16
"""How much of a program on a device is looked at: headers and the loader's name stand at the beginning."""

_SEGMENTS_LIMIT = 512
_INTERPRETER_BYTES = 4096
_NAME_BYTES = 256
_OFFSET_LIMIT = 1 << 60
_DYNAMIC_BYTES = 1 << 20
_NAMES_BYTES = 16 << 20
_OBJECT, _PROGRAM, _SHARED, _CORE = 1, 2, 3, 4
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRING_TABLE, _SONAME = 1, 5, 14


class Form(Enum):
    """What kind of file it is."""

    ELF = "elf"
    SCRIPT = "script"
    OTHER = "other"


@dataclass(frozen=True)
class Binary:
    """A file that may be run or loaded.

    `bits` and `number` are class and machine of an ELF header. `interpreter` is the dynamic loader of a
    program, or what the first line of a script names; None for a static program. `needed` are names of
    libraries, `soname` is its own. `damage` says what is wrong with it, None where nothing was found.
    """

    form: Form
    bits: int = 0
    number: int = 0
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    soname: str | None = None
    damage: str | None = None


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


class _CutError(Exception):
    """The file ends before what its header announces."""


class _BeyondError(Exception):
    """It may be in the file, but not in what of it is here."""


def read_binary(stream: BinaryIO, size_bytes: int) -> Binary:
    """What the file is whose beginning, or whole, is in `stream`. Raises OSError and nothing else."""
    head = stream.read(64)
    if head[:2] == b"#!":
        stream.seek(0)
        words = stream.readline(256)[2:].strip()
        return Binary(Form.SCRIPT, interpreter=_text(words) or None)
    if head[:4] != b"\x7fELF":
        return Binary(Form.OTHER, damage="it is empty" if not head else None)
    try:
        return _read_elf(stream, head, size_bytes)
    except _CutError as error:
        return Binary(Form.ELF, *_identity(head), damage=f"it is cut short: {error}")
    except _BeyondError:
        return Binary(Form.ELF, *_identity(head))
    except (struct.error, ValueError, OverflowError):
        return Binary(Form.ELF, *_identity(head), damage="its header is damaged")


def _identity(head: bytes) -> tuple[int, int]:
    if len(head) < 20:
        return 0, 0
    bits = {1: 32, 2: 64}.get(head[4], 0)
    return bits, int.from_bytes(head[18:20], "big" if head[5] == 2 else "little")


def _read_elf(stream: BinaryIO, head: bytes, size_bytes: int) -> Binary:
    bits, number = _identity(head)
    if len(head) < (64 if bits == 64 else 52):
        raise _CutError(f"its header needs more than its {size_bytes} bytes")
    order = {1: "<", 2: ">"}.get(head[5])
    if order is None or bits == 0:
        raise ValueError
    kind = struct.unpack_from(f"{order}H", head, 16)[0]
    if kind not in (_PROGRAM, _SHARED):
        what = {_OBJECT: "an object file that was not linked", _CORE: "a core dump"}.get(kind, "no program")
        return Binary(Form.ELF, bits, number, damage=f"it is {what}")
    segments = _segments(stream, head, bits, order, size_bytes)
    interpreter, soname = None, None
    needed: tuple[str, ...] = ()
    for one in segments:
        if one.kind == _INTERPRETER:
            interpreter = _text(_at(stream, one.offset, min(one.size, _INTERPRETER_BYTES)))
        elif one.kind == _DYNAMIC:
            needed, soname = _libraries(stream, segments, one, bits, order)
    return Binary(Form.ELF, bits, number, interpreter, needed, soname)


def _segments(stream: BinaryIO, head: bytes, bits: int, order: str, size_bytes: int) -> list[_Segment]:
    """The segments, all of which lie in the file."""
    if bits == 64:
        table, sections = struct.unpack_from(f"{order}QQ", head, 32)
        entry, count, section, section_count = struct.unpack_from(f"{order}4H", head, 54)
        layout, pick = f"{order}IIQQQQQQ", (0, 2, 3, 5)
    else:
        table, sections = struct.unpack_from(f"{order}II", head, 28)
        entry, count, section, section_count = struct.unpack_from(f"{order}4H", head, 42)
        layout, pick = f"{order}8I", (0, 1, 2, 4)
    if entry < struct.calcsize(layout) or count > _SEGMENTS_LIMIT:
        raise ValueError
    last = max(table + entry * count, sections + section * section_count if sections else 0)
    found = []
    for index in range(count):
        if table + entry * (index + 1) > size_bytes:
            break  # told below
        fields = struct.unpack(layout, _at(stream, table + entry * index, struct.calcsize(layout)))
        found.append(_Segment(*(fields[place] for place in pick)))
        if found[-1].kind in (_LOAD, _INTERPRETER):
            last = max(last, found[-1].offset + found[-1].size)
    if last > size_bytes:
        raise _CutError(f"its header announces {last:,} bytes, it has {size_bytes:,}")
    return found


def _libraries(
    stream: BinaryIO, segments: list[_Segment], dynamic: _Segment, bits: int, order: str
) -> tuple[tuple[str, ...], str | None]:
    """Needed libraries and own name; nothing where these lie beyond what of the file is here."""
    try:
        table = _at(stream, dynamic.offset, min(dynamic.size, _DYNAMIC_BYTES))
        pairs = list(struct.iter_unpack(f"{order}{'QQ' if bits == 64 else 'II'}", table))
        address = next(value for tag, value in pairs if tag == _STRING_TABLE)
        home = next(s for s in segments if s.kind == _LOAD and s.address <= address < s.address + s.size)
        start = address - home.address
        names = _at(stream, home.offset + start, min(home.size - start, _NAMES_BYTES))
    except (StopIteration, struct.error, _BeyondError):
        return (), None

    def text(place: int) -> str:
        return _text(names[place : place + _NAME_BYTES])

    end = next((index for index, (tag, _) in enumerate(pairs) if tag == 0), len(pairs))
    needed = tuple(text(value) for tag, value in pairs[:end] if tag == _NEEDED)
    return needed, next((text(value) for tag, value in pairs[:end] if tag == _SONAME), None)


def _at(stream: BinaryIO, offset: int, size: int) -> bytes:
    if offset > _OFFSET_LIMIT:
        raise ValueError
    stream.seek(offset)
    found = stream.read(size)
    if len(found) < size:
        raise _BeyondError
    return found


def _text(name: bytes) -> str:
    """A name up to its zero, as it is; who shows it makes it visible."""
    return name.split(b"\0")[0].decode("utf-8", "surrogateescape")
