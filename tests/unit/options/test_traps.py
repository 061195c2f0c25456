"""Every trap of load_and_run that was ever met, and farm's answer to it.

Known from more than 600 runs of the native program and of the wheel's libraries. Sections: `program` (the command
line), `options` (one option or several), `input`, `wheel`, `endings` (crashes, hangs, silence), `gpu`, `builds`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from farm.causes.diagnose import diagnose
from farm.errors import RequestError
from farm.model.device import Facts, Gpu, RuntimeKind
from farm.options import applicable, argv, check, option, preparations, split_rounds
from farm.options.parse import parse_with_notes

ROOT = Path(__file__).parents[3]
NATIVE, WHEEL = RuntimeKind.NATIVE, RuntimeKind.WHEEL
X86 = Facts(architecture="x86_64", cpu_features=("avx2",), core_ids=(0, 1))
NEW_GPU = Facts(architecture="x86_64", gpus=(Gpu("NVIDIA H200", compute_capability="9.0"),))


@dataclass(frozen=True)
class Trap:
    """`answer` is how farm answers the command line, `says` a part of what it says:

    refused, warned, noted   before a device is touched
    skipped                  after the probe
    timed, dumped            the words of the timed round, or of the round of its own; $ is their end
    stage                    the words of the stage that is done once before
    """

    section: str
    sentence: str
    line: str
    answer: str
    says: str
    runtime: RuntimeKind = NATIVE
    model_kind: str = "mdl"
    facts: Facts = X86


def answers(trap: Trap) -> dict[str, str]:
    """Everything that farm says to the command line of a trap, by kind."""
    try:
        options, notes = parse_with_notes(shlex.split(trap.line))
    except RequestError as error:
        return {"refused": f"{error.message} / {error.hint}"}
    found = check(options, runtime=trap.runtime, model_kind=trap.model_kind)  # type: ignore[arg-type]
    said = {
        "refused": " / ".join(found.refusals),
        "warned": " / ".join(found.warnings),
        "noted": " / ".join((*notes, *found.notes)),
        "skipped": applicable(options, runtime=trap.runtime, facts=trap.facts) or "",
    }
    if not found.refusals:
        todo, rest = preparations(options)
        (_, timed), *others = split_rounds(rest)
        said |= {"timed": words(timed), "dumped": " ".join(words(one) for _, one in others)}
        said["stage"] = " ".join(words(one.options) for one in todo)
    return {kind: text for kind, text in said.items() if text}


def words(options) -> str:
    return " ".join(argv(options, program=("lar",), model="m.mge", input_text=None, out_dir=".")) + " $"


def refused(section: str, sentence: str, line: str, says: str, **more) -> Trap:
    return Trap(section, sentence, line, "refused", says, **more)


LITE = "does not support Lite models"
TRAPS = (
    Trap("program", "dashes and underscores are one, so are one dash and two", "-warmup_iter 3", "timed", " --warmup-iter=3 "),
    Trap("program", "the model must be the first word that is no flag", "--lite", "timed", "lar m.mge --lite "),
    refused("program", "an unknown flag ends with exit code 1", "--itre 3", "or --iter"),
    refused("program", "a bad value ends with exit code 1", "--iter abc", "--iter"),
    refused("program", "a missing value ends with exit code 1", "--iter", "needs a value"),
    refused("program", "a flag eats the next word, another flag too", "--profile --cpu", "needs a value"),
    refused("program", "--undefok hides unknown flags", "--undefok=rocm", "never sends an unknown flag"),
    refused("program", "--flagfile brings flags that nobody sees", "--flagfile=f", "write the options"),
    refused("program", "--fromenv reads an environment that nobody sees", "--fromenv=iter", "clean environment"),
    refused("program", "`--lite false` is lite on: the word is ignored", "--lite false", "--lite=false"),
    refused("program", "a second model is ignored", "--iter 2 other.mge", "load_and_run would ignore it"),
    Trap("program", "the documentation writes --Lite; case matters", "--Lite", "timed", "--lite "),
    refused("program", "a packed model cannot be opened by MDL", "--mdl", LITE, model_kind="lite"),
    refused("program", "a model with test data cannot be opened by Lite", "--lite", "test data", model_kind="testcase"),
    refused("program", "--lite and --mdl at once", "--lite --mdl", "mutually exclusive"),
    refused("options", "--iter 0 prints no summary", "--iter 0", "0 gives no times"),
    refused("options", "--iter -1 never ends", "--iter -1", "loop for ever"),
    refused("options", "--warmup-iter -1 never ends", "--warmup-iter -1", "loop for ever"),
    refused("options", "--thread 0 is an assertion", "--thread 0", "refused by the program"),
    refused("options", "--thread -1 starts threads without end", "--thread -1", "threads for ever"),
    Trap("options", "summaries of several threads are mixed", "--thread 2", "warned", "threads are mixed"),
    Trap("options", "--batch-size silently ignores --input", "--batch-size 2 --input x:[1.0]", "warned", "is ignored"),
    Trap("options", "several runs search into one file", "--thread 2 --fast-run", "stage", "lar m.mge --iter=1 --fast-run --fast-run-algo-policy=./fast-run.cache $"),
    refused("options", "--fast-run with --full-run", "--fast-run --full-run", "mutually exclusive"),
    refused("options", "a shared batch size without a search", "--fast-run-shared-batch-size 2", "no effect without a search"),
    Trap("options", "--reproducible is ignored by Lite", "--lite --reproducible", "warned", "native program ignores"),
    Trap("options", "every process with --fast-run searches again", "--fast-run", "stage", " --fast-run "),
    Trap("options", "the rounds must not search", "--fast-run", "timed", "lar m.mge --fast-run-algo-policy=./fast-run.cache $"),
    refused("options", "--io-dump with --bin-io-dump is a crash", "--io-dump a --bin-io-dump b", "two dumps at once"),
    refused("options", "two binary dumps go into one folder", "--bin-io-dump a --bin-out-dump b", "two dumps at once"),
    refused("options", "--io-dump with --bin-out-dump is a crash", "--io-dump a --bin-out-dump b", "two dumps at once"),
    Trap("options", "a dump into a missing folder is a crash", "--io-dump no/dir/io.txt", "dumped", "--io-dump=./io.txt "),
    Trap("options", "all runs are appended to one text dump", "--io-dump io.txt", "dumped", "--iter=1 --warmup-iter=0 "),
    Trap("options", "warm-ups write dumps too", "--bin-out-dump d", "dumped", "--warmup-iter=0 "),
    Trap("options", "a dump disturbs the times", "--io-dump io.txt --iter 20", "timed", "m.mge --iter=20 $"),
    refused("options", "Lite has no dump to a stream", "--lite --io-dump-stdout", LITE),
    refused("options", "Lite has no dump to a stream", "--lite --io-dump-stderr", LITE),
    refused("options", "Lite has no dump of outputs", "--lite --bin-out-dump d", LITE),
    refused("options", "a dump of outputs that are copied is a crash", "--bin-out-dump d --copy-to-host", "crashes"),
    refused("options", "a dump of a run that computed nothing is a crash", "--bin-out-dump d --fake-first", "crashes"),
    Trap("options", "a dump from two threads is a crash three times of four", "--bin-out-dump d --thread 2", "dumped", "lar m.mge --iter=1 --warmup-iter=0 --bin-out-dump=./d $"),
    refused("options", "of two layouts none is used", "--enable-nchw44 --enable-nchw88", "silently uses none"),
    Trap("options", "nhwcd4 gives wrong numbers on x86", "--enable-nhwcd4", "warned", "wrong on x86"),
    Trap("options", "ioc16 gives wrong numbers on x86", "--enable-ioc16", "warned", "wrong on x86", runtime=WHEEL),
    Trap("options", "nchw44-dot needs dot products", "--enable-nchw44-dot", "skipped", "no asimddp"),
    refused("options", "Lite has no chwn4", "--lite --enable-chwn4", LITE),
    refused("options", "another layout target is an exception", "--layout-transform gpu", "cpu, cuda"),
    refused("options", "--layout-transform-dump alone writes nothing", "--layout-transform-dump m", "writes no file"),
    Trap("options", "--layout-transform cuda without a GPU does nothing", "--layout-transform cuda", "skipped", "no NVIDIA GPU"),
    refused("options", "a GPU layout for a CPU run", "--cpu --layout-transform cuda", "the model runs on the CPU"),
    Trap("options", "every process with --layout-transform measures again", "--layout-transform cpu", "timed", "lar m.mge $"),
    refused("options", "Lite cannot fuse", "--lite --enable-fuse-conv-bias-nonlinearity", LITE),
    refused("options", "Lite cannot fuse", "--lite --enable-fuse-conv-bias-with-z", LITE),
    refused("options", "Lite cannot fuse", "--lite --fuse-grain", LITE),
    refused("options", "Lite cannot optimise for inference", "--lite --optimize-for-inference", LITE),
    Trap("options", "the documented --const is no flag", "--const", "timed", "--const-shape "),
    Trap("options", "the documented --disable_mem_opt", "--disable_mem_opt", "timed", "--disable-mem-opt "),
    refused("options", "record 1 with --fake-first", "--record-comp-seq --fake-first", "requires --no-sanity-check"),
    refused("options", "record 1 with --profile never ends", "--record-comp-seq --profile p", "hangs after the results"),
    refused("options", "record 1 with --profile-host never ends", "--record-comp-seq --profile-host p", "hangs after the results"),
    refused("options", "record 1 with --io-dump aborts at its end", "--record-comp-seq --io-dump f", "pure virtual"),
    refused("options", "record 2 needs --no-sanity-check", "--record-comp-seq2", "add --no-sanity-check"),
    refused("options", "record 2 with --fake-first", "--record-comp-seq2 --no-sanity-check --fake-first", "--fake-first"),
    refused("options", "record 2 with a profile is a crash", "--record-comp-seq2 --no-sanity-check --profile p", "frees the graph"),
    refused("options", "record 2 has no graph to write", "--record-comp-seq2 --no-sanity-check --model-dump f", "frees the graph", runtime=WHEEL),
    refused("options", "record 2 with --range is an abort", "--record-comp-seq2 --no-sanity-check --range 1", "frees the graph"),
    refused("options", "Lite keeps its memory plan", "--lite --disable-mem-opt", LITE),
    Trap("options", "--workspace-limit does nothing in MDL", "--workspace-limit 1000", "warned", "no effect"),
    Trap("options", "the documented --enbale-jit is unknown", "--enbale-jit", "timed", "--enable-jit "),
    Trap("options", "a build without JIT aborts", "--enable-jit", "warned", "No compiler support"),
    refused("options", "the wheel has no JIT for CPUs", "--enable-jit", "without --cuda", runtime=WHEEL),
    refused("options", "the wheel has no JIT for CPUs", "--enable-jit --cpu", "without --cuda", runtime=WHEEL),
    Trap("options", "the wheel has a JIT for GPUs", "--cuda --enable-jit", "skipped", "no NVIDIA GPU", runtime=WHEEL),
    Trap("options", "--cuda without a GPU aborts", "--cuda", "skipped", "no NVIDIA GPU"),
    refused("options", "of --cpu and --cuda the last one looked at wins", "--cpu --cuda", "silently uses only one"),
    Trap("options", "--cpu beside --multithread does nothing", "--cpu --multithread 2", "noted", "has no effect"),
    refused("options", "the documentation shows --multithread without a number", "--multithread", "needs a value"),
    refused("options", "--multithread 0 is taken and does nothing", "--multithread 0", "at least one thread"),
    refused("options", "both kinds of pool", "--multithread 2 --multithread-default 2", "mutually exclusive"),
    Trap("options", "more threads than cores", "--multithread 4", "skipped", "4 threads on 2 cores"),
    refused("options", "core ids without threads", "--multi-thread-core-ids 0", "no effect without a thread pool"),
    refused("options", "another number of core ids", "--multithread 2 --multi-thread-core-ids 0", "differs from the number of threads"),
    Trap("options", "a core that is not there", "--multithread 2 --multi-thread-core-ids 0,99", "skipped", "99"),
    refused("options", "core ids abort in Lite", "--lite --multithread 1 --multi-thread-core-ids 0", LITE),
    refused("options", "ROCm does not exist", "--rocm", "not in load_and_run of MegEngine 1.13"),
    refused("options", "MIOpen does not exist", "--rocm --rocm-enable-miopen-search", "not in load_and_run"),
    refused("options", "--tensorrt aborts in Lite", "--lite --tensorrt", LITE),
    refused("options", "--tensorrt is ignored on a CPU", "--cpu --tensorrt", "silently ignored"),
    refused("options", "the wheel runtime ignores it without --cuda", "--tensorrt", "silently ignored", runtime=WHEEL),
    refused("options", "the wheel runtime transforms for a GPU, runs on a CPU", "--layout-transform cuda", "run on the CPU", runtime=WHEEL),
    Trap("options", "fusing z is wrong for int8", "--enable-fuse-conv-bias-with-z", "warned", "int8 models are wrong", runtime=WHEEL),
    Trap("options", "--tensorrt is ignored without a GPU", "--tensorrt", "skipped", "no NVIDIA GPU"),
    Trap("options", "a TensorRT cache on a CPU is four zero bytes", "--tensorrt-cache f", "skipped", "no NVIDIA GPU"),
    refused("options", "Lite has no --check-dispatch", "--lite --check-dispatch", LITE),
    refused("options", "Lite has no --range", "--lite --range 10", LITE),
    refused("options", "Lite has no --check-var-value", "--lite --check-var-value 2", LITE),
    refused("options", "text for --check-var-value aborts in stoul", "--check-var-value abc", "INTERVAL"),
    Trap("options", "--check-var-value sees little in few runs", "--check-var-value 2", "warned", "needs more iterations"),
    Trap("options", "a profile makes an iteration several times slower", "--profile p", "timed", "lar m.mge $"),
    Trap("options", "a profile into a missing folder fails after all runs", "--profile a/b/p.json", "dumped", "--profile=./p.json "),
    Trap("options", "--profile-host is the same code", "--profile p --profile-host h", "noted", "same code"),
    Trap("options", "the documented --mode-info is unknown", "--mode-info", "dumped", "--model-info "),
    Trap("options", "--verbose changes the times", "--verbose", "timed", "lar m.mge $"),
    refused("options", "Lite throws at failed assertions", "--lite --disable-assert-throw", LITE),
    Trap("options", "the memory plan takes letters and digits only", "--get-static-mem-info a/b-c.d", "dumped", "--get-static-mem-info=bcd "),
    refused("options", "Lite has no memory plan", "--lite --get-static-mem-info d", LITE),
    Trap("options", "--wait-gdb waits for a key", "--wait-gdb", "noted", "standard input is empty"),
    refused("options", "parameters without a library", "--c-opr-lib-with-param", "add --c-opr-lib"),
    refused("options", "Lite hands over no parameters", "--lite --c-opr-lib f --c-opr-lib-with-param", LITE),
    refused("options", "Lite knows one entry point", "--lite --c-opr-lib f --c-opr-init-interface g", LITE),
    refused("options", "the two ciphers are swapped", "--packed-model-dump p --pack-model-cryption AES_default", "swaps the two ciphers"),
    refused("options", "packing without a packed model", "--pack-cache f", "require --packed-model-dump"),
    refused("options", "Lite cannot dump its model", "--lite --model-dump f", LITE),
    refused("options", "--dump-fitting-model alone writes nothing", "--dump-fitting-model f", "writes no file"),
    Trap("options", "--fitting has its own iterations", "--fitting --iter 99", "noted", "its own iteration counts"),
    Trap("gpu", "the wheel ends at Turing", "--cuda", "skipped", "compute capability 9.0", runtime=WHEEL, facts=NEW_GPU),
    Trap("gpu", "its TensorRT too", "--cuda --tensorrt", "skipped", "use a native build", runtime=WHEEL, facts=NEW_GPU),
)  # fmt: skip


@pytest.mark.parametrize(
    "trap", TRAPS, ids=[f"{trap.section}: {trap.sentence}: {trap.line}" for trap in TRAPS]
)
def test_farm_has_an_answer_to_a_trap(trap: Trap) -> None:
    said = answers(trap)
    assert trap.says in said.get(trap.answer, ""), said
    if trap.answer != "refused":
        assert "refused" not in said


IN_THE_CATALOGUE = {
    "warmup-iter": "dumps are written in them too",
    "iter": "farm computes its own",
    "fast-run-algo-policy": "`plat=cpu`",
    "fast-run": "only in fused (ConvBias) graphs",
    "io-dump": "not the whole tensor",
    "bin-io-dump": "ids of MDL and Lite differ",
    "enable-nchw4": "an int8 model followed by a float part",
    "enable-chwn4": "invalid conv format",
    "enable-nchw44": "unfused batch normalisation",
    "enable-nchw88": "Xbyak::Error",
    "layout-transform-dump": "Lite loses the names of the inputs",
    "fake-first": "garbage",
    "workspace-limit": "60 times slower",
    "multi-thread-core-ids": "two or three times",
    "tensorrt-cache": "each other's engines",
    "check-dispatch": "to standard error",
    "range": "Weights and inputs are checked too",
    "profile": "Only the last run is kept",
    "c-opr-lib-with-param": "copr_param_device_ptr_malloc",
    "fitting": "fitting_tmp_model",
    "dump-fitting-model": "does not load in Lite",
}
"""What only needs to be known: `farm options show NAME` and docs/options.md say it."""


@pytest.mark.parametrize("name", IN_THE_CATALOGUE)
def test_what_a_user_must_know_stands_in_the_catalogue(name: str) -> None:
    assert any(IN_THE_CATALOGUE[name] in trap for trap in option(name).traps)


CAUSES = {
    "a damaged policy file is a crash": (139, "-", "", "--fast-run-algo-policy f", "corrupt algorithm cache"),
    "--wait-gdb waits for ever": (143, "wall-limit", "", "--wait-gdb", "waited for keyboard input"),
    "an unfused model aborts in a layout": (
        134, "-", "expect input, scale and bias to be 4 dim tensor", "--enable-nchw44", "not folded"),
    "MKL-DNN has no code for some processors": (134, "-", "bad err=45 in Xbyak::Error", "--enable-nchw88", "MKL-DNN"),
    "a range that is too small": (134, "-", "float value out of range: var: x", "--range 1", "out of range"),
    "a shape that changed after a recording": (
        134, "-", "assertion `m_hv->raw_ptr() == m_ptr' failed", "--cpu", "shape changed"),
    "a shape that was declared constant": (134, "-", "disallowed shape change", "--const-shape", "shape of an input"),
    "a lowered log level hides all times": (0, "-", "", "--cpu", "times in the log are incomplete"),
    "a GPU that the build does not know": (
        134, "-", "X(gpu0) with CUDA capability sm_90 is not compatible", "--cuda", "too new for this MegEngine"),
}  # fmt: skip
"""What shows only in the round: exit code, how it ended, a text, options, farm's words."""


