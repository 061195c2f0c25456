"""Lite's packed model: the tag `packed_model`, then a FlatBuffer of MegEngine's pack_model.fbs, release 1.13.

table ModelHeader {name, info_decryption_method, info_parse_method, model_decryption_method,
                   info_cache_parse_method: string; is_fast_run_cache: bool;}
table ModelInfo {data: [ubyte]; algo_policy: [ubyte]; binary_cache: [ubyte];}
table ModelData {data: [ubyte];}
table Model {header: ModelHeader; info: ModelInfo; data: ModelData;}
table PackModel {models: [Model];} root_type PackModel;

"""

import struct
from typing import Dict, List, Optional, Sequence, Union

from mge import files
from mge.command_line.flags import Values

TAG = b"packed_model"
NAME = "packed_model"
NO_INFO = b'{"valid": false}'


class Builder:
    """A FlatBuffer, written from its end to its start as the format wants: `self.data` is the finished tail,
    and an object is known by the length of the tail that begins with it, its place.
    """

    def __init__(self) -> None:
        self.data = b""

    def align(self, size: int, extra: int = 0) -> None:
        self.data = b"\0" * (-(len(self.data) + extra) % size) + self.data

    def put(self, data: bytes) -> int:
        self.data = data + self.data
        return len(self.data)

    def reference(self, place: int) -> int:
        self.align(4)
        return self.put(struct.pack("<I", len(self.data) + 4 - place))

    def vector(self, data: bytes, end: bytes = b"") -> int:
        self.align(4, len(data) + len(end))
        self.put(data + end)
        return self.put(struct.pack("<I", len(data)))

    def string(self, text: str) -> int:
        return self.vector(text.encode("utf-8"), b"\0")

    def references(self, places: Sequence[int]) -> int:
        self.align(4, 4 * len(places))
        for place in reversed(places):
            self.reference(place)
        return self.put(struct.pack("<I", len(places)))

    def table(self, fields: Sequence[Union[int, bool, None]]) -> int:
        """`fields` in the order of the schema: a place, a bool, or None."""
        end = len(self.data)
        places: Dict[int, int] = {}
        for index, field in enumerate(fields):
            if isinstance(field, bool):
                places[index] = self.put(struct.pack("<?", field))
        for index, field in enumerate(fields):
            if field is not None and not isinstance(field, bool):
                places[index] = self.reference(field)
        self.align(4)
        start = self.put(b"\0" * 4)
        head = struct.pack("<HH", 4 + 2 * len(fields), start - end)
        table = head + b"".join(
            struct.pack("<H", start - places[index] if index in places else 0) for index in range(len(fields))
        )
        place = self.put(table)
        mark = len(table)
        self.data = self.data[:mark] + struct.pack("<i", place - start) + self.data[mark + 4 :]
        return start

    def finish(self, root: int) -> bytes:
        self.align(8, 4)
        self.put(struct.pack("<I", len(self.data) + 4 - root))
        return self.data


def pack(
    model: bytes, info: bytes = b"", cache: bytes = b"", info_method: str = "NONE", model_method: str = "NONE"
) -> bytes:
    """Bytes of a packed model; `cache` is a fast-run cache, the methods name ciphers that are not applied."""
    build = Builder()
    texts = (NAME, info_method, "LITE_default", model_method, "LITE_parse_cache")
    strings: List[Optional[int]] = [build.string(text) for text in texts]
    header = build.table([*strings, bool(cache)])
    information = build.table([build.vector(info or NO_INFO), build.vector(cache) if cache else None, None])
    data = build.table([build.vector(model)])
    models = build.references([build.table([header, information, data])])
    return TAG + build.finish(build.table([models]))


def write(values: Values, model: str) -> None:
    """--packed-model-dump with its family of flags, of the model at path `model`. Raises AbortError."""
    files.check_writable(values.packed_model_dump)
    info = files.read_if_named(values.pack_info_json)
    cache = files.read_if_named(values.pack_cache)
    methods = (values.pack_info_cryption, values.pack_model_cryption)
    data = pack(files.read_if_named(model), info, cache, *methods)
    with open(values.packed_model_dump, "wb") as stream:
        stream.write(data)
