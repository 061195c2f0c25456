"""What this program asks of a shared library's file (ELF, 64 bits, little-endian)."""

import struct
from typing import BinaryIO, Dict, Tuple

HEADER_BYTES, SECTION_BYTES = 64, 64
NOTE_HEADER_BYTES = 16  # three sizes and the name "GNU"
NOTE, BUILD_ID = 7, 3
CUDA_SECTION = ".nv_fatbin"
SAMPLE_BYTES = 4096


def sections(stream: BinaryIO) -> Dict[str, Tuple[int, int, int]]:
    """By name: (type, offset in bytes, size in bytes); none of a file that is cut off or of another kind."""
    stream.seek(0)
    head = stream.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES or head[:6] != b"\x7fELF\2\1":
        return {}
    (start,) = struct.unpack_from("<Q", head, 40)
    entry, count, names = struct.unpack_from("<3H", head, 58)
    stream.seek(start)
    table = stream.read(entry * count)
    if entry != SECTION_BYTES or len(table) < entry * count or names >= count:
        return {}
    rows = [struct.unpack_from("<2I4Q", table, index * entry) for index in range(count)]
    stream.seek(rows[names][4])
    texts = stream.read(rows[names][5])
    return {
        texts[name : texts.find(b"\0", name)].decode("ascii", "replace"): (kind, offset, size)
        for name, kind, _, _, offset, size in rows
    }


def build_id(path: str) -> str:
    """The GNU build id in hexadecimal, "" when the file has none."""
    with open(path, "rb") as stream:
        for kind, offset, size in sections(stream).values():
            stream.seek(offset)
            note = stream.read(min(size, SAMPLE_BYTES)) if kind == NOTE else b""
            if len(note) >= NOTE_HEADER_BYTES:
                name_bytes, id_bytes, note_kind = struct.unpack_from("<3I", note)
                if note_kind == BUILD_ID and note[12 : 12 + name_bytes] == b"GNU\0":
                    return note[NOTE_HEADER_BYTES : NOTE_HEADER_BYTES + id_bytes].hex()
    return ""


def has_cuda_code(path: str) -> bool:
    """Whether the library still has the code for NVIDIA GPUs that farm leaves out for devices without one."""
    with open(path, "rb") as stream:
        _, offset, size = sections(stream).get(CUDA_SECTION, (0, 0, 0))
        stream.seek(offset)
        return any(stream.read(min(size, SAMPLE_BYTES)))
