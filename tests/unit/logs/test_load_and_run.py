import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.logs import load_and_run
from farm.logs.load_and_run import MAX_LINE_CHARS, message_of, parse_log
from farm.model.measurement import TensorInfo

NO_TIMES = {
    "fitting_cpu": "the search times other option sets",
    "fitting_cpu_dump": "the search times other option sets",
    "lite_fitting": "the search times other option sets",
    "loglevel_env": "the level hides all results",
    "loglevel3_env": "the level hides all results",
    "lite_loglevel_env": "the level hides all results",
    "profile_iter0": "no iteration was asked for",
    "version": "nothing was run",
}
DIED_AFTER_THE_LAST_TIME = {
    "fastrun_policy_nodir",
    "lite_model_dump",
    "profile_nodir",
    "rec1_iodump",
    "rec1_profile",
}

MEGBRAIN_8 = """\
load model: 4264.378ms
=== prepare: 188.137ms; going to warmup
warmup 0: 581.284ms
iter 0/2: 245.185ms (exec=10.574,device=242.226)
iter 1/2: 236.321ms (exec=8.002,device=235.100)
=== finished test #0: time=481.506ms avg_time=240.753ms sd=2.668ms minmax=236.321,245.185
"""
MEGENGINE_1_7 = """\
load model: 3018.428ms
=== prepare: 182.441ms; going to warmup
warm up 0  355.658ms
iter 0/2: 141.249 ms (exec=1.066 ms)
iter 1/2: 126.292 ms (exec=0.521 ms)
=== finished test #0: time=267.541 ms avg_time=133.771 ms sexec=10.829 ms min=126.292 ms max=141.249 ms
"""


def runs_of(transcript):
    return 2 if "--thread 2" in transcript["command"] else 1


def log(iterations, announced=None, total=None, prefix="[22 17:44:07 operator()@strategy_normal.cpp:88] "):
    """A log of the current grammar with these e2e times in ms."""
    count = len(iterations) if announced is None else announced
    total = sum(iterations) if total is None else total
    lines = [
        "load model: 1.000ms",
        "run testcase: 0 ",
        "=== prepare: 1.000ms; going to warmup",
        "warm up 0  2.000ms",
    ]
    lines += [f"iter {i}/{count}: e2e={time:.3f} ms (host=0.100 ms)" for i, time in enumerate(iterations)]
    lines += [
        (
            f"=== finished test #0: time={total:.3f} ms avg_time={total / max(count, 1):.3f} ms "
            "standard_deviation=-nan ms min=0.000 ms max=0.000 ms"
        ),
        f"=== total time: {total:.3f}ms",
    ]
    return "".join(f"{prefix}{line}\n" for line in lines)


def test_every_run_that_succeeded_parses_complete(transcripts):
    succeeded = {
        name: one for name, one in transcripts.items() if one["exit_code"] == 0 and name not in NO_TIMES
    }
    assert len(succeeded) > 150
    incomplete = [
        n for n, one in succeeded.items() if not parse_log(one["stderr"], runs=runs_of(one)).complete
    ]
    assert incomplete == []


def test_no_run_that_failed_early_parses_complete(transcripts):
    complete = {
        name
        for name, one in transcripts.items()
        if one["exit_code"] != 0 and parse_log(one["stderr"]).complete
    }
    assert complete == DIED_AFTER_THE_LAST_TIME


@pytest.mark.parametrize("name", sorted(NO_TIMES))
def test_a_log_without_times_gives_none(transcripts, name):
    measurement = parse_log(transcripts[name]["stderr"])
    assert (measurement.e2e_ms, measurement.complete) == ((), False)


def test_the_numbers_are_those_of_the_log(transcripts):
    measurement = parse_log(transcripts["default"]["stderr"])
    assert measurement.load_ms == 1.244
    assert measurement.prepare_ms == 0.947
    assert measurement.warmup_ms == (400.551,)
    assert measurement.e2e_ms[:3] == (10.229, 9.607, 7.245)
    assert measurement.host_ms[:3] == (0.207, 0.141, 0.133)
    assert len(measurement.e2e_ms) == 10
    assert measurement.engine == "MegBrain 1.13.0, MegDNN 9.3.0"
    assert (measurement.grammar, measurement.interface) == ("1.13", "mdl")
    assert parse_log(transcripts["lite"]["stderr"]).interface == "lite"


