"""MegEngine Lite's C interface (lite-c: global_c.h, network_c.h, tensor_c.h; release 1.13) through ctypes."""

import ctypes
import os
import sys
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p

import mge_log

PRELOADED = ("libatomic.so.1", "libnvToolsExt.so.1", "libnvrtc.so.10.1", "libmegengine_shared.so")
CORE = "libmegengine_shared.so"
LITE = "liblite_shared_whl.cpython-310-x86_64-linux-gnu.so"

CPU, CUDA = 0, 1
IO_VALUE, IO_SHAPE = 0, 1
ALGO_HEURISTIC, ALGO_PROFILE, ALGO_REPRODUCIBLE, ALGO_OPTIMIZED = 1, 2, 4, 8
LOG_DEBUG, LOG_INFO = 0, 1
# LiteDataType -> (name, struct letter)
DTYPES = {
    0: ("float32", "f"),
    1: ("float16", "e"),
    2: ("int32", "i"),
    3: ("int16", "h"),
    4: ("int8", "b"),
    5: ("uint8", "B"),
    6: ("uint16", "H"),
}
MAX_DIM = 7
ALIGNMENT = 64


class Options(Structure):
    _fields_ = [
        (name, c_int)
        for name in (
            "weight_preprocess",
            "fuse_preprocess",
            "fake_next_exec",
            "var_sanity_check_first_run",
            "const_shape",
            "force_dynamic_alloc",
            "force_output_dynamic_alloc",
            "force_output_use_user_specified_memory",
            "no_profiling_on_shape_change",
            "jit_level",
            "comp_node_seq_record_level",
            "graph_opt_level",
            "async_exec_level",
            "enable_nchw44",
            "enable_nchw44_dot",
            "enable_nchw88",
            "enable_nhwcd4",
            "enable_nchw4",
            "enable_nchw32",
            "enable_nchw64",
        )
    ]


class Config(Structure):
    _fields_ = [
        ("has_compression", c_int),
        ("device_id", c_int),
        ("device_type", c_int),
        ("backend", c_int),
        ("bare_model_cryption_name", c_char_p),
        ("options", Options),
        ("auto_optimize_inference", c_int),
        ("discrete_input_name", c_char_p),
    ]


class Layout(Structure):
    _fields_ = [("shapes", c_size_t * MAX_DIM), ("ndim", c_size_t), ("data_type", c_int)]

    @property
    def shape(self):
        return tuple(self.shapes[: self.ndim])


class IO(Structure):
    _fields_ = [("name", c_char_p), ("is_host", c_int), ("io_type", c_int), ("config_layout", Layout)]


class NetworkIO(Structure):
    _fields_ = [
        ("inputs", POINTER(IO)),
        ("outputs", POINTER(IO)),
        ("input_size", c_size_t),
        ("output_size", c_size_t),
    ]


EXIT_CALLBACK = ctypes.CFUNCTYPE(None, c_int, c_void_p)
THREAD_CALLBACK = ctypes.CFUNCTYPE(c_int, c_int)

