import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.errors import RequestError
from farm.model.device import Address, Device, Facts, Gpu, Runtime, RuntimeKind
from farm.options import advice, applicable, check, parse, unknown_to
from farm.options.rules import RULES

NATIVE, WHEEL = RuntimeKind.NATIVE, RuntimeKind.WHEEL
DEVICE = Device("d", Address("local"), Runtime(WHEEL))
TRANSCRIPTS = Path(__file__).parents[2] / "data" / "transcripts"

NOT_ABOUT_OPTIONS = ("bad_", "in_", "lite_bad", "lite_in_", "mdl_bad")
FAILS_FOR_OTHER_REASONS = {
    # the model or the device, found elsewhere: model kind, probe, model-info
    "cuda", "lite_cuda", "enable_chwn4_int8", "enable_nhwcd4", "jit", "jit_env", "jit_noopt", "lite_jit", "v1",
    "enable_nchw44-dot_noopt", "enable_nchw44_noopt", "enable_nchw88_noopt", "enable_nhwcd4_noopt", "mt2_ids_bad",
    # files: found when they are read, or made by farm
    "bin_io_dump_nodir", "bin_out_dump_nodir", "io_dump_nodir", "profile_nodir", "fastrun_policy_nodir",
    "policy_missing", "copr_missing", "copr_notlib", "lite_copr_missing", "missing_model", "lite_missing_model",
    "model_is_dir", "noargs", "nomodel", "nomodel_known_val",
    # farm sends the right spelling, and an empty standard input
    "enbale_jit", "mode_info", "wait_gdb_pipe", "lite_wait_gdb_pipe",
}  # fmt: skip
REFUSED_THOUGH_IT_RAN = {
    "bool_space": "the word is ignored",
    "two_models": "the second model is ignored",
    "ltrans_dump_only": "no file is written",
    "mt0": "a pool of no threads",
    "profile_iter0": "nothing is measured",
    "flagfile": "farm takes options themselves",
    "fromenv": "farm takes options themselves",
    "version": "no run",
}


def refusals(line, runtime=NATIVE, model_kind="mdl"):
    return check(parse(line.split()), runtime=runtime, model_kind=model_kind).refusals


def refused(transcript):
    words = shlex.split(transcript["command"])
    words = words[words.index("load_and_run") + 1 :]
    model = words.pop(0) if words and not words[0].startswith("-") else ""
    kind: Any = "testcase" if "testcase" in model else "lite" if model in {"pk.mge", "fit.mge"} else "mdl"
    try:
        return bool(check(parse(words), runtime=NATIVE, model_kind=kind).refusals)
    except RequestError:
        return True


def test_farm_refuses_what_the_native_program_failed_on_and_nothing_that_it_did():
    names = {}
    for path in sorted(TRANSCRIPTS.glob("*.json")):
        if not path.stem.startswith(NOT_ABOUT_OPTIONS):
            transcript = json.loads(path.read_text("utf-8"))
            names[path.stem] = (transcript["exit_code"] == 0, refused(transcript))
    ran_and_refused = {name for name, (ran, refused) in names.items() if ran and refused}
    failed_and_not_refused = {name for name, (ran, refused) in names.items() if not ran and not refused}
    assert ran_and_refused == set(REFUSED_THOUGH_IT_RAN)
    assert failed_and_not_refused == FAILS_FOR_OTHER_REASONS


