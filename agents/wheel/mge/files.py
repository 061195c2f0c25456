"""Files that flags name: refused with a reason before the library, which dies of a signal, meets them."""

import os
import shutil
import tempfile

from mge.errors import failed

MAGIC_BYTES = 16
GRAPH_TAGS = (b"mgb0001", b"mgb0000a", b"MGBS", b"MGBC")
FLATBUFFER_GRAPH_TAG = b"mgv2"  # of the file identifier's place, behind a size and a root


class Scratch:
    """A folder of its own for files that are only needed during the run."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="load_and_run.")

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def check_writable(path: str) -> None:
    """Raises AbortError for a file that cannot be opened for writing; makes an empty one."""
    try:
        with open(path, "ab"):
            pass
    except OSError as error:
        raise failed("fout", f"failed to open {path} for writing: {error.strerror}") from error


def make_folder(path: str) -> None:
    """Raises AbortError for a folder that cannot be had."""
    try:
        if not os.path.isdir(path):
            os.makedirs(path)
    except OSError as error:
        raise failed("dir", f"failed to make folder {path}: {error}") from error


def read_if_named(path: str) -> bytes:
    """Bytes of a file, none without a path. Raises AbortError."""
    if not path:
        return b""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise failed("fp", f"failed to open {path}: {error.strerror}") from error


def read_magic(model: str) -> bytes:
    """The first bytes of a model's file. Raises AbortError when it cannot be read or is too short."""
    try:
        with open(model, "rb") as stream:
            head = stream.read(MAGIC_BYTES)
    except OSError as error:
        raise failed("fin", f"failed to open {model}: {os.strerror(error.errno or 0)}") from error
    if len(head) < MAGIC_BYTES:
        raise failed("fread(buf, 1, 16, fin) == 16", f"read model failed: {model} has {len(head)} bytes")
    return head


def is_graph(path: str) -> bool:
    """Whether a file is a dumped graph, by the tags that the C++ program knows."""
    with open(path, "rb") as stream:
        head = stream.read(MAGIC_BYTES)
    return head[8:12] == FLATBUFFER_GRAPH_TAG or head.startswith(GRAPH_TAGS)