# All return 0, or -1 and leave a text in LITE_get_last_error.
SIGNATURES = {
    "LITE_make_network": [POINTER(c_void_p), Config, NetworkIO],
    "LITE_load_model_from_path": [c_void_p, c_char_p],
    "LITE_load_model_from_mem": [c_void_p, c_void_p, c_size_t],
    "LITE_destroy_network": [c_void_p],
    "LITE_forward": [c_void_p],
    "LITE_wait": [c_void_p],
    "LITE_get_io_tensor": [c_void_p, c_char_p, c_int, POINTER(c_void_p)],
    "LITE_get_all_input_name": [c_void_p, POINTER(c_size_t), POINTER(c_char_p)],
    "LITE_get_all_output_name": [c_void_p, POINTER(c_size_t), POINTER(c_char_p)],
    "LITE_set_cpu_inplace_mode": [c_void_p],
    "LITE_set_cpu_threads_number": [c_void_p, c_size_t],
    "LITE_set_runtime_thread_affinity": [c_void_p, THREAD_CALLBACK],
    "LITE_use_tensorrt": [c_void_p],
    "LITE_set_network_algo_policy": [c_void_p, c_int],
    "LITE_set_network_algo_fastrun_config": [c_void_p, c_uint, c_int],
    "LITE_set_network_algo_workspace_limit": [c_void_p, c_size_t],
    "LITE_enable_profile_performance": [c_void_p, c_char_p],
    "LITE_enable_io_txt_dump": [c_void_p, c_char_p],
    "LITE_enable_io_bin_dump": [c_void_p, c_char_p],
    "LITE_enable_global_layout_transform": [c_void_p],
    "LITE_dump_layout_transform_model": [c_void_p, c_char_p],
    "LITE_destroy_tensor": [c_void_p],
    "LITE_reset_tensor": [c_void_p, Layout, c_void_p],
    "LITE_get_tensor_layout": [c_void_p, POINTER(Layout)],
    "LITE_get_tensor_memory": [c_void_p, POINTER(c_void_p)],
    "LITE_get_tensor_total_size_in_byte": [c_void_p, POINTER(c_size_t)],
    "LITE_get_model_io_info_by_path": [c_char_p, Config, POINTER(NetworkIO)],
    "LITE_get_version": [POINTER(c_int), POINTER(c_int), POINTER(c_int)],
    "LITE_get_device_count": [c_int, POINTER(c_size_t)],
    "LITE_set_log_level": [c_int],
    "LITE_set_loader_lib_path": [c_char_p],
    "LITE_set_persistent_cache": [c_char_p, c_int],
    "LITE_dump_persistent_cache": [c_char_p],
    "LITE_set_tensor_rt_cache": [c_char_p],
    "LITE_dump_tensor_rt_cache": [],
}


class Version(Structure):
    _fields_ = [(name, c_int) for name in ("major", "minor", "patch", "is_dev")]


def encode(path):
    return os.fsencode(path)


class Library(object):
    """The two libraries of the wheel, loaded from one flat folder (their RPATH points into a Python
    installation)."""

    def __init__(self, folder):
        self.folder = folder
        loaded = [_open(folder, name, ctypes.RTLD_GLOBAL) for name in PRELOADED]
        self.core, self.lite = loaded[-1], _open(folder, LITE, ctypes.RTLD_LOCAL)
        for name, types in SIGNATURES.items():
            function = getattr(self.lite, name)
            function.argtypes, function.restype = types, c_int
        self.lite.LITE_get_version.restype = None
        self.lite.LITE_get_last_error.restype = c_char_p
        self.guards = []
        self.guard_exit()

    def guard_exit(self):
        """Makes the library's own `exit` a failure. Parts of it (MKL-DNN's Xbyak) call `exit` in a worker
        thread, whose destructors then wait for that thread for ever. Handlers run last come first, so this is
        called again when more of the library has started (its computing nodes, at the first load); this
        program itself leaves by `os._exit`."""

        def ended(status, _):
            mge_log.Abort(
                "the library ended the process by itself with code %d; its own words are above "
                "(MKL-DNN does this on processors whose caches it cannot read)" % status,
                "exit",
            ).report()
            os._exit(134)

        self.guards.append(EXIT_CALLBACK(ended))
        ctypes.CDLL(None).on_exit(self.guards[-1], None)

    def __getattr__(self, name):
        """`library.forward(handle)` calls LITE_forward; raises Abort with the library's text."""
        function = getattr(self.lite, "LITE_" + name)

        def call(*arguments):
            self.check(function(*arguments))

        setattr(self, name, call)
        return call

    def check(self, result):
        if result:
            text = (self.lite.LITE_get_last_error() or b"no message").decode("utf-8", "replace")
            raise mge_log.Abort(text.split("\n\nbacktrace:")[0].rstrip(), "lite::Error")

    def version(self):
        numbers = [c_int() for _ in range(3)]
        self.lite.LITE_get_version(*[byref(number) for number in numbers])
        return tuple(number.value for number in numbers)

    def core_versions(self):
        """Versions of MegBrain (with its development mark) and of MegDNN."""
        brain, dnn = self.core._ZN3mgb11get_versionEv, self.core._ZN6megdnn11get_versionEv
        brain.restype, dnn.restype = Version, Version
        brain, dnn = brain(), dnn()
        return (brain.major, brain.minor, brain.patch, brain.is_dev), (dnn.major, dnn.minor, dnn.patch)


def _open(folder, name, mode):
    path = os.path.join(folder, name)
    try:
        return ctypes.CDLL(path, mode)
    except OSError as error:
        raise MissingLibrary(str(error) if os.path.exists(path) else "%s: no such file" % path)


