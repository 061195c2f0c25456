import shlex

import pytest

from farm.causes.diagnose import TEXT_LIMIT, announces_hang, diagnose
from farm.errors import Fault
from farm.model.options import OptionSet
from farm.options import find

CAUSES = {
    "model-corrupt": "bad_empty bad_flipped bad_short lite_bad_empty lite_bad_flipped lite_bad_short lite_bad_trunc "
    "model_is_dir",
    "model-format": "bad_random bad_text lite_bad_random lite_bad_text lite_testcase mdl_bad_random v1",
    "model-missing": "dashdash lite_missing_model missing_model nomodel nomodel_known_val",
    "path-missing": "bin_io_dump_nodir bin_out_dump_nodir fastrun_policy_nodir profile_nodir",
    "crashed": "bin_out_dump_fake_first io_dump_nodir io_dump_two",
    "operator-library": "copr_missing copr_notlib lite_copr_missing",
    "no-gpu": "cpu_cuda cuda lite_cuda",
    "layout-unsupported": "enable_chwn4_int8 enable_nchw44-dot_noopt enable_nchw44_noopt enable_nchw88_noopt "
    "enable_nhwcd4 enable_nhwcd4_noopt",
    "unknown-flag": "enbale_jit mode_info unknown unknown_two",
    "option-conflict": "copr_with_param_alone fast_full fast_shared_bs_alone ids_alone lite_rec2 mt2_ids_mismatch mt_both "
    "policy_missing rec2 rec2_ns_fake thread0",
    "refused": "help helpshort noargs",
    "input-format": "in_bad_json in_ppm_bad in_string_garbage in_string_unbalanced",
    "input-dtype": "in_f64_npy in_i32_npy in_json_f64 in_string_int_into_float in_string_neg",
    "input-missing": "in_missing_json in_missing_npy in_missing_ppm lite_in_missing",
    "input-shape": "in_wrong_channels lite_in_wrong_ndim",
    "input-name": "in_wrong_name lite_in_wrong_name",
    "bad-value": "iter_bad ltrans_bad var_value_bad",
    "missing-value": "iter_noval",
    "no-jit-compiler": "jit jit_env jit_noopt lite_jit",
    "no-such-core": "mt2_ids_bad",
    "recorded-sequence": "rec1_iodump",
    "not-with-lite": "lite_bin_out_dump lite_check_dispatch lite_chwn4 lite_disable_assert_throw "
    "lite_enable_fuse_conv_bias_nonlinearity lite_enable_fuse_conv_bias_with_z lite_fuse_grain lite_io_dump_stdout "
    "lite_model_dump lite_nomemopt lite_optimize_for_inference lite_range lite_tensorrt lite_var_value",
    "wall-limit": "lite_wait_gdb_pipe rec1_profile wait_gdb_pipe",
}


def options_of(command):
    """The options that a recorded command names; farm itself would refuse some of the sets."""
    rows = (find(word.partition("=")[0]) for word in shlex.split(command) if word.startswith("--"))
    return OptionSet(tuple((row.name, True) for row in rows if row))


def cause_of(transcript):
    code = transcript["exit_code"]
    timed_out = isinstance(code, str)
    return diagnose(
        None if timed_out else code,
        "wall-limit" if timed_out else "-",
        transcript["stdout"] or "",
        transcript["stderr"] or "",
        options_of(transcript["command"]),
    )


def test_every_failed_transcript_has_its_cause(transcripts):
    expected = {name: cause for cause, names in CAUSES.items() for name in names.split()}
    found = {name: cause_of(one).cause for name, one in transcripts.items() if one["exit_code"] != 0}
    assert found == expected


def test_every_cause_has_a_fault_and_plain_words(transcripts):
    for name, one in transcripts.items():
        if one["exit_code"] == 0:
            continue
        cause = cause_of(one)
        assert cause.fault in set(Fault), name
        assert cause.message.isprintable(), name
        assert not any(word in cause.message for word in ("what()", "_ZN", "0x", "{", ".cpp")), name


