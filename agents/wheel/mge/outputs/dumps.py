"""Dumps that the program itself writes: outputs in MegEngine's binary tensor format, text to a stream."""

import os
import struct
import threading
from typing import List, Tuple

from mge.bindings.internals import Internals
from mge.bindings.lite import Network, Tensor
from mge.bindings.lite_c import MAX_DIM, OUTPUT

HEADER = struct.Struct("<10I")  # length of the name, dtype, 7, shape padded with zeros
# name of a lite dtype -> number in the header (megdnn::DTypeEnum)
DTYPE_NUMBERS = {"float32": 0, "uint8": 1, "int8": 2, "int16": 3, "int32": 4, "float16": 9, "uint16": 13}
BLOCK_BYTES = 1 << 16


class Outputs:
    """--bin-out-dump: one file `run{k}-var{id}` for each output and run, warm-ups counted too."""

    def __init__(self, network: Network, internals: Internals, folder: str) -> None:
        self.folder, self.run = folder, 0
        self.items: List[Tuple[Tensor, int, bytes]] = []
        for name, (number, text) in sorted(internals.describe_outputs(network).items()):
            self.items.append((network.tensor(name, OUTPUT), number, text.encode("utf-8")))

    def write(self) -> None:
        for tensor, number, text in self.items:
            shape = tensor.layout().shape
            dims = shape + (0,) * (MAX_DIM - len(shape))
            head = HEADER.pack(len(text), DTYPE_NUMBERS[tensor.dtype()[0]], MAX_DIM, *dims)
            with open(os.path.join(self.folder, f"run{self.run}-var{number}"), "wb") as stream:
                stream.write(head + text + tensor.read())
        self.run += 1


class Stream:
    """A file name that leads into one of this process's own streams.

    The library opens its dump file for itself, which would cut off what a redirected stream already holds; so
    it gets a pipe, and a thread copies.
    """

    def __init__(self, descriptor: int) -> None:
        self.source, self.entry = os.pipe()
        self.path = f"/proc/self/fd/{self.entry}"
        self.target = descriptor
        self.thread = threading.Thread(target=self._copy)
        self.thread.daemon = True
        self.thread.start()

    def _copy(self) -> None:
        while True:
            data = os.read(self.source, BLOCK_BYTES)
            if not data:
                return
            while data:
                data = data[os.write(self.target, data) :]

    def close(self) -> None:
        """To be called when the network is gone and its end of the pipe with it."""
        os.close(self.entry)
        self.thread.join()
