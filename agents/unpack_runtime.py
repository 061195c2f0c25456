#!/usr/bin/env python3
"""Rebuild the files of a pack in an artifact store on a device. See farm/runtime/compact.py for the format.

    unpack_runtime.py PACK STORE_DIR [--remove-pack]

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

BLOCK = 1 << 20
RECORD = struct.Struct("<QQ")
LARGEST_RECORD = 1 << 20
LONGEST_HEADER = 1 << 20
EXIT_FAILED, EXIT_DISK_FULL = 1, 28
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Broken(Exception):
    """The pack cannot be used; the text says why."""


def main(argv):
    words = [word for word in argv if word != "--remove-pack"]
    if len(words) != 2 or any(word.startswith("-") for word in words):
        return fail(2, "usage: unpack_runtime.py PACK STORE_DIR [--remove-pack]")
    # A kill by the agent must run the clean-up below.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    pack, store = words
    try:
        lock = os.open(store, os.O_RDONLY)  # a folder can be locked; one unpacks at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        unpack(pack, store)
        if len(words) != len(argv):
            os.unlink(pack)
    except Broken as error:
        return fail(EXIT_FAILED, "%s: %s" % (pack, error))
    except (OSError, EOFError) as error:
        code = getattr(error, "errno", None)
        if code in DISK_FULL:
            return fail(EXIT_DISK_FULL, "the disk of %s is full: the runtime needs 450 MB there "
                                        "(with CUDA code 2.6 GB); nothing half-made was left" % store)
        return fail(EXIT_FAILED, "%s: %s" % (getattr(error, "filename", None) or pack, error))
    return 0


def fail(code, message):
    sys.stderr.write("unpack_runtime: %s\n" % message)
    return code


def unpack(pack, store):
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
        print("%s %d %s %s" % (one["sha256"], one["size"], "kept" if there else "made", one["name"]))


def read_header(stream):
    try:
        header = json.loads(stream.readline(LONGEST_HEADER).decode("utf-8"))
        if header["farm_pack"] != 1 or header["codec"] not in DECOMPRESSORS:
            raise Broken("a pack of a kind that this script does not know")
        for one in header["files"]:
            if not (re.match(r"[0-9a-f]{64}\Z", one["sha256"]) and isinstance(one["size"], int) and
                    re.match(r"[\w./+-]+\Z", one["name"])):
                raise Broken("its header is damaged")
        return header["codec"], header["files"]
    except (ValueError, KeyError, TypeError):
        raise Broken("not a pack")


def path_of(store, sha256):
    return os.path.join(store, sha256[:2], sha256)


def size_of(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def rebuild(data, sha256, size, path):
    """Write beside `path`, holes where there are zeros; check while writing; rename."""
    aside = path + ".unpacking"
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    digest = hashlib.sha256()
    zeros = bytes(BLOCK)
    done = 0
    try:
        with open(aside, "wb") as output:
            for offset, block in data.records(size):
                for gap in range(done, offset, BLOCK):
                    digest.update(zeros[:offset - gap])
                output.seek(offset)
                output.write(block)
                digest.update(block)
                done = offset + len(block)
            for gap in range(done, size, BLOCK):
                digest.update(zeros[:size - gap])
            output.truncate(size)
            output.flush()
            os.fsync(output.fileno())
        if digest.hexdigest() != sha256:
            raise Broken("SHA-256 of %s is wrong: the pack is damaged" % sha256)
        os.chmod(aside, 0o444)
        os.rename(aside, path)
    finally:
        if os.path.exists(aside):
            os.unlink(aside)


def skip(data, size):
    for _ in data.records(size):
        pass


class Stream(object):
    """Records out of pieces of decompressed bytes."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.buffer = bytearray()

    def take(self, count):
        while len(self.buffer) < count:
            piece = next(self.pieces, None)
            if piece is None:
                raise Broken("it ends too early")
            self.buffer += piece
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def records(self, size):
        """(offset, bytes) until the end of one file, checked to rise and to stay inside `size`."""
        done = 0
        while True:
            offset, length = RECORD.unpack(self.take(RECORD.size))
            if length == 0:
                return
            if length > LARGEST_RECORD or offset < done or offset + length > size:
                raise Broken("its records are damaged")
            yield offset, self.take(length)
            done = offset + length


def blocks(stream):
    return iter(lambda: stream.read(BLOCK), b"")


def zlib_pieces(stream):
    decompressor = zlib.decompressobj()
    try:
        for block in blocks(stream):
            # At most a block at once: the memory of a small device is not ours.
            while block:
                yield decompressor.decompress(block, BLOCK)
                block = decompressor.unconsumed_tail
        yield decompressor.flush()
    except zlib.error as error:
        raise Broken("damaged: %s" % error)


def xz_pieces(stream):
    try:
        import lzma
    except ImportError:
        return xz_program_pieces(stream)
    return lzma_pieces(stream, lzma)


def lzma_pieces(stream, lzma):
    decompressor = lzma.LZMADecompressor()
    try:
        for block in blocks(stream):
            yield decompressor.decompress(block, BLOCK)
            while not decompressor.needs_input and not decompressor.eof:
                yield decompressor.decompress(b"", BLOCK)
    except (lzma.LZMAError, EOFError) as error:
        raise Broken("damaged: %s" % error)


def xz_program_pieces(stream):
    """For a Python that was built without lzma."""
    program = shutil.which("xz")
    if program is None:
        raise Broken("the Python here has no lzma module and there is no program xz: install xz-utils")
    # From where the header ended: the program reads the same open file.
    os.lseek(stream.fileno(), stream.tell(), os.SEEK_SET)
    process = subprocess.Popen([program, "-dc"], stdin=stream, stdout=subprocess.PIPE)
    try:
        for block in blocks(process.stdout):
            yield block
        if process.wait() != 0:
            raise Broken("damaged, says xz")
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


DECOMPRESSORS = {"xz": xz_pieces, "zlib": zlib_pieces}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
