"""Rebuild the files of a pack in an artifact store on a device. See farm/runtime/compact.py for the format.

    unpack.py PACK STORE_DIR [--remove-pack]

Each file becomes STORE_DIR/<aa>/<sha256>, sparse and read-only, renamed into place after its SHA-256 was
checked; one that is there already stays. Prints "<sha256> <size> <made|kept> <name>" for each.
Needs CPython >= 3.6, for an "xz" pack its lzma module or the program xz. Exit code: 0, or 28 when the disk
is full, 2 for wrong arguments, 1 for all else with a line on stderr. Nothing half-made is left.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from types import FrameType
from typing import IO, Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

BLOCK_BYTES = 1 << 20
LARGEST_MEMORY_BYTES = 64 << 20  # packs need 9 MB; a damaged one could ask for 4 GB
RECORD = struct.Struct("<QQ")
LARGEST_RECORD_BYTES = 1 << 20
LONGEST_HEADER_BYTES = 1 << 20
VERSIONS = (1, 2)  # 1: one stream, 2: several
EXIT_FAILED, EXIT_DISK_FULL = 1, 28
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class BrokenPackError(Exception):
    """The pack cannot be used; the text says why."""


def main(argv: List[str]) -> int:
    words = [word for word in argv if word != "--remove-pack"]
    if len(words) != 2 or any(word.startswith("-") for word in words):
        return fail(2, "usage: unpack.py PACK STORE_DIR [--remove-pack]")
    # A kill by the agent must run the clean-up below.
    signal.signal(signal.SIGTERM, _end)
    pack, store = words
    try:
        lock = os.open(store, os.O_RDONLY)  # a folder can be locked; one unpacks at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        unpack(pack, store)
        if len(words) != len(argv):
            os.unlink(pack)
    except BrokenPackError as error:
        return fail(EXIT_FAILED, f"{pack}: {error}")
    except (OSError, EOFError) as error:
        code = getattr(error, "errno", None)
        if code in DISK_FULL:
            return fail(
                EXIT_DISK_FULL,
                f"the disk of {store} is full: the runtime needs 450 MB there "
                "(with CUDA code 2.6 GB); nothing half-made was left",
            )
        return fail(EXIT_FAILED, f"{getattr(error, 'filename', None) or pack}: {error}")
    return 0


def _end(number: int, _: Optional[FrameType]) -> None:
    sys.exit(128 + number)


def fail(code: int, message: str) -> int:
    sys.stderr.write(f"unpack.py: {message}\n")
    return code


def unpack(pack: str, store: str) -> None:
    """Raises BrokenPackError, and OSError of the disk."""
    with open(pack, "rb") as stream:
        codec, files = read_header(stream)
        kept = [size_of(path_of(store, one["sha256"])) == one["size"] for one in files]
        if not all(kept):
            data = Stream(DECOMPRESSORS[codec](stream))
            for one, there in zip(files, kept):
                if there:
                    skip(data, one["size"])
                else:
                    rebuild(data, one["sha256"], one["size"], path_of(store, one["sha256"]))
    for one, there in zip(files, kept):
        print(one["sha256"], one["size"], "kept" if there else "made", one["name"])


def read_header(stream: BinaryIO) -> Tuple[str, List[Dict[str, Any]]]:
    """(codec, name, sha256 and size of each file), checked. Raises BrokenPackError."""
    try:
        header = json.loads(stream.readline(LONGEST_HEADER_BYTES).decode("utf-8"))
        if header["farm_pack"] not in VERSIONS or header["codec"] not in DECOMPRESSORS:
            raise BrokenPackError("a pack of a kind that this script does not know")
        for one in header["files"]:
            digest, name = re.match(r"[0-9a-f]{64}\Z", one["sha256"]), re.match(r"[\w./+-]+\Z", one["name"])
            if not (digest and name and isinstance(one["size"], int)):
                raise BrokenPackError("its header is damaged")
        return header["codec"], header["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenPackError("not a pack") from error


def path_of(store: str, sha256: str) -> str:
    return os.path.join(store, sha256[:2], sha256)


def size_of(path: str) -> Optional[int]:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def rebuild(data: "Stream", sha256: str, size: int, path: str) -> None:
    """Write beside `path`, holes where there are zeros; check while writing; rename."""
    aside = path + ".unpacking"
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    digest = hashlib.sha256()
    zeros = bytes(BLOCK_BYTES)
    done = 0
    try:
        with open(aside, "wb") as output:
            for offset, block in data.records(size):
                for gap in range(done, offset, BLOCK_BYTES):
                    digest.update(zeros[: offset - gap])
                output.seek(offset)
                output.write(block)
                digest.update(block)
                done = offset + len(block)
            for gap in range(done, size, BLOCK_BYTES):
                digest.update(zeros[: size - gap])
            output.truncate(size)
            output.flush()
            os.fsync(output.fileno())
        if digest.hexdigest() != sha256:
            raise BrokenPackError(f"SHA-256 of {sha256} is wrong: the pack is damaged")
        os.chmod(aside, 0o444)
        os.rename(aside, path)
    finally:
        if os.path.exists(aside):
            os.unlink(aside)


def skip(data: "Stream", size: int) -> None:
    for _ in data.records(size):
        pass


class Stream:
    """Records out of pieces of decompressed bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.buffer = bytearray()

    def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            piece = next(self.pieces, None)
            if piece is None:
                raise BrokenPackError("it ends too early")
            self.buffer += piece
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def records(self, size: int) -> Iterator[Tuple[int, bytes]]:
        """(offset, bytes) until the end of one file, checked to rise and to stay inside `size`."""
        done = 0
        while True:
            offset, length = RECORD.unpack(self.take(RECORD.size))
            if length == 0:
                return
            if length > LARGEST_RECORD_BYTES or offset < done or offset + length > size:
                raise BrokenPackError("its records are damaged")
            yield offset, self.take(length)
            done = offset + length