def test_the_message_names_what_is_wrong(transcripts):
    says = {
        "in_wrong_name": "no input nope",
        "lite_in_wrong_name": "no input nope",
        "in_missing_ppm": "nofile.ppm",
        "in_i32_npy": "is Float32, the data is Int32",
        "missing_model": "/nope/none.mge",
        "iter_bad": "'abc'",
        "mt2_ids_bad": "no core 99 (it has 2 cores)",
        "enbale_jit": "--enbale-jit",
        "ltrans_bad": "'gpu'",
        "rec1_profile": "hangs after its results",
        "io_dump_two": "one dump at a time",
        "bin_out_dump_fake_first": "skip the first computation",
    }
    for name, words in says.items():
        assert words in cause_of(transcripts[name]).message, name


@pytest.mark.parametrize(
    ("code", "stderr", "cause"),
    [
        (
            127,
            "x: error while loading shared libraries: libmegengine.so: cannot open shared object file",
            "library-missing",
        ),
        (127, 'CANNOT LINK EXECUTABLE "./lar": library "libc++_shared.so" not found', "library-missing"),
        (127, "Error loading shared library libstdc++.so.6: No such file (needed by lar)", "library-missing"),
        (127, "/lib/libc.so.6: version `GLIBC_2.34' not found (required by ./lar)", "libc-too-old"),
        (1, "OSError: /lib/libc.so.6: version `GLIBC_2.34' not found (required by x.so)", "libc-too-old"),
        (1, "OSError: libatomic.so.1: cannot open shared object file: No such file", "library-missing"),
        (127, "sh: 1: ./load_and_run: not found", "program-missing"),
        (127, "python3: not found", "python-missing"),
        (127, "/usr/bin/env: 'python3': No such file or directory", "python-missing"),
        (126, "sh: ./load_and_run: Exec format error", "wrong-architecture"),
        (126, "bash: ./lar: cannot execute binary file: Exec format error", "wrong-architecture"),
        (126, "sh: 1: ./load_and_run: Permission denied", "not-executable"),
        (126, "", "not-executable"),
        (127, "", "program-missing"),
        (132, "", "illegal-instruction"),
        (137, "", "killed"),
        (139, "", "crashed"),
        (134, "terminate called after throwing an instance of 'std::bad_alloc'", "out-of-memory"),
        (134, "bad err=45 in Xbyak::Error\n", "no-code-for-processor"),
        (134, "  what():  something new\nextra message: nobody has seen\n", "exception"),
        (0, "", "no-times"),
        (77, "", "unknown"),
        (
            2,
            "/t/load_and_run: unrecognized option '--iter=2'\nTry '/t/load_and_run --help'",
            "not-load-and-run",
        ),
        (1, "usage: see the manual", "not-load-and-run"),
        (2, './load_and_run: 1: Syntax error: "(" unexpected', "wrong-architecture"),
        (2, "p: 2: Syntax error: Unterminated quoted string", "wrong-architecture"),
        (2, 'p: line 2: syntax error: unexpected "("', "wrong-architecture"),
        (2, "p: line 6: syntax error: EOF in backquote substitution", "wrong-architecture"),
        (127, "p: 1: \x7fELF\x02\x01\x01\x03>\x01@: not found", "wrong-architecture"),
        (0, "p: line 1: \x7fELF\x02\x01\x01\x03>\x01@: not found", "wrong-architecture"),
        (1, "p[1]: \x7fELF\x02: inaccessible or not found", "wrong-architecture"),
        (1, "mksh: p: not executable: 64-bit ELF file", "wrong-architecture"),
        (
            126,
            "p: error while loading shared libraries: x.so: wrong ELF class: ELFCLASS32",
            "wrong-architecture",
        ),
        (127, "Error loading shared library x.so: Exec format error (needed by p)", "wrong-architecture"),
        (134, 'CANNOT LINK EXECUTABLE "p": "x.so" is 32-bit instead of 64-bit', "wrong-architecture"),
        (1, "input: syntax error while parsing value, unexpected end", "not-load-and-run"),
        (77, "[22 17:44:06 f@x.cpp:1] creat mdl model", "unknown"),
        (
            134,
            "assertion `nr == size' failed at /src/serialization/impl/file.cpp:51: InputFile::FsImpl::read(void*)\n",
            "model-corrupt",
        ),
        (
            134,
            "  what():  assertion `nr == size' failed at file.cpp:85: OutputFile::FsImpl::write(const void*)\n",
            "exception",
        ),
        (134, "  what():  assertion `m_offset <= m_size' failed at file.cpp:120: y\n", "model-corrupt"),
        (
            134,
            "extra message: can not resolve my_init: x.so: undefined symbol: my_init\n",
            "operator-interface",
        ),
        (134, "extra message: failed to open c opr lib x.so: x.so: file too short\n", "operator-library"),
        (None, "", "unknown"),
    ],
)
def test_a_program_that_does_not_start_or_dies_has_a_cause(code, stderr, cause):
    assert diagnose(code, "-", "", stderr).cause == cause


