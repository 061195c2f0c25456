"""Each format as programs read it that others wrote, whatever the names are.

junitparser, prometheus_client, jsonschema and Python's csv and json are such programs. Of benchstat, compare.py, Perfetto and
speedscope there is none for Python: docs/exports.md says what was opened with them, and here stands their grammar. pyarrow is
large: its test runs where it is installed.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import defaultdict
from dataclasses import replace

import jsonschema
import junitparser
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from farm.export.formats import FORMATS
from farm.export.table import COLUMNS
from farm.model.artifact import Produced
from farm.model.matrix import RoundKind
from farm.model.run import CellStatus, RoundResult, RoundStatus
from farm.model.telemetry import CoreFrequency, Telemetry, Zone
from tests.data.results import make

BY_NAME = {one.name: one for one in FORMATS}
NAMES = (
    "=1+1",
    'a,b"c',
    "a|b\nc",
    "x\\",
    "\udce9t\udce9",
    "n" * 9000,
    "n" * 9000 + "m",
    "\u202e",
    "<U+202E>",
    "gpu-1",
    "",
)

PROFILE = json.dumps({
    "graph_exec": {
        "comp_seq": ["7", "8"],
        "operator": {"7": {"name": "conv</script>", "type": "Convolution"}, "8": {"name": "relu", "type": "Elemwise"}},
    },
    "profiler": {
        "device": {
            "7": {"0": {"start": 0.001, "kern": 0.001, "end": 0.003}},
            "8": {"0": {"start": 0.003, "kern": 0.003, "end": 0.004}},
        },
        "host": {},
        "opr_footprint": {},
    },
})  # fmt: skip
TELEMETRY = "uptime_s temp:soc_mc cpu0_khz\n" + "".join(f"{at}.0 {40000 + at} 1800000\n" for at in range(5))


def exported(results, name, read_text=lambda _: None):
    return BY_NAME[name].content(results, read_text)


def named():
    """A run whose devices, models and variants have names that no format has a word for."""
    made = make.small()
    one = made.cells[0]
    cells = tuple(
        replace(one, device=name, model=NAMES[i - 1], variant=name, build=name)
        for i, name in enumerate(NAMES)
    )
    lost = replace(one, device=NAMES[2], status=CellStatus.FAILED, rounds=(), summary=None, error=NAMES[1])
    return replace(made, run_id=NAMES[2], cells=(*cells, lost), comparisons=make.hostile().comparisons)


RUNS = {"hostile": make.hostile, "compared": make.compared, "empty": make.empty, "named": named}
runs = pytest.mark.parametrize("results", [pytest.param(made(), id=name) for name, made in RUNS.items()])

NUMBER = {"type": "number", "minimum": 0}
GOOGLE = {
    "type": "object",
    "required": ["context", "benchmarks"],
    "properties": {
        "context": {
            "type": "object",
            "required": ["date", "num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "library_build_type"],
            "properties": {
                "date": {"type": "string"},
                "num_cpus": {"type": "integer", "minimum": 1},
                "json_schema_version": {"const": 1},
            },
        },
        "benchmarks": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "run_name", "run_type", "iterations", "real_time", "cpu_time", "time_unit"],
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "run_type": {"enum": ["iteration", "aggregate"]},
                    "real_time": NUMBER,
                    "cpu_time": NUMBER,
                    "iterations": {"type": "integer", "minimum": 0},
                    "repetition_index": {"type": "integer", "minimum": 0},
                    "time_unit": {"enum": ["ns", "us", "ms", "s"]},
                },
                "if": {"properties": {"run_type": {"const": "aggregate"}}},
                "then": {"required": ["aggregate_name"]},
            },
        },
    },
}  # fmt: skip
BENCHER = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 1024},
    "additionalProperties": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "properties": {"value": NUMBER, "lower_value": NUMBER, "upper_value": NUMBER},
            "additionalProperties": False,
        },
    },
}
TRACE = {
    "type": "object",
    "required": ["traceEvents"],
    "properties": {
        "traceEvents": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["ph", "pid", "tid", "name"],
                "properties": {
                    "ph": {"enum": ["X", "C", "M"]},
                    "pid": {"type": "integer"},
                    "tid": {"type": "integer"},
                    "name": {"type": "string"},
                    "ts": NUMBER,
                    "dur": NUMBER,
                },
                "if": {"properties": {"ph": {"const": "X"}}},
                "then": {"required": ["ts", "dur"]},
            },
        }
    },
}


def strict(data):
    """JSON without the numbers that JSON does not have."""
    return json.loads(data, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@runs
def test_google_benchmark_has_the_shape_that_compare_py_reads(results):
    read = strict(exported(results, "google-benchmark"))
    jsonschema.validate(read, GOOGLE)
    repeated = defaultdict(list)
    for row in read["benchmarks"]:
        if row["run_type"] == "iteration":
            repeated[row["name"]].append(row["repetition_index"])
            assert row["repetitions"] > row["repetition_index"]
    assert all(found == list(range(len(found))) for found in repeated.values())
    assert len(repeated) + len(read["context"]["farm_without_times"]) == len(results.cells)


@runs
def test_bencher_metric_format_has_a_latency_within_its_bounds_for_each_measured_cell(results):
    read = strict(exported(results, "bmf"))
    jsonschema.validate(read, BENCHER)
    assert len(read) == sum(cell.summary is not None for cell in results.cells)
    for one in read.values():
        latency = one["latency"]
        assert latency.get("lower_value", 0) <= latency["value"] <= latency.get("upper_value", math.inf)


@runs
def test_junitparser_reads_the_cases_and_their_results(results):
    suites = junitparser.JUnitXml.fromstring(exported(results, "junit"))
    cases = [case for suite in suites for case in suite]
    assert len(cases) >= len(results.cells)
    failed = [case for case in cases if any(isinstance(one, junitparser.Failure) for one in case.result)]
    assert len(failed) == suites.failures


@runs
def test_openmetrics_and_prometheus_parsers_read_the_same_values(results):
    text = exported(results, "openmetrics").decode()
    strictly = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in openmetrics.text_string_to_metric_families(text)
        for sample in family.samples
    }
    older = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert strictly == older
    done = [value for (name, _), value in strictly.items() if name == "farm_cell_completed"]
    assert len(done) == len(results.cells)


def test_openmetrics_gives_names_back_as_they_are_shown():
    text = exported(named(), "openmetrics").decode()
    read = [
        sample.labels["device"]
        for family in openmetrics.text_string_to_metric_families(text)
        if family.name == "farm_cell_completed"
        for sample in family.samples
    ]
    assert read[:4] == ["=1+1", 'a,b"c', "a|b c", "x\\"]


@runs
def test_csv_has_a_row_for_each_round_and_no_formula(results):
    text = exported(results, "csv").decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == sum(len(cell.rounds) or 1 for cell in results.cells)
    for row in rows:
        assert None not in row
        assert None not in row.values()
        for name in ("device", "model", "variant", "build", "cell_error", "error", "run_id", "farm_version"):
            assert not re.match(r"\s*[=+@\uff1d-]", row[name]), row[name]
    counted = [float(row["value_ms"]) for row in rows if row["is_counted"] == "true"]
    assert len(counted) == sum(cell.summary.rounds for cell in results.cells if cell.summary)


LINE = re.compile(r"BenchmarkInference(/(model|device|variant|build)=[^\s/]*){4} [0-9]+ [0-9.]+ ns/op")


@runs
def test_each_line_of_benchfmt_is_a_comment_a_unit_or_a_benchmark(results):
    lines = exported(results, "benchfmt").decode().split("\n")
    assert lines.pop() == ""
    assert lines.pop(0).startswith("# farm "), "a key would put runs into tables of their own"
    assert lines.pop(0) == "Unit ns/op better=lower"
    for line in lines:
        assert LINE.fullmatch(line), line
        assert not re.search(r"-[0-9]+ ", line), "the end of the name is read as a number of processors"


@runs
def test_a_trace_has_the_shape_that_viewers_read_and_a_process_for_each_cell(results):
    read = strict(exported(results, "chrome-trace", lambda _: PROFILE))
    jsonschema.validate(read, TRACE)
    processes = [one["args"]["name"] for one in read["traceEvents"] if one["name"] == "process_name"]
    assert len(processes) == len(set(processes)) == len(results.cells)


def traced():
    made = make.small()
    cell = made.cells[0]
    first, second, *rest = cell.rounds
    told = Telemetry(
        2, 1.0, (Zone("soc", 40.0, 50.0, 49.0),), (CoreFrequency(0, 1_000_000, 1_800_000, 2_000_000),)
    )
    kept = Produced("telemetry", "t", "a" * 64, 1)
    long = replace(second, e2e_ms=(2000.0,) * 3, artifacts=(kept,))
    profiled = RoundResult(
        RoundKind.PROFILE, 0, RoundStatus.COMPLETED, artifacts=(Produced("profile", "p", "b" * 64, 1),)
    )
    rounds = (replace(first, telemetry=told), long, *rest, profiled)
    return replace(made, cells=(replace(cell, rounds=rounds), *made.cells[1:]))


def test_in_a_trace_variants_begin_at_0_parts_lie_in_their_round_and_operators_follow_each_other():
    texts = {"telemetry": TELEMETRY, "profile": PROFILE}
    events = strict(exported(traced(), "chrome-trace", lambda one: texts[one.role]))["traceEvents"]
    slices = [one for one in events if one["ph"] == "X"]
    for pid in {one["pid"] for one in slices}:
        mine = [one for one in slices if one["pid"] == pid and one["tid"] == 1]
        assert mine[0]["ts"] == 0
        end = 0.0
        for one in mine:
            if "round" in one["name"]:
                assert one["ts"] == pytest.approx(end, abs=0.01)
                end = one["ts"] + one["dur"]
            else:
                assert one["ts"] + one["dur"] <= end + 0.01
    operators = [(one["name"], one["ts"], one["dur"]) for one in slices if one["tid"] == 2]
    assert operators == [("conv</script>", 0.0, 2000.0), ("relu", 2000.0, 1000.0)]
    counters = [(one["name"], one["args"]["value"]) for one in events if one["ph"] == "C"]
    assert ("soc, C", 40.0) in counters
    assert ("core 0, MHz", 1800.0) in counters
    assert ("soc, C", 40.004) in counters


def test_a_profile_that_is_gone_or_damaged_is_named_and_the_rest_is_there():
    for text, reason in ((None, "gone or too large"), ("{", "operators of local/")):
        read = strict(exported(traced(), "chrome-trace", lambda one, text=text: text))
        assert any(reason in one for one in read["otherData"]["left out"])
        assert any(one["ph"] == "X" for one in read["traceEvents"])


def test_times_that_are_no_numbers_leave_every_format_readable():
    made = make.small()
    odd = replace(
        made.cells[0].rounds[0], e2e_ms=(math.inf, math.nan, -1.0), load_ms=math.nan, warmup_ms=(math.inf,)
    )
    cells = (replace(made.cells[0], rounds=(odd, *made.cells[0].rounds[1:])), *made.cells[1:])
    results = replace(made, cells=cells)
    for name in ("google-benchmark", "bmf", "chrome-trace"):
        strict(exported(results, name))
    assert b"inf" not in exported(results, "csv")


def test_names_that_are_the_same_once_they_are_safe_stay_two_cells():
    made = make.small()
    cells = tuple(
        replace(made.cells[0], variant=name) for name in ("\u202e", "<U+202E>", "n" * 9000, "n" * 9000 + "m")
    )
    assert len(strict(exported(replace(made, cells=cells), "bmf"))) == 4


def test_parquet_has_every_column_and_all_times():
    pytest.importorskip("pyarrow", reason="pyarrow is large: pip install 'megengine-farm[export]'")
    import pyarrow.parquet as pq

    for made in RUNS.values():
        results = made()
        table = pq.read_table(io.BytesIO(exported(results, "parquet")))
        assert table.column_names == [column.name for column in COLUMNS]
        assert table.num_rows == sum(len(cell.rounds) or 1 for cell in results.cells)
    times = pq.read_table(io.BytesIO(exported(make.small(), "parquet"))).column("e2e_ms").to_pylist()
    assert times[0] == list(make.small().cells[0].rounds[0].e2e_ms)