@pytest.mark.parametrize(
    ("line", "says", "way_out"),
    [
        ("--enable-nchw44 --enable-nchw88", "silently uses none", "--sweep layout="),
        ("--layout-transform-dump x.mge", "writes no file", "--layout-transform cpu"),
        ("--dump-fitting-model x.mge", "writes no file", "--fitting"),
        ("--fast-run --full-run", "mutually exclusive", "remove one"),
        ("--fast-run-shared-batch-size 4", "no effect without a search", "--fast-run"),
        ("--multi-thread-core-ids 0", "no effect without a thread pool", "--multithread"),
        ("--multithread 2 --multi-thread-core-ids 0,1,2", "differs from the number of threads", "one id per thread"),
        ("--multithread-default 1 --multi-thread-core-ids 0,1", "differs from the number of threads", "one id per thread"),
        ("--multithread 2 --multithread-default 2", "mutually exclusive", "remove one"),
        ("--cpu --cuda", "silently uses only one", "--sweep device="),
        ("--cpu-default --multithread 2", "silently uses only one", "remove one"),
        ("--lite --mdl", "mutually exclusive", "remove one"),
        ("--io-dump a --bin-io-dump b", "two dumps at once", "--variant"),
        ("--bin-io-dump a --bin-out-dump b", "two dumps at once", "--variant"),
        ("--record-comp-seq --profile p", "hangs after the results", "without --record-comp-seq"),
        ("--record-comp-seq --profile-host p", "hangs after the results", "without --record-comp-seq"),
        ("--record-comp-seq --io-dump p", "pure virtual", "without --record-comp-seq"),
        ("--record-comp-seq2 --no-sanity-check --profile p", "frees the graph", "separate variant"),
        ("--record-comp-seq2 --no-sanity-check --range 3", "frees the graph", "separate variant"),
        ("--record-comp-seq2", "requires --no-sanity-check", "add --no-sanity-check"),
        ("--record-comp-seq2 --no-sanity-check --fake-first", "cannot be combined with --fake-first", "remove --fake-first"),
        ("--record-comp-seq --fake-first", "requires --no-sanity-check", "add --no-sanity-check"),
        ("--bin-out-dump d --fake-first", "crashes", "without --fake-first"),
        ("--bin-out-dump d --copy-to-host", "crashes", "remove --copy-to-host"),
        ("--pack-cache f", "require --packed-model-dump", "add --packed-model-dump"),
        ("--packed-model-dump p --pack-info-cryption AES_default", "swaps the two ciphers", "the same cipher"),
        ("--c-opr-lib-with-param", "require --c-opr-lib", "add --c-opr-lib"),
        ("--tensorrt --cpu", "silently ignored", "--cuda"),
        ("--layout-transform cuda --multithread 2", "model runs on the CPU", "--layout-transform cpu"),
        ("--rocm", "is not available", ""),
        ("--rocm --rocm-enable-miopen-search", "is not available", ""),
        ("--rocm-enable-miopen-search", "ROCm", "--rocm"),
    ],
)  # fmt: skip
def test_a_trap_is_refused_with_its_reason_and_the_way_out(line, says, way_out):
    found = " / ".join(refusals(line))
    assert says in found
    assert way_out in found


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--enable-nchw44",
        "--cpu --multithread 2",
        "--multithread 2 --multi-thread-core-ids 0,1",
        "--multithread 4 --multi-thread-core-ids big",
        "--multithread 1 --multi-thread-core-ids 7",
        "--layout-transform cpu --layout-transform-dump x.mge",
        "--fast-run --fast-run-algo-policy f --fast-run-shared-batch-size 1",
        "--record-comp-seq2 --no-sanity-check --const-shape",
        "--record-comp-seq --no-sanity-check --fake-first",
        "--record-comp-seq --record-comp-seq2 --no-sanity-check",
        "--cuda --tensorrt --tensorrt-cache c",
        "--io-dump a --profile p --model-info --verbose",
        "--packed-model-dump p --pack-info-cryption AES_default --pack-model-cryption AES_default",
        "--c-opr-lib x.so --c-opr-lib-with-param",
    ],
)
def test_sets_that_work_are_not_refused(line):
    assert refusals(line) == ()
    assert refusals(line, WHEEL) == ()


def test_the_wheel_dumps_outputs_that_it_copies():
    assert refusals("--bin-out-dump d --copy-to-host", WHEEL) == ()


