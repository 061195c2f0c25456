"""Files that the program itself writes: outputs in MegEngine's binary tensor format, text dumps to a stream,
packed models."""

import os
import shutil
import struct
import tempfile
import threading

import mge_check
import mge_log
import mge_pack

HEADER = struct.Struct("<10I")  # length of the name, dtype, 7, shape padded with zeros
# name of a lite dtype -> number in the header (megdnn::DTypeEnum)
DTYPE_NUMBERS = {"float32": 0, "uint8": 1, "int8": 2, "int16": 3, "int32": 4, "float16": 9, "uint16": 13}
BLOCK = 1 << 16


class Outputs(object):
    """--bin-out-dump: one file `run{k}-var{id}` for each output and run, warm-ups counted too."""

    def __init__(self, network, internals, folder):
        self.folder, self.run = folder, 0
        self.items = []
        for name, (number, text) in sorted(internals.describe_outputs(network).items()):
            self.items.append((network.tensor(name, 2), number, text.encode("utf-8")))

    def write(self):
        for tensor, number, text in self.items:
            shape = tensor.layout().shape
            dims = shape + (0,) * (7 - len(shape))
            head = HEADER.pack(len(text), DTYPE_NUMBERS[tensor.dtype()[0]], 7, *dims)
            with open(os.path.join(self.folder, "run%d-var%d" % (self.run, number)), "wb") as stream:
                stream.write(head + text + tensor.read())
        self.run += 1


class Stream(object):
    """A file name that leads into one of this process's own streams. The library opens its dump file for
    itself, which would cut off what a redirected stream already holds; so it gets a pipe, and a thread
    copies."""

    def __init__(self, descriptor):
        self.source, self.entry = os.pipe()
        self.path = "/proc/self/fd/%d" % self.entry
        self.target = descriptor
        self.thread = threading.Thread(target=self._copy)
        self.thread.daemon = True
        self.thread.start()

    def _copy(self):
        while True:
            data = os.read(self.source, BLOCK)
            if not data:
                return
            while data:
                data = data[os.write(self.target, data) :]

    def close(self):
        """To be called when the network is gone and its end of the pipe with it."""
        os.close(self.entry)
        self.thread.join()


class Scratch(object):
    """A folder of its own for a file that is only needed during the run."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="load_and_run.")

    def path(self, name):
        return os.path.join(self.folder, name)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def name_inputs(internal, network):
    """The library would call the inputs of a dumped model `h2d[6]`; says so when it cannot be helped."""
    try:
        internal().name_inputs(network)
    except mge_log.Unavailable as error:
        mge_log.lite("the inputs of the dumped model lose their names: %s" % error, "WRN")


def pack(values, model):
    """--packed-model-dump with its family of flags."""
    mge_check.writable(values.packed_model_dump)
    info = mge_check.contents(values.pack_info_json)
    cache = mge_check.contents(values.pack_cache)
    data = mge_pack.pack(
        mge_check.contents(model), info, cache, values.pack_info_cryption, values.pack_model_cryption
    )
    with open(values.packed_model_dump, "wb") as stream:
        stream.write(data)