class MissingLibrary(Exception):
    pass


class Tensor(object):
    def __init__(self, library, handle):
        self.library, self.handle, self.memory = library, handle, None

    def layout(self):
        layout = Layout()
        self.library.get_tensor_layout(self.handle, byref(layout))
        return layout

    def dtype(self):
        number = self.layout().data_type
        if number not in DTYPES:
            raise mge_log.Abort("data type number %d is not known to this program" % number)
        return DTYPES[number]

    def fill(self, data, shape):
        """Gives the tensor a value, `data` in its own dtype: in its own memory, which a recorded computing
        sequence of level 2 needs, or with a new shape in memory of ours, aligned and kept alive."""
        layout = self.layout()
        if shape == layout.shape:
            address = c_void_p()
            self.library.get_tensor_memory(self.handle, byref(address))
        else:
            layout.shapes[: len(shape)], layout.ndim = shape, len(shape)
            self.memory = ctypes.create_string_buffer(len(data) + ALIGNMENT)
            address = c_void_p((ctypes.addressof(self.memory) + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT)
            self.library.reset_tensor(self.handle, layout, address)
        ctypes.memmove(address, bytes(data), len(data))

    def read(self):
        """The value as bytes, C order."""
        size, address = c_size_t(), c_void_p()
        self.library.get_tensor_total_size_in_byte(self.handle, byref(size))
        self.library.get_tensor_memory(self.handle, byref(address))
        return ctypes.string_at(address, size.value)


class Network(object):
    def __init__(self, library, config, ios=None):
        self.library, self.handle, self.kept = library, c_void_p(), [config, ios]
        self.tensors = {}
        library.make_network(byref(self.handle), config, ios or NetworkIO())

    def load(self, path):
        self.library.load_model_from_path(self.handle, encode(path))

    def names(self, which):
        """Names of the inputs (`which` is "input") or outputs ("output")."""
        size, call = c_size_t(), getattr(self.library, "get_all_%s_name" % which)
        call(self.handle, byref(size), None)
        names = (c_char_p * size.value)()
        call(self.handle, byref(size), names)
        return [name.decode("utf-8", "replace") for name in names]

    def tensor(self, name, phase=0):
        if name not in self.tensors:
            handle = c_void_p()
            self.library.get_io_tensor(self.handle, name.encode("utf-8"), phase, byref(handle))
            self.tensors[name] = Tensor(self.library, handle)
        return self.tensors[name]

    def destroy(self):
        for tensor in self.tensors.values():
            self.library.destroy_tensor(tensor.handle)
        self.tensors = {}
        self.library.destroy_network(self.handle)


def outputs_as_shapes(library, model, config):
    """A NetworkIO that leaves the outputs' values on the device, as the C++ program does without
    --copy-to-host."""
    known = NetworkIO()
    library.get_model_io_info_by_path(encode(model), config, byref(known))
    outputs = (IO * known.output_size)()
    for index in range(known.output_size):
        outputs[index] = known.outputs[index]
        outputs[index].io_type = IO_SHAPE
    ios = NetworkIO(None, ctypes.cast(outputs, POINTER(IO)), 0, known.output_size)
    ios.kept = [outputs, known]
    return ios


def open_operators(library, path, entry):
    """Loads a library of C operators and gives its entry the table of functions that it asks for."""
    try:
        loader = ctypes.CDLL(path, os.RTLD_LAZY)
    except OSError as error:
        raise mge_log.failed("handle", "failed to open c opr lib %s:\n errmsg: %s" % (path, error))
    try:
        start = getattr(loader, entry)
    except AttributeError:
        raise mge_log.failed(
            "func",
            "can not resolve %s, please use '--c-opr-init-interface' to set the init API of your "
            "loader" % entry,
        )
    start.argtypes, start.restype = [c_void_p], None
    start(ctypes.cast(library.core.mgb_get_extern_c_opr_api_versioned, c_void_p))
    return loader


def default_config():
    config = Config()
    config.bare_model_cryption_name = config.discrete_input_name = b""
    config.options.var_sanity_check_first_run = 1
    config.options.graph_opt_level = 2
    config.options.async_exec_level = 1
    return config


def flush():
    """Writes what Python and the C library still hold back."""
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)
