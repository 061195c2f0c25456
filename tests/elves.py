"""ELF files for tests: programs that are right, wrong, or cut short, made here without any compiler."""

from __future__ import annotations

import struct
from pathlib import Path

X86_64, AARCH64, ARM, I386, HEXAGON = (64, 62), (64, 183), (32, 40), (32, 3), (32, 164)

ODD = b"\n\ntouch ran-by-a-shell\n"
"""What a shell runs that takes the file for a script."""


def elf(cpu: tuple[int, int], *, kind: int = 2, interpreter: str = "", needed: tuple[str, ...] = ()) -> bytes:
    """An ELF file for this class and machine; where no kernel refuses it, it crashes."""
    bits, number = cpu
    word, names = ("Q" if bits == 64 else "I"), b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    header, entry = (64, 56) if bits == 64 else (52, 32)
    loader = interpreter.encode() + b"\0" if interpreter else b""
    places = [index for index in range(len(names)) if index == 0 or names[index - 1 : index] == b"\0"][1:]
    start = header + 3 * entry
    names_at, tags_at = start + len(loader), start + len(loader) + len(names)
    pairs = [(5, names_at), *((1, place) for place in places[: len(needed)]), (0, 0)]
    tags = b"".join(struct.pack(f"<2{word}", *pair) for pair in pairs)
    size = tags_at + len(tags) + len(ODD)

    def segment(what: int, offset: int, length: int) -> bytes:
        if bits == 64:
            return struct.pack("<IIQQQQQQ", what, 5, offset, offset, offset, length, length, 4096)
        return struct.pack("<8I", what, offset, offset, offset, length, length, 5, 4096)

    head = b"\x7fELF" + bytes((bits // 32, 1, 1)) + bytes(9)
    head += struct.pack(f"<HHI3{word}I6H", kind, number, 1, start, header, 0, 0, header, entry, 3, 0, 0, 0)
    segments = segment(1, 0, size) + segment(2 if needed else 0, tags_at, len(tags))
    segments += segment(3 if loader else 0, start, len(loader))
    return head + segments + loader + names + tags + ODD


def program(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o755)
    return path