@pytest.mark.parametrize("sentence", CAUSES)
def test_what_shows_only_in_the_round_is_told_in_plain_words(sentence: str) -> None:
    code, why, stderr, line, says = CAUSES[sentence]
    assert says in diagnose(code, why, "", stderr, parse_with_notes(line.split())[0]).message


ELSEWHERE = (
    # program
    ("everything is printed on standard error", "e2e/test_native.py::test_recorded_runs_give_their_numbers_or_their_cause"),
    ("flags are compiled out of some builds", "e2e/test_programs.py::test_a_flag_that_the_program_lacks_skips_its_cells_whatever_is_cached"),
    ("every constraint is an exception with a backtrace", "unit/causes/test_causes.py::test_every_failed_transcript_has_its_cause"),
    ("--iter 1 prints a deviation of -nan", "unit/logs/test_load_and_run.py::test_one_iteration_without_a_deviation_is_complete"),
    ("threads print without tags", "unit/logs/test_load_and_run.py::test_runs_in_several_threads_are_counted_and_never_taken_for_one"),
    ("an option is silently ignored, with exit code 0", "e2e/test_native.py::test_exit_code_0_without_the_promised_file_is_a_failure"),
    # options
    ("a policy file is written anew by every run", "e2e/test_wheel.py::test_a_fast_run_search_is_done_once_and_then_comes_from_the_cache"),
    ("a policy file that is missing", "unit/options/test_rounds.py::test_a_cache_is_read_if_it_is_there_and_must_be_where_nothing_searches"),
    ("folders must exist", "agent/test_jobs.py::test_folders_are_made_before_the_program_starts"),
    ("an unwritable dump is a crash in the library", "wheel/test_files.py::test_a_dump_that_cannot_be_written_is_an_error_and_no_crash"),
    ("Lite loses the names of the inputs", "wheel/test_files.py::test_a_transformed_model_is_dumped_with_its_names_and_computes_the_same"),
    ("Lite always copies outputs", "wheel/test_files.py::test_the_value_of_an_output_is_only_copied_when_asked_for"),
    ("the log doubles core ids", "wheel/test_run.py::test_threads_are_on_the_cores_asked_for"),
    ("a batch size overrides the data", "unit/plan/test_matrix.py::test_what_ignores_the_input_of_a_model_is_said"),
    ("--input in a variant would be ignored", "unit/plan/test_matrix.py::test_input_in_a_variant_is_refused_since_it_belongs_to_a_model"),
    # input
    ("text without a dot is int32", "unit/plan/test_inputs.py::test_text_that_would_be_of_another_type_or_rank_is_sent_as_a_file"),
    ("a text gets one dimension more", "unit/plan/test_inputs.py::test_text_that_would_be_of_another_type_or_rank_is_sent_as_a_file"),
    ("a shape has no data", "unit/options/test_input_spec.py::test_a_shape_has_no_data_and_says_so"),
    ("the documented JSON is none", "unit/plan/test_input_content.py::test_the_example_of_the_documentation_lacks_a_brace_and_is_read"),
    ("other JSON aborts", "unit/plan/test_input_content.py::test_json_that_cannot_be_an_input_is_refused"),
    ("Fortran order is read as C, f8 and i8 abort", "unit/plan/test_input_content.py::test_what_the_program_would_misread_is_converted_with_a_note"),
    ("a usual PPM header is misread", "unit/plan/test_input_content.py::test_an_image_gets_the_header_that_the_program_reads"),
    ("wrong names abort, Lite reinterprets wrong types", "unit/plan/test_inputs.py::test_data_that_no_input_takes_is_refused_with_what_the_model_has"),
    ("inputs left out are zeros", "unit/plan/test_inputs.py::test_inputs_that_are_left_out_are_named"),
    ("a missing .npy is not named", "unit/plan/test_inputs.py::test_a_file_that_is_gone_when_the_model_is_known_is_an_error_of_the_request"),
    # wheel
    ("the library kills its process", "sim/test_bench.py::test_a_crash_is_a_failed_cell_with_its_log_kept"),
    ("algorithm choices live as long as the process", "unit/options/test_rounds.py::test_every_observer_gets_a_round_of_its_own"),
    ("a fork after a run hangs", "wheel/test_options.py::test_fitting_prints_the_best_options_and_packs_a_model_with_them"),
    ("a hidden cache in the home folder", "wheel/test_run.py::test_it_leaves_no_file_behind"),
    ("internal symbols belong to one build", "wheel/test_routes.py::test_another_build_of_the_library_is_refused_with_its_own_exit_code"),
    ("its GPUs end at Turing", "unit/options/test_check.py::test_the_wheel_runs_on_the_gpus_that_it_was_built_for_and_on_no_other"),
    # endings
    ("a round may never end", "agent/test_limits.py::test_a_round_that_is_longer_than_its_limit_is_ended"),
    ("--wait-gdb may never end", "e2e/test_native.py::test_a_run_that_never_ends_is_ended_with_its_reason"),
    ("RUNTIME_OVERRIDE_LOG_LEVEL hides all times", "agent/test_jobs.py::test_the_environment_is_clean_and_stdin_is_empty"),
    ("a log without times ends with exit code 0", "unit/logs/test_load_and_run.py::test_a_log_without_times_gives_none"),
    # builds
    ("damaged bytes in a model go unnoticed", "agent/test_store.py::test_a_damaged_upload_is_refused_and_removed"),
    ("numbers of two builds differ", "e2e/test_programs.py::test_a_flag_that_the_program_lacks_skips_its_cells_whatever_is_cached"),
)  # fmt: skip
"""Traps whose answer needs more than an option set, and the test that shows it."""


@pytest.mark.parametrize(("sentence", "place"), ELSEWHERE, ids=[sentence for sentence, _ in ELSEWHERE])
def test_the_answer_to_a_trap_is_tested_where_it_lies(sentence: str, place: str) -> None:
    file, _, name = place.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text("utf-8"), re.MULTILINE)