@pytest.mark.parametrize(
    "name",
    ["io-dump-stdout", "io-dump-stderr", "bin-out-dump=d", "enable-chwn4", "enable-fuse-conv-bias-nonlinearity", "enable-fuse-conv-bias-with-z", "fuse-grain", "optimize-for-inference", "disable-mem-opt", "tensorrt", "check-dispatch", "range=1", "check-var-value=1", "disable-assert-throw", "get-static-mem-info=d", "model-dump=m"],
)  # fmt: skip
def test_what_the_native_program_cannot_do_with_lite_is_refused(name):
    assert any("Lite" in reason for reason in refusals(f"--lite --{name}"))
    assert any("Lite" in reason for reason in refusals(f"--{name}", model_kind="lite"))
    assert not any("Lite" in reason for reason in refusals(f"--{name}"))


@pytest.mark.parametrize(
    "line", ["--multithread 2 --multi-thread-core-ids 0,1", "--cuda --tensorrt", "--c-opr-lib f --c-opr-init-interface g"]
)  # fmt: skip
def test_what_the_wheel_runtime_does_with_lite_is_refused_for_native_only(line):
    assert refusals(f"--lite {line}")
    assert refusals(f"--lite {line}", WHEEL) == ()


def test_what_the_wheel_runtime_refuses_with_lite_it_does_with_a_lite_model():
    assert "cannot be combined with --lite" in refusals("--lite --range 1", WHEEL)[0]
    assert refusals("--range 1", WHEEL, model_kind="lite") == ()


def test_a_packed_model_cannot_be_run_by_mdl():
    assert refusals("--mdl", model_kind="lite")
    assert refusals("--mdl", model_kind="mdl") == ()


def test_a_model_with_test_data_cannot_be_run_by_lite():
    assert refusals("--lite", model_kind="testcase")
    assert refusals("--lite", WHEEL, model_kind="testcase")
    assert refusals("--mdl", WHEEL, model_kind="testcase") == ()


@pytest.mark.parametrize(
    ("line", "runtime", "model_kind", "says"),
    [
        ("--workspace-limit 1000", NATIVE, "mdl", "no effect"),
        ("--reproducible", NATIVE, "lite", "ignores"),
        ("--batch-size 4 --input data:x.npy", NATIVE, "mdl", "ignored"),
        ("--enable-ioc16", WHEEL, "mdl", "wrong on x86"),
        ("--enable-nhwcd4", WHEEL, "mdl", "wrong on x86"),
        ("--enable-jit", NATIVE, "mdl", "abort"),
        ("--thread 2", NATIVE, "mdl", "mixed"),
        ("--tensorrt-cache f", NATIVE, "mdl", "no effect"),
        ("--check-var-value 1", NATIVE, "mdl", "needs more iterations"),
    ],
)
def test_what_only_some_builds_suffer_is_a_warning(line, runtime, model_kind, says):
    findings = check(parse(line.split()), runtime=runtime, model_kind=model_kind)
    assert findings.refusals == ()
    assert any(says in warning for warning in findings.warnings)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--cpu --multithread 2", "has no effect"),
        ("--profile a --profile-host b", "same code"),
        ("--wait-gdb", "does not wait"),
        ("--fitting", "its own iteration counts"),
    ],
)
def test_what_is_merely_odd_is_a_note(line, says):
    findings = check(parse(line.split()), runtime=NATIVE, model_kind="mdl")
    assert (findings.refusals, findings.warnings) == ((), ())
    assert any(says in note for note in findings.notes)


def test_every_rule_applies_to_some_set_and_not_to_the_empty_one():
    for rule in RULES:
        assert not rule.applies(parse([]), next(iter(rule.runtimes)), rule.interface)


X86 = Facts(architecture="x86_64", cpu_features=("avx2", "fma"), core_ids=(0, 1))
ARM = Facts(architecture="aarch64", cpu_features=("fp", "asimd"), core_ids=tuple(range(8)))
BIG = (("big", (4, 5, 6, 7)), ("little", (0, 1, 2, 3)))


def skip(line, facts, runtime=NATIVE, cores=()):
    return applicable(parse(line.split()), runtime=runtime, facts=facts, cores=cores)


def gpu(capability):
    return Facts(gpus=(Gpu("NVIDIA X", compute_capability=capability),))


