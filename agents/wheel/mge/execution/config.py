"""What flags are for a network before it is created: lite's Config, and the policy of algorithms."""

import os
from typing import List

from mge import log
from mge.bindings import elf, lite, lite_c
from mge.command_line import checks
from mge.command_line.flags import Values
from mge.errors import UnavailableError

LAYOUTS = ("nchw4", "nchw44", "nchw88", "nchw32", "nchw64", "nhwcd4", "nchw44_dot")
# (flag, field of lite's options, value, what the program logs)
FIELDS = (
    ("enable_fuse_preprocess", "fuse_preprocess", 1, "enable fuse-preprocess optimization"),
    ("weight_preprocess", "weight_preprocess", 1, "enable weight-preprocess optimization"),
    ("const_shape", "const_shape", 1, "enable const var shape"),
    ("fake_first", "fake_next_exec", 1, "enable fake-first optimization"),
    ("no_sanity_check", "var_sanity_check_first_run", 0, "disable var sanity check optimization"),
    ("record_comp_seq", "comp_node_seq_record_level", 1, "set record_comp_seq_level to 1"),
    ("record_comp_seq2", "comp_node_seq_record_level", 2, "set record_comp_seq_level to 2"),
    ("enable_jit", "jit_level", 1, "enable JIT (level 1)"),
)
# (flag, field of the graph's options that the C interface lacks, what the program logs)
GRAPH_FIELDS = (
    ("enable_ioc16", "f16_io_comp", "enable f16_io_comp optimization"),
    (
        "enable_fuse_conv_bias_nonlinearity",
        "fuse_conv_bias_nonlinearity",
        "enable fuse conv+bias+nonlinearity optimization",
    ),
    ("enable_fuse_conv_bias_with_z", "fuse_conv_bias_with_z", "enable fuse conv+bias+z optimization"),
    ("fuse_grain", "fuse_grain", "enable fuse-grain optimization"),
)


def network_config(values: Values, library_folder: str) -> lite_c.Config:
    """Raises UnavailableError for a GPU without the library that has code for it."""
    config = lite.default_config()
    if values.cpu or values.cpu_default or checks.threads(values) >= 0:
        log.lite("using cpu device\n")
    if values.cuda or values.layout_transform == "cuda":
        if not elf.has_cuda_code(os.path.join(library_folder, lite_c.CORE)):
            raise UnavailableError("the library in lib/ is the one without CUDA code")
        log.lite("using cuda device\n")
        config.device_type = lite_c.CUDA
    for flag, field, value, text in FIELDS:
        if getattr(values, flag):
            log.lite(text)
            setattr(config.options, field, value)
    if not values.optimize_for_inference:
        for layout in LAYOUTS:
            if getattr(values, "enable_" + layout):
                log.lite(f"enable {layout} optimization")
                setattr(config.options, "enable_" + layout, 1)
    return config


def graph_fields(values: Values) -> List[str]:
    """Fields of the graph's options that flags switch on."""
    fields = []
    for flag, field, text in GRAPH_FIELDS:
        if getattr(values, flag):
            log.lite(text)
            fields.append(field)
    return fields


def algorithm_policy(values: Values) -> int:
    """Policy of fastrun_options.cpp.

    Unlike there, --reproducible also acts without --binary-equal-between-batch.
    """
    cache = values.fast_run_algo_policy
    if values.full_run:
        log.lite("enable full-run strategy for algo profile")
        policy = lite_c.ALGO_PROFILE
    elif values.fast_run:
        log.lite("enable fast-run strategy for algo profile")
        policy = lite_c.ALGO_PROFILE | lite_c.ALGO_OPTIMIZED
    elif cache and os.path.exists(cache):
        log.lite("detect fast-run cache usable set LITE_ALGO_PROFILE for algo profile")
        policy = lite_c.ALGO_PROFILE | lite_c.ALGO_HEURISTIC
    else:
        policy = lite_c.ALGO_HEURISTIC
    if values.reproducible or values.binary_equal_between_batch:
        log.lite("enable reproducible strategy for algo profile")
        policy |= lite_c.ALGO_REPRODUCIBLE
    return policy


def set_algorithms(library: lite.Library, network: lite.Network, values: Values) -> None:
    policy = algorithm_policy(values)
    if policy != lite_c.ALGO_HEURISTIC or values.fast_run_shared_batch_size:
        library.set_network_algo_policy(network.handle, policy)
        library.set_network_algo_fastrun_config(
            network.handle, values.fast_run_shared_batch_size, int(values.binary_equal_between_batch)
        )
