"""MegEngine Lite's C interface as data (lite-c: global_c.h, network_c.h, tensor_c.h; release 1.13)."""

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_int, c_size_t, c_uint, c_void_p
from typing import Any, Dict, List, Tuple

CORE = "libmegengine_shared.so"
LITE = "liblite_shared_whl.cpython-310-x86_64-linux-gnu.so"
# What LITE needs, in the order in which it can be loaded.
PRELOADED = ("libatomic.so.1", "libnvToolsExt.so.1", "libnvrtc.so.10.1", CORE)

CUDA = 1  # LiteDeviceType
IO_SHAPE = 1  # LiteIOType: the value stays on the device
ANY_PHASE, INPUT, OUTPUT = 0, 1, 2  # LiteTensorPhase
ALGO_HEURISTIC, ALGO_PROFILE, ALGO_REPRODUCIBLE, ALGO_OPTIMIZED = 1, 2, 4, 8
LOG_DEBUG = 0
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
    def shape(self) -> Tuple[int, ...]:
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


class Version(Structure):
    """What MegBrain and MegDNN return of themselves."""

    _fields_ = [(name, c_int) for name in ("major", "minor", "patch", "is_dev")]


EXIT_CALLBACK = ctypes.CFUNCTYPE(None, c_int, c_void_p)
THREAD_CALLBACK = ctypes.CFUNCTYPE(c_int, c_int)

# All return 0, or -1 and leave a text in LITE_get_last_error.
SIGNATURES: Dict[str, List[Any]] = {
    "LITE_make_network": [POINTER(c_void_p), Config, NetworkIO],
    "LITE_load_model_from_path": [c_void_p, c_char_p],
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
    "LITE_set_log_level": [c_int],
    "LITE_set_loader_lib_path": [c_char_p],
    "LITE_set_persistent_cache": [c_char_p, c_int],
    "LITE_dump_persistent_cache": [c_char_p],
    "LITE_set_tensor_rt_cache": [c_char_p],
    "LITE_dump_tensor_rt_cache": [],
}
