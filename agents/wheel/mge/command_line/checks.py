"""What is refused before anything runs: as the C++ program refuses it, or because that would hang, crash or
ignore it.
"""

import os
import re
from typing import List, Tuple

from mge.command_line.flags import Values
from mge.errors import AbortError, failed

LAYOUT_FLAGS = (
    "enable_nchw4",
    "enable_chwn4",
    "enable_nchw44",
    "enable_nchw88",
    "enable_nchw32",
    "enable_nchw64",
    "enable_nhwcd4",
    "enable_nchw44_dot",
)
DUMP_FLAGS = ("io_dump", "bin_io_dump", "bin_out_dump", "io_dump_stdout", "io_dump_stderr")
# What the C++ program refuses with --lite, with its words.
LITE_REFUSES = (
    ("io_dump_stdout", "lite model don't support the stdout or stderr io dump"),
    ("io_dump_stderr", "lite model don't support the stdout or stderr io dump"),
    ("bin_out_dump", "lite model don't support the binary output dump"),
    ("enable_chwn4", "lite model unsupport chwn4 layout"),
    ("enable_fuse_conv_bias_nonlinearity", "fuse conv+bias+nonlinearity not supported in lite model"),
    ("enable_fuse_conv_bias_with_z", "fuse conv+bias+z optimization not supported in lite model"),
    ("fuse_grain", "enable fuse-grain optimization not support in lite model"),
    ("optimize_for_inference", "optimize for inference not supported in lite model"),
    ("disable_mem_opt", "lite model don't support disable memory optimization"),
    ("range", "lite model don't support NumRangeChecker plugin"),
    ("check_dispatch", "lite model don't support CPUDispatchChecker plugin"),
    ("check_var_value", "lite model don't support VarValueChecker plugin"),
    ("disable_assert_throw", "lite model don't support disable assert throw"),
    ("get_static_mem_info", "lite model don't support static memory information export"),
    ("c_opr_lib_with_param", "lite model dont't support run with external c opr parmeter"),
    ("model_dump", "unsupported interface: ModelLite::get_model_data() "),
)
# Pairs that end the C++ program with a signal, or never: (one, other, why)
CONFLICTS = (
    ("record_comp_seq", "profile", "profiling a recorded computing sequence never ends"),
    ("record_comp_seq", "profile_host", "profiling a recorded computing sequence never ends"),
    ("record_comp_seq2", "profile", "a recorded computing sequence of level 2 cannot be profiled"),
    ("record_comp_seq2", "profile_host", "a recorded computing sequence of level 2 cannot be profiled"),
    ("record_comp_seq2", "bin_out_dump", "the outputs' graph is gone at level 2"),
    ("record_comp_seq2", "io_dump_stdout", "the dump would be waited for for ever"),
    ("record_comp_seq2", "io_dump_stderr", "the dump would be waited for for ever"),
    ("record_comp_seq2", "model_dump", "the graph is gone at level 2"),
    ("fast_run", "full_run", "invalid options of both fast-run and full-run"),
    ("bin_out_dump", "fake_first", "the first run computes nothing"),
)
# flag that does nothing (the C++ program says nothing) without the other
NEEDS = (
    ("layout_transform_dump", "layout_transform"),
    ("dump_fitting_model", "fitting"),
    ("pack_info_json", "packed_model_dump"),
    ("pack_cache", "packed_model_dump"),
    ("c_opr_lib_with_param", "c_opr_lib"),
)
# Flags whose files two networks would write at once.
ONE_THREAD = (
    *DUMP_FLAGS,
    "get_static_mem_info",
    "layout_transform_dump",
    "profile",
    "profile_host",
    "model_dump",
    "packed_model_dump",
)


def spelled(flag: str) -> str:
    return "--" + flag.replace("_", "-")


def threads(values: Values) -> int:
    """Worker threads of a network, negative when neither flag asks for them."""
    return int(max(values.multithread, values.multithread_default))


def core_ids(values: Values) -> List[int]:
    return [int(word) for word in values.multi_thread_core_ids.split(",") if word.strip()]


def var_value(text: str) -> Tuple[int, int]:
    """(interval, first variable) of --check-var-value."""
    match = re.match(r"^(\d+)(?::(\d+))?$", text)
    if not match or int(match.group(1)) < 1:
        raise failed("std::stoul", f"--check-var-value takes interval or interval:first, not {text!r}")
    return int(match.group(1)), int(match.group(2) or 0)


