"""MegEngine Lite as objects: the wheel's libraries, a network, its tensors."""

import ctypes
import os
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from typing import Any, Callable, Dict, List, Optional, Tuple

from mge.bindings.lite_c import (
    ANY_PHASE,
    DTYPES,
    EXIT_CALLBACK,
    IO,
    IO_SHAPE,
    LITE,
    PRELOADED,
    SIGNATURES,
    Config,
    Layout,
    NetworkIO,
    Version,
)
from mge.errors import AbortError, MissingLibraryError, failed

ALIGNMENT = 64
EXIT_ABORT = 134


class Library:
    """The libraries of the wheel, loaded from one flat folder (their RPATH points into a Python
    installation). `library.forward(handle)` calls LITE_forward and raises AbortError with the library's text.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        loaded = [_open(folder, name, ctypes.RTLD_GLOBAL) for name in PRELOADED]
        self.core, self.lite = loaded[-1], _open(folder, LITE, ctypes.RTLD_LOCAL)
        for name, types in SIGNATURES.items():
            function = getattr(self.lite, name)
            function.argtypes, function.restype = types, c_int
        self.lite.LITE_get_last_error.restype = c_char_p
        self.guards: List[Any] = []
        self.guard_exit()

    def guard_exit(self) -> None:
        """Makes the library's own `exit` a failure.

        Parts of it (MKL-DNN's Xbyak) call `exit` in a worker thread, whose destructors then wait for that
        thread for ever. Handlers run last come first, so this is called again when more of the library has
        started (its computing nodes, at the first load); this program itself leaves by `os._exit`.
        """

        def ended(status: int, _: Any) -> None:
            AbortError(
                f"the library ended the process by itself with code {status}; its own words are above "
                "(MKL-DNN does this on processors whose caches it cannot read)",
                "exit",
            ).report()
            os._exit(EXIT_ABORT)

        self.guards.append(EXIT_CALLBACK(ended))
        ctypes.CDLL(None).on_exit(self.guards[-1], None)

    def __getattr__(self, name: str) -> Callable[..., None]:
        function = getattr(self.lite, "LITE_" + name)

        def call(*arguments: Any) -> None:
            self.check(function(*arguments))

        setattr(self, name, call)
        return call

    def check(self, result: int) -> None:
        """Raises AbortError when a function of lite has failed."""
        if result:
            text = (self.lite.LITE_get_last_error() or b"no message").decode("utf-8", "replace")
            raise AbortError(text.split("\n\nbacktrace:")[0].rstrip(), "lite::Error")

    def core_versions(self) -> Tuple[Version, Version]:
        """Of MegBrain and of MegDNN."""
        brain, dnn = self.core._ZN3mgb11get_versionEv, self.core._ZN6megdnn11get_versionEv
        brain.restype, dnn.restype = Version, Version
        return brain(), dnn()


def _open(folder: str, name: str, mode: int) -> ctypes.CDLL:
    path = os.path.join(folder, name)
    try:
        return ctypes.CDLL(path, mode)
    except OSError as error:
        why = str(error) if os.path.exists(path) else f"{path}: no such file"
        raise MissingLibraryError(why) from error


class Tensor:
    def __init__(self, library: Library, handle: c_void_p) -> None:
        self.library, self.handle = library, handle
        self.memory: Any = None

    def layout(self) -> Layout:
        layout = Layout()
        self.library.get_tensor_layout(self.handle, byref(layout))
        return layout

    def dtype(self) -> Tuple[str, str]:
        """(name, letter of struct). Raises AbortError."""
        number = self.layout().data_type
        if number not in DTYPES:
            raise AbortError(f"data type number {number} is not known to this program")
        return DTYPES[number]

    def fill(self, data: bytes, shape: Tuple[int, ...]) -> None:
        """Gives the tensor a value, `data` in its own data type.

        In its own memory, which a recorded computing sequence of level 2 needs, or with a new shape in memory
        of ours, aligned and kept alive.
        """
        layout = self.layout()
        if shape == layout.shape:
            address = c_void_p()
            self.library.get_tensor_memory(self.handle, byref(address))
        else:
            layout.shapes[: len(shape)], layout.ndim = shape, len(shape)
            self.memory, aligned = aligned_buffer(len(data))
            address = c_void_p(aligned)
            self.library.reset_tensor(self.handle, layout, address)
        ctypes.memmove(address, bytes(data), len(data))

    def read(self) -> bytes:
        """The value, C order."""
        size, address = c_size_t(), c_void_p()
        self.library.get_tensor_total_size_in_byte(self.handle, byref(size))
        self.library.get_tensor_memory(self.handle, byref(address))
        return ctypes.string_at(address, size.value)


class Network:
    def __init__(self, library: Library, config: Config, ios: Optional[NetworkIO] = None) -> None:
        self.library, self.handle = library, c_void_p()
        self.kept = [config, ios]  # the library has their addresses
        self.tensors: Dict[str, Tensor] = {}
        library.make_network(byref(self.handle), config, ios or NetworkIO())

    def load(self, path: str) -> None:
        self.library.load_model_from_path(self.handle, os.fsencode(path))

    def run(self) -> None:
        """One inference, waited for."""
        self.library.forward(self.handle)
        self.library.wait(self.handle)

    def names(self, which: str) -> List[str]:
        """Names of the inputs (`which` is "input") or outputs ("output")."""
        size, call = c_size_t(), getattr(self.library, f"get_all_{which}_name")
        call(self.handle, byref(size), None)
        names = (c_char_p * size.value)()
        call(self.handle, byref(size), names)
        return [(name or b"").decode("utf-8", "replace") for name in names]

    def tensor(self, name: str, phase: int = ANY_PHASE) -> Tensor:
        if name not in self.tensors:
            handle = c_void_p()
            self.library.get_io_tensor(self.handle, name.encode("utf-8"), phase, byref(handle))
            self.tensors[name] = Tensor(self.library, handle)
        return self.tensors[name]

    def destroy(self) -> None:
        for tensor in self.tensors.values():
            self.library.destroy_tensor(tensor.handle)
        self.tensors = {}
        self.library.destroy_network(self.handle)


def aligned_buffer(size_bytes: int) -> Tuple[Any, int]:
    """(memory that lives as long as this object, an aligned address in it with `size_bytes` behind it)"""
    buffer = ctypes.create_string_buffer(size_bytes + ALIGNMENT)
    return buffer, (ctypes.addressof(buffer) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def default_config() -> Config:
    config = Config()
    config.bare_model_cryption_name = config.discrete_input_name = b""
    config.options.var_sanity_check_first_run = 1
    config.options.graph_opt_level = 2
    config.options.async_exec_level = 1
    return config


def outputs_as_shapes(library: Library, model: str, config: Config) -> NetworkIO:
    """What leaves the outputs' values on the device, as the C++ program does without --copy-to-host."""
    known = NetworkIO()
    library.get_model_io_info_by_path(os.fsencode(model), config, byref(known))
    outputs = (IO * known.output_size)()
    for index in range(known.output_size):
        outputs[index] = known.outputs[index]
        outputs[index].io_type = IO_SHAPE
    ios = NetworkIO(None, ctypes.cast(outputs, POINTER(IO)), 0, known.output_size)
    ios.kept = [outputs, known]
    return ios


def open_operators(library: Library, path: str, entry: str) -> ctypes.CDLL:
    """Loads a library of C operators and gives its entry the table of functions that it asks for."""
    try:
        loader = ctypes.CDLL(path, os.RTLD_LAZY)
    except OSError as error:
        raise failed("handle", f"failed to open c opr lib {path}:\n errmsg: {error}") from error
    try:
        start = getattr(loader, entry)
    except AttributeError as error:
        raise failed(
            "func",
            f"can not resolve {entry}, please use '--c-opr-init-interface' to set the init API of your "
            "loader",
        ) from error
    start.argtypes, start.restype = [c_void_p], None
    start(ctypes.cast(library.core.mgb_get_extern_c_opr_api_versioned, c_void_p))
    return loader


def flush() -> None:
    """Writes what Python and the C library still hold back."""
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)