def test_the_table_of_tensors_is_read_in_both_interfaces(transcripts):
    expected = (
        TensorInfo("input", "data", (1, 3, 224, 224), "float32"),
        TensorInfo("output", "out", (1, 1000), "float32"),
    )
    assert parse_log(transcripts["model_info"]["stderr"]).tensors == expected
    assert parse_log(transcripts["lite_model_info"]["stderr"]).tensors == expected


def test_both_older_grammars_are_read():
    old, older = parse_log(MEGENGINE_1_7), parse_log(MEGBRAIN_8)
    assert (old.grammar, old.complete) == ("1.7", True)
    assert (old.warmup_ms, old.e2e_ms, old.host_ms) == ((355.658,), (141.249, 126.292), (1.066, 0.521))
    assert (older.grammar, older.complete) == ("8.4", True)
    assert (older.warmup_ms, older.e2e_ms, older.host_ms) == ((581.284,), (245.185, 236.321), (10.574, 8.002))


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "name", ["default", "lite_thread2", "model_info", "iter20_w3", "testcase", "lite_verbose"]
)
def test_a_transcript_cut_anywhere_never_gives_another_number(transcripts, name):
    text = transcripts[name]["stderr"]
    runs = runs_of(transcripts[name])
    whole = parse_log(text, runs=runs)
    step = max(1, len(text) // 800)
    for end in range(0, len(text), step):
        assert_part(parse_log(text[:end], runs=runs), whole)


@pytest.mark.no_cover
def test_every_transcript_cut_inside_a_timing_line_never_gives_another_number(transcripts):
    for one in transcripts.values():
        text = one["stderr"] or ""
        whole = parse_log(text, runs=runs_of(one))
        for found in list(re.finditer(r"iter \d|warm up|load model|=== finished|prepare:", text))[:4]:
            for end in range(found.start(), found.start() + 60, 11):
                assert_part(parse_log(text[:end], runs=runs_of(one)), whole)


@pytest.mark.parametrize(
    "text", [MEGBRAIN_8, MEGENGINE_1_7, log([1.0, 2.0]), log([1.0, 2.0]).replace("\n", "\r\n")]
)
def test_every_grammar_cut_at_any_byte_never_gives_another_number(text):
    whole = parse_log(text)
    assert whole.complete
    for end in range(len(text)):
        part = parse_log(text[:end])
        assert_part(part, whole)
        assert not part.complete


def assert_part(part, whole):
    assert whole.warmup_ms[: len(part.warmup_ms)] == part.warmup_ms
    assert whole.e2e_ms[: len(part.e2e_ms)] == part.e2e_ms
    assert whole.host_ms[: len(part.host_ms)] == part.host_ms
    assert len(part.e2e_ms) == len(part.host_ms)
    assert part.load_ms in (None, whole.load_ms)
    assert part.prepare_ms in (None, whole.prepare_ms)
    assert part.tensors in ((), whole.tensors)
    if part.complete:
        assert part.e2e_ms == whole.e2e_ms


def test_a_number_without_its_unit_does_not_count():
    assert parse_log("iter 0/2: e2e=12.7\n").e2e_ms == ()
    assert parse_log("iter 0/2: e2e=12.798 ms (host=4.908 ms)").e2e_ms == ()
    assert parse_log("iter 0/2: e2e=12.798 ms (host=4.908 ms)\n").e2e_ms == (12.798,)


def test_carriage_returns_and_colours_change_nothing(transcripts):
    text = transcripts["default"]["stderr"]
    plain = parse_log(text)
    coloured = re.sub(r"^(\[[^\]]*\])", "\x1b[32m\\1\x1b[0m", text, flags=re.MULTILINE)
    assert coloured != text
    assert parse_log(text.replace("\n", "\r\n")) == plain
    assert parse_log(coloured) == plain


def test_text_before_the_prefix_of_a_line_is_dropped():
    line = "io error: failed[22 17:44:07 operator()@strategy_normal.cpp:88] iter 0/1: e2e=3.772 ms (host=0.100 ms)"
    assert message_of(line) == "iter 0/1: e2e=3.772 ms (host=0.100 ms)"


def test_text_after_a_time_makes_the_line_no_time():
    measurement = parse_log("iter 0/1: e2e=3.772 ms (host=0.100 ms)io error\n")
    assert (measurement.e2e_ms, measurement.skipped_lines) == ((), 1)


def test_a_warning_that_quotes_a_time_is_no_time():
    line = "[22 17:44:07 f@x.cpp:1][WARN] iter 0/1: e2e=3.772 ms (host=0.100 ms)\n"
    assert parse_log(line).e2e_ms == ()


def test_garbage_between_the_lines_is_counted_and_changes_nothing():
    text = log([1.0, 2.0, 3.0])
    noisy = text.replace("\n", "\nsome driver says hello\n")
    measurement = parse_log(noisy)
    assert measurement.e2e_ms == (1.0, 2.0, 3.0)
    assert measurement.complete
    assert measurement.skipped_lines == text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        log([1.0, 2.0], announced=3),
        log([1.0, 2.0]).replace("iter 1/2", "iter 1/3"),
        log([1.0, 2.0]).replace("iter 1/2", "iter 0/2"),
        log([1.0, 2.0], total=30.0),
        log([1.0, 2.0]).replace("=== finished", "== finished"),
        log([1.0, 2.0]).replace("e2e=2.000", "e2e=nan"),
        log([1.0, 2.0]).replace("e2e=2.000", "e2e=-2.000"),
        log([1.0, 2.0]).replace("e2e=2.000", "e2e=1e99"),
    ],
    ids=[
        "one-missing",
        "two-totals",
        "one-doubled",
        "wrong-sum",
        "no-summary",
        "nan",
        "negative",
        "exponent",
    ],
)
def test_a_log_that_does_not_add_up_is_not_complete(text):
    assert not parse_log(text).complete