def check(values: Values) -> None:
    """Raises AbortError for a command line that cannot be run."""
    _check_combinations(values)
    _check_counts(values)
    _check_threads(values)
    _check_algorithms(values)
    _check_words(values)


def _check_combinations(values: Values) -> None:
    if values.lite:
        for flag, text in LITE_REFUSES:
            if getattr(values, flag):
                raise AbortError(f"Error: {text}", "lite::Error")
    for one, other, why in CONFLICTS:
        if getattr(values, one) and getattr(values, other):
            raise AbortError(f"{spelled(one)} and {spelled(other)} exclude each other: {why}")
    for flag, other in NEEDS:
        if getattr(values, flag) and not getattr(values, other):
            raise AbortError(f"{spelled(flag)} does nothing without {spelled(other)}")
    for flags in (LAYOUT_FLAGS, DUMP_FLAGS):
        given = [spelled(flag) for flag in flags if getattr(values, flag)]
        if len(given) > 1:
            raise AbortError(f"only one of these can be given: {' '.join(given)}")


def _check_counts(values: Values) -> None:
    if values.thread < 1:
        raise failed("false", "--thread must input a positive number!!")
    if values.thread > 1:
        shared = [spelled(flag) for flag in ONE_THREAD if getattr(values, flag)]
        if shared:
            raise AbortError(
                f"with --thread {values.thread} all threads would write the files of {' '.join(shared)}"
            )
    for flag in ("iter", "warmup_iter"):
        if getattr(values, flag) < 0:
            raise AbortError(f"{spelled(flag)} {getattr(values, flag)} would never end")


def _check_threads(values: Values) -> None:
    if values.multi_thread_core_ids:
        _check_core_ids(values)
    if values.multithread >= 0 and values.multithread_default >= 0:
        raise failed(
            "num_of_thread < 0 || num_of_thread_dft < 0",
            "multithread and multithread_default should not bet set at the same time",
        )


def _check_core_ids(values: Values) -> None:
    if threads(values) < 0:
        raise failed(
            "enable_multithread || enable_multithread_default",
            "core ids should be set after --multithread or --multithread-default",
        )
    try:
        ids = core_ids(values)
    except ValueError as error:
        raise failed(
            "atoi(id.c_str())", f"--multi-thread-core-ids takes numbers, not {values.multi_thread_core_ids!r}"
        ) from error
    if len(ids) != threads(values):
        raise failed(
            "thread_cnt == thread_num", "core ids number should be same with thread number set before"
        )
    missing = sorted(set(ids) - os.sched_getaffinity(0))
    if missing:
        raise failed("sched_setaffinity", f"this process may not run on core {', '.join(map(str, missing))}")


def _check_algorithms(values: Values) -> None:
    searching, cache = values.full_run or values.fast_run, values.fast_run_algo_policy
    if cache and not searching and not os.path.exists(cache):
        raise failed("enable_full_run || enable_fast_run", "--fast-run or --full-run should be enabled")
    if cache and searching and not os.path.isdir(os.path.dirname(os.path.abspath(cache))):
        raise failed("fp", f"failed to open {cache}: its folder does not exist")
    if values.fast_run_shared_batch_size < 0:
        raise AbortError("--fast-run-shared-batch-size must not be negative")
    if values.fast_run_shared_batch_size and not searching and not cache:
        raise failed(
            "enable_full_run || enable_fast_run || !m_fast_run_cache.empty()",
            "--fast-run-shared-batch-size should be used with --fast-run|--full-run|--fast-run-algo-policy",
        )
    if values.record_comp_seq2 and (not values.no_sanity_check or values.fake_first):
        raise failed(
            "no_sanity_check && !fake_first",
            "--no-sanity-check should be set before --record-comp-seq2 and --fake-first should not be set",
        )


def _check_words(values: Values) -> None:
    if values.layout_transform not in ("", "cpu", "cuda"):
        raise failed(
            "false", f"unsupported target(got:{values.layout_transform}) for global layout transform"
        )
    if values.get_static_mem_info and not re.match(r"^[0-9a-zA-Z/]+$", values.get_static_mem_info):
        raise failed("std::regex_match(log_dir, reg)", "log_dir format error: letters, digits and / only")
    if values.check_var_value:
        var_value(values.check_var_value)
    if values.c_opr_lib and not os.path.exists(values.c_opr_lib):
        raise failed("handle", f"failed to open c opr lib {values.c_opr_lib}:\n errmsg: no such file")