def blocks(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(BLOCK_BYTES), b"")


def zlib_pieces(stream: BinaryIO) -> Iterator[bytes]:
    decompressor = zlib.decompressobj()
    try:
        for block in blocks(stream):
            # At most a block at once: the memory of a small device is not ours.
            left = block
            while left:
                if decompressor.eof:
                    decompressor = zlib.decompressobj()
                yield decompressor.decompress(left, BLOCK_BYTES)
                left = decompressor.unused_data or decompressor.unconsumed_tail
        yield decompressor.flush()
    except zlib.error as error:
        raise BrokenPackError(f"damaged: {error}") from error


def xz_pieces(stream: BinaryIO) -> Iterator[bytes]:
    try:
        import lzma
    except ImportError:
        return xz_program_pieces(stream)
    return lzma_pieces(stream, lzma)


def lzma_pieces(stream: BinaryIO, lzma: Any) -> Iterator[bytes]:
    decompressor = lzma.LZMADecompressor(memlimit=LARGEST_MEMORY_BYTES)
    try:
        for block in blocks(stream):
            left = block
            while left or not (decompressor.needs_input or decompressor.eof):
                if decompressor.eof:
                    decompressor = lzma.LZMADecompressor(memlimit=LARGEST_MEMORY_BYTES)
                yield decompressor.decompress(left, BLOCK_BYTES)
                left = decompressor.unused_data
    except (lzma.LZMAError, EOFError) as error:
        raise BrokenPackError(f"damaged: {error}") from error


def xz_program_pieces(stream: BinaryIO) -> Iterator[bytes]:
    """For a Python that was built without lzma."""
    program = shutil.which("xz")
    if program is None:
        raise BrokenPackError(
            "the Python here has no lzma module and there is no program xz: install xz-utils"
        )
    # From where the header ended: the program reads the same open file.
    os.lseek(stream.fileno(), stream.tell(), os.SEEK_SET)
    process = subprocess.Popen([program, "-dc"], stdin=stream, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield from blocks(process.stdout)
        if process.wait() != 0:
            raise BrokenPackError("damaged, says xz")
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


DECOMPRESSORS: Dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {"xz": xz_pieces, "zlib": zlib_pieces}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