def test_one_iteration_without_a_deviation_is_complete(transcripts):
    assert parse_log(transcripts["iter1"]["stderr"]).complete


def test_runs_in_several_threads_are_counted_and_never_taken_for_one(transcripts):
    text = transcripts["lite_thread2"]["stderr"]
    measurement = parse_log(text, runs=2)
    assert (measurement.runs, measurement.complete, len(measurement.e2e_ms)) == (2, True, 4)
    first_finished = text[: text.index("=== total time")]
    first_finished = first_finished[: first_finished.rindex("\n") + 1]
    assert not parse_log(first_finished, runs=2).complete


def test_a_log_of_one_run_is_not_complete_where_two_were_asked_for(transcripts):
    assert not parse_log(transcripts["default"]["stderr"], runs=2).complete


def test_an_older_log_of_one_run_is_not_complete_where_two_were_asked_for():
    assert not parse_log(MEGENGINE_1_7, runs=2).complete


def test_times_of_nothing_without_a_summary_are_not_complete():
    assert parse_log(log([0.0, 0.0])).complete
    assert not parse_log(log([0.0, 0.0]).replace("=== finished", "== finished")).complete


def test_a_line_longer_than_any_of_the_program_is_no_time():
    line = "[22 17:44:07 operator()@strategy_normal.cpp:88] iter 0/1: e2e=3.772 ms (host=0.100 ms)\n"
    assert parse_log(line).e2e_ms == (3.772,)
    assert parse_log("x" * MAX_LINE_CHARS + line).e2e_ms == ()


def test_more_iterations_than_a_log_may_have_are_not_read(monkeypatch):
    monkeypatch.setattr(load_and_run, "MAX_ITERATIONS", 3)
    assert parse_log(log([1.0, 2.0, 3.0])).complete
    long = parse_log(log([1.0, 2.0, 3.0, 4.0]))
    assert (long.e2e_ms, long.complete) == ((1.0, 2.0, 3.0), False)


def test_an_unfinished_table_is_nothing(transcripts):
    text = transcripts["model_info"]["stderr"]
    end = text.index("| OUTPUT")
    assert parse_log(text[:end]).tensors == ()


def test_a_huge_line_and_a_huge_number_cost_little():
    text = "iter 0/1: e2e=" + "9" * (8 << 20) + " ms (host=1 ms)\n" + "[" * (1 << 20) + "\n" + log([1.0])
    measurement = parse_log(text)
    assert measurement.e2e_ms == (1.0,)
    assert measurement.skipped_lines == 2


def test_lines_of_prefixes_cost_little():
    line = ("[22 17:44:06 " * MAX_LINE_CHARS)[:MAX_LINE_CHARS]
    assert parse_log(f"{line}\n" * 200).e2e_ms == ()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_read_without_an_error(text):
    measurement = parse_log(text)
    assert len(measurement.e2e_ms) == len(measurement.host_ms)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.001, 99999), min_size=1, max_size=30), st.data())
def test_any_cut_of_any_log_is_a_prefix(times, data):
    times = [round(time, 3) for time in times]
    text = log(times)
    whole = parse_log(text)
    assert whole.complete
    assert whole.e2e_ms == tuple(times)
    assert_part(parse_log(text[: data.draw(st.integers(0, len(text)))]), whole)