@pytest.mark.parametrize("line", ["--cuda", "--tensorrt", "--tensorrt-cache f", "--layout-transform cuda"])
def test_a_device_without_a_gpu_is_skipped(line):
    assert "no NVIDIA GPU" in skip(line, X86)
    assert "no NVIDIA GPU" in skip(line, X86, WHEEL)
    assert skip(line, gpu("7.5"), WHEEL) is None


def test_a_gpu_newer_than_the_wheel_is_skipped_there_and_not_with_native():
    assert "9.0" in skip("--cuda", gpu("9.0"), WHEEL)
    assert "native" in skip("--cuda", gpu("8.6"), WHEEL)
    assert skip("--cuda", gpu("9.0"), NATIVE) is None
    assert skip("--cuda", gpu(None), WHEEL) is None
    assert skip("--cpu", gpu("9.0"), WHEEL) is None


@pytest.mark.parametrize(
    ("capability", "runs"),
    [("5.0", False), ("5.2", True), ("5.3", False), ("6.0", True), ("6.1", True), ("6.2", False), ("7.0", True),
     ("7.2", False), ("7.5", True), ("8.0", False), ("9.0", False), ("x", False)],
)  # fmt: skip
def test_the_wheel_runs_on_the_gpus_that_it_was_built_for_and_on_no_other(capability, runs):
    assert (skip("--cuda", gpu(capability), WHEEL) is None) is runs


def test_the_jit_of_the_wheel_needs_a_gpu():
    assert skip("--enable-jit", X86, WHEEL)
    assert skip("--enable-jit", X86, NATIVE) is None


def test_dot_products_are_looked_for():
    assert "asimddp" in skip("--enable-nchw44-dot", ARM)
    assert "asimddp" in skip("--enable-nchw44-dot", X86)
    assert (
        skip("--enable-nchw44-dot", Facts(architecture="aarch64", cpu_features=("asimd", "asimddp"))) is None
    )
    assert skip("--enable-nchw44-dot", Facts()) is None


def test_more_threads_than_cores_are_skipped():
    assert "4 threads on 2 cores" in skip("--multithread 4", X86)
    assert "4 threads on 2 cores" in skip("--multithread-default 4", X86)
    assert skip("--multithread 2", X86) is None
    assert skip("--multithread 4", Facts()) is None


def test_cores_that_do_not_exist_are_skipped():
    assert "no core 9" in skip("--multithread 2 --multi-thread-core-ids 0,9", ARM)
    assert skip("--multithread 2 --multi-thread-core-ids 6,7", ARM) is None
    assert "unknown core label 'huge'" in skip("--multithread 2 --multi-thread-core-ids huge", ARM, cores=BIG)
    assert skip("--multithread 4 --multi-thread-core-ids big", ARM, cores=BIG) is None


def test_what_was_made_for_another_processor_is_said():
    def told(words, facts):
        return advice(parse(words.split()), facts=facts, device=DEVICE)

    assert "made for arm" in told("--enable-nchw44", X86)[0]
    assert "made for x86" in told("--enable-nchw88", ARM)[0]
    assert told("--enable-nchw88 --iter 2", X86) == ()
    assert told("--enable-nchw44", Facts()) == ()


def test_threads_that_wait_for_each_other_on_a_single_core_are_told_where_nothing_was_done_about_it():
    def told(words, device=DEVICE, core_ids=(0,)):
        return advice(parse(words.split()), facts=Facts(core_ids=core_ids), device=device)

    assert "first inference can last for seconds" in told("--cpu")[0]
    assert told("--cpu-default") == ()
    assert told("--cpu", core_ids=(0, 1)) == told("--cpu", core_ids=()) == ()
    assert told("--cpu", replace(DEVICE, environment=(("MGB_WORKER_MAX_SPIN", "0"),))) == ()
    assert told("--cpu", replace(DEVICE, runtime=Runtime(NATIVE, "load_and_run"))) == ()


def test_flags_that_a_program_has_not_are_named():
    flags = frozenset({"iter", "cpu", "enable_nchw44"})
    assert unknown_to(parse(["--iter", "2", "--cpu", "--cuda", "--enable-nchw44", "--rocm"]), flags) == (
        "cuda",
        "rocm",
    )