@pytest.mark.parametrize("why", ["wall-limit", "silence-limit", "killed", "lease-lost", "lost"])
def test_how_the_agent_ended_a_round_is_the_cause(why):
    assert diagnose(137, why, "", "ERROR: unknown command line flag 'x'").cause == why


@pytest.mark.parametrize("why", ["wall-limit", "silence-limit", "killed"])
def test_a_program_that_hangs_after_its_last_words_is_known_by_them(why):
    text = "[22 17:44:06 f@x.cpp:1] load model: 1.0ms\nbad err=45 in Xbyak::Error\n"
    cause = diagnose(137, why, "", text)
    assert cause.cause == "no-code-for-processor"
    assert "limit" not in f"{cause.message} {cause.hint}"


def test_an_error_that_a_program_survives_announces_no_hang(transcripts):
    assert announces_hang("[22 17:44:06 f@x.cpp:1] load model: 1.0ms\nbad err=45 in Xbyak::Error\n")
    assert not any(announces_hang(one["stderr"] or "") for one in transcripts.values())


def test_a_supervisor_that_was_killed_is_not_taken_for_a_lack_of_memory():
    for why in ("lost", "a word of a newer agent"):
        cause = diagnose(137, why, "", "")
        assert "memory" not in f"{cause.message} {cause.hint}"
        assert cause.fault is Fault.DEVICE


def test_a_message_has_the_users_name_of_a_file_not_the_stores():
    kept = "/home/b/.cache/farm/cas/ab/" + "ab" * 32
    stderr = f"extra message: failed to open c opr lib {kept}:\n errmsg: {kept}: file too short\n"
    cause = diagnose(134, "-", "", stderr, names={kept: "my/operators.so"})
    assert cause.message == "cannot load the C operator library: my/operators.so: file too short"


def test_a_missing_function_is_told_from_a_library_that_cannot_be_loaded():
    absent = diagnose(
        134, "-", "", "extra message: can not resolve my_init: x.so: undefined symbol: my_init\n"
    )
    assert "my_init" in absent.message
    assert "--c-opr-init-interface" in (absent.hint or "")


def test_a_gpu_that_the_wheel_does_not_know_is_named():
    text = (
        "RuntimeError: NVIDIA H200(gpu0) with CUDA capability sm_90 is not compatible with the current MegEngine "
        "installation. The current MegEngine install supports CUDA capabilities sm_52 sm_60"
    )
    cause = diagnose(134, "-", "", text)
    assert cause.cause == "gpu-too-new"
    assert "sm_90" in cause.message


def test_what_a_device_says_is_quoted_short_and_printable():
    cause = diagnose(1, "-", "", "ERROR: unknown command line flag '\x1b[31m<script>" + "x" * 50 + "'")
    assert cause.message.isprintable()
    assert len(cause.message) < 300


def test_the_cause_is_found_at_the_end_of_a_huge_log():
    noise = "[22 17:44:06 f@x.cpp:1][DEBUG] " + "create " * 10 + "\n"
    text = noise * (4 * TEXT_LIMIT // len(noise)) + "extra message: can't find tesnor named nope\n"
    assert diagnose(134, "-", "", text).cause == "input-name"
