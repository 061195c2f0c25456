import dataclasses
import json
import math
from dataclasses import replace

import pytest

from farm.model.artifact import Produced
from farm.model.device import Facts, RuntimeKind
from farm.model.run import MOST_OUTAGES, CellStatus, DeviceRecord, Outage, Restart, RunStatus
from farm.report.compose import compose
from farm.report.numerals import MISSING
from farm.report.parts.environment import outages_of, restarts_of
from farm.store.codec import results_from_json
from tests.data.results import make


def example(name):
    path = make.FOLDER / f"{name}.json"
    return results_from_json(path.read_bytes(), path.name)


def box(view, model, device, column):
    matrix = next(m for m in view.matrices if m.model == model)
    return next(row for row in matrix.rows if row.device == device).boxes[column]


def texts(value):
    match value:
        case str():
            yield value
        case tuple():
            for item in value:
                yield from texts(item)
        case _ if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                yield from texts(getattr(value, field.name))


@pytest.fixture(scope="module")
def lab():
    return compose(example("lab"))


@pytest.mark.parametrize("name", make.EXAMPLES)
def test_the_example_files_are_what_their_maker_makes(name):
    assert example(name) == make.EXAMPLES[name]()


def test_every_cell_is_counted_once_by_its_status(lab):
    assert [(c.status.word, c.cells) for c in lab.head.counts] == [
        ("completed", 82),
        ("failed", 21),
        ("skipped", 12),
        ("cancelled", 5),
    ]
    assert lab.head.cells == 120


def test_the_head_says_who_ran_what_and_when():
    head = compose(example("small")).head
    assert head.run_id == "demo-7f3a"
    assert head.when == "2026-11-23 11:30:27 UTC, took 6 min 14 s"
    assert head.command == "farm bench --variant '4 threads=--multithread 4'"
    assert {f.label: f.text for f in head.facts} == {
        "engine": "MegEngine 1.13.0",
        "farm": "0.1.0",
        "rounds per cell": "5",
        "seed": "1978226013",
        "pushed": "0 Bytes, 9 files reused",
    }
    assert head.trouble is None


def test_a_matrix_has_devices_and_variants_in_the_order_of_the_plan(lab):
    assert [m.model for m in lab.matrices] == list(make.MODELS)
    assert [row.device for row in lab.matrices[0].rows] == list(make.DEVICES)
    assert lab.matrices[0].variants == tuple(make.VARIANTS)


def test_a_box_has_the_median_of_the_rounds_its_spread_and_its_rounds():
    results = example("small")
    times = box(compose(results), "shufflenet_v2", "local", 1).times
    summary = results.cells[1].summary
    assert (times.median, times.low, times.high, times.rounds) == ("4.05", "4.02", "4.08", "5 rounds")
    assert times.sort_ms == summary.median_ms
    assert times.ratio == f"{summary.median_ms / results.cells[0].summary.median_ms:.2f}"


def test_the_first_variant_is_not_compared_with_itself(lab):
    first = box(lab, "tiny", "arm-1", 0).times
    assert (first.ratio, first.strip.reference) == (None, None)


def test_bars_of_a_row_share_an_axis_that_ends_at_its_largest_round(lab):
    for matrix in lab.matrices:
        for row in matrix.rows:
            timed = [b.times.strip for b in row.boxes if b and b.times]
            assert not timed or max(strip.high for strip in timed) == 1.0
            assert all(0 <= x <= 1 for s in timed for x in (*s.rounds, s.low, s.median, s.high))


def test_times_of_one_model_have_the_same_decimals(lab):
    for matrix in lab.matrices:
        medians = [b.times.median for row in matrix.rows for b in row.boxes if b and b.times]
        assert len({len(text.partition(".")[2]) for text in medians}) == 1


def test_without_a_time_of_the_first_variant_there_is_no_ratio():
    results = example("small")
    first = replace(results.cells[0], status=CellStatus.FAILED, cause="crashed")
    view = compose(replace(results, cells=(first, results.cells[1])))
    assert box(view, "shufflenet_v2", "local", 0).times is None
    assert box(view, "shufflenet_v2", "local", 1).times.ratio is None


def test_failed_and_skipped_boxes_say_why_in_words(lab):
    failed, skipped = box(lab, "tiny", "arm-3", 0), box(lab, "tiny", "gpu-1", 1)
    assert (failed.status.word, failed.reason, failed.times) == ("failed", "unreachable", None)
    assert (skipped.status.word, skipped.reason) == ("skipped", "nchw44 is for Arm CPUs: gpu-1 is x86_64")
    assert len({s.symbol for s in (failed.status, skipped.status)}) == 2


def test_a_cell_that_lost_rounds_or_never_settled_says_so(lab):
    times = box(lab, "shufflenet_v2", "phone-1", 0).times
    assert times.rounds == "4 of 5 rounds"
    assert times.warning == "not steady: 1 of 4 rounds"


def test_a_cell_that_the_run_does_not_have_is_no_box():
    results = example("lab")
    kept = tuple(c for c in results.cells if (c.device, c.model, c.variant) != ("arm-1", "tiny", "nchw44"))
    assert box(compose(replace(results, cells=kept)), "tiny", "arm-1", 1) is None


def test_cells_of_a_device_with_one_reason_are_one_problem_and_failures_come_first(lab):
    assert [(p.status.word, p.device, len(p.cells)) for p in lab.problems] == [
        ("failed", "arm-2", 1),
        ("failed", "arm-3", 20),
        ("skipped", "arm-4", 4),
        ("skipped", "gpu-1", 8),
        ("cancelled", "phone-1", 5),
    ]
    failure = lab.problems[1].failure
    assert (failure.stage, failure.fault, failure.cause) == ("connect", "network", "unreachable")
    assert failure.hint == "farm devices check arm-3"


def test_a_detail_has_everything_that_repeats_and_explains_the_cell(lab):
    results = example("lab")
    cell = next(c for c in results.cells if (c.device, c.variant) == ("phone-1", "fp32") and c.notes)
    detail = next(d for d in lab.cells if d.notes)
    assert detail.reproduce == cell.reproduce
    assert detail.argv == "load_and_run shufflenet_v2.mge --iter=12 --warmup-iter=1"
    assert [r.name for r in detail.rounds] == [f"timed {i}" for i in range(1, 6)]
    assert detail.rounds[1].quality == "not steady"
    assert detail.rounds[1].iterations == "6 of 12"
    assert detail.rounds[4].error == "killed: limit of 60 s"
    assert detail.rounds[4].figures[2:] == (MISSING, MISSING, MISSING)
    assert [mark.is_failed for mark in detail.order.marks] == [False] * 4 + [True]
    assert detail.files[0].href == "./cells/phone-1/shufflenet_v2/fp32/stdout.txt"


def test_every_box_and_every_problem_leads_to_a_detail(lab):
    anchors = {d.anchor for d in lab.cells}
    assert len(anchors) == 120
    assert {b.anchor for m in lab.matrices for row in m.rows for b in row.boxes if b} == anchors
    assert {c.anchor for p in lab.problems for c in p.cells} < anchors


def environment(*facts):
    devices = tuple(DeviceRecord(f"d{i}", f"a{i}", RuntimeKind.NATIVE, facts=f) for i, f in enumerate(facts))
    view = compose(replace(example("empty"), devices=devices))
    return {row.label: row for group in view.environment.groups for row in group.rows}


def test_the_environment_marks_the_device_that_differs_from_most():
    rows = environment(Facts(kernel="6.1"), Facts(kernel="6.1"), Facts(kernel="5.10"), None)
    assert rows["kernel"].texts == ("6.1", "6.1", "5.10", MISSING)
    assert rows["kernel"].odd == (False, False, True, False)  # the silent one is not a different one
    assert rows["kernel"].differs


def test_what_is_different_by_nature_is_not_marked():
    rows = environment(Facts(hostname="a", load_average_1m=0.0), Facts(hostname="b", load_average_1m=1.5))
    assert not rows["address"].differs
    assert not rows["host name"].differs
    assert rows["load, 1 minute"].texts == ("0.0", "1.5")
    assert not rows["load, 1 minute"].differs


def test_a_fact_per_core_is_one_text_where_cores_agree():
    same = tuple((core, "performance") for core in range(8))
    rows = environment(
        Facts(governors=same), Facts(governors=(*same[:4], (4, "schedutil"), (5, "schedutil")))
    )
    assert rows["governor"].texts == ("performance", "performance on 0-3, schedutil on 4-5")


def test_restarts_are_told_with_what_was_done_again():
    restarts = (
        Restart("2026-11-26T13:02:59+00:00", "timed-1", "d/m/fp32"),
        Restart("2026-11-26T13:04:00+00:00", "deploying"),
    )
    device = DeviceRecord("d", "a", RuntimeKind.NATIVE, restarts=restarts)
    said = "2: timed-1 of m/fp32 at 13:02:59 UTC, deploying at 13:04:00 UTC"
    assert restarts_of(device) == said
    assert restarts_of(replace(device, restarts=())) is None


def test_lost_connections_are_told_with_how_long_and_what_went_on():
    outages = (
        Outage("2026-11-26T13:02:59+00:00", "timed-1", "d/m/fp32", 1.24, is_over=True),
        Outage("2026-11-26T13:04:00+00:00", "deploying", None, 45.0, is_over=False),
    )
    device = DeviceRecord("d", "a", RuntimeKind.NATIVE, outages=outages)
    said = (
        "2 times, 46.2 s in all: timed-1 of m/fp32 at 13:02:59 UTC for 1.2 s, "
        "deploying at 13:04:00 UTC for 45.0 s, and was not back"
    )
    assert outages_of(device) == said
    assert outages_of(replace(device, outages=())) is None
    assert outages_of(replace(device, outages=outages[:1])).startswith("1 time, 1.2 s in all: ")
    many = outages_of(replace(device, outages=outages[:1] * MOST_OUTAGES))
    assert many.startswith("at least 100 times, 124.0 s in all: ")
    assert many.endswith(" and 95 more")


def test_facts_that_no_device_told_are_left_out():
    assert "GPU" not in environment(Facts(kernel="6.1"))


def test_an_empty_run_says_that_nothing_was_measured():
    view = compose(example("empty"))
    assert view.head.trouble == "This run has no cells: nothing was measured."
    assert (view.matrices, view.cells, view.problems, view.environment.devices) == ((), (), (), ())


def test_a_run_without_any_time_says_so():
    results = example("small")
    failed = tuple(replace(c, status=CellStatus.FAILED, summary=None, rounds=()) for c in results.cells)
    assert compose(replace(results, cells=failed)).head.trouble == "No cell completed: this run has no times."


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (RunStatus.COMPLETED, None),
        (RunStatus.PARTIAL, None),  # the counts of failed cells say that
        (RunStatus.RUNNING, "The run was still going when this report was written: cells may be missing."),
        (RunStatus.INTERRUPTED, "The run was interrupted: cells may be missing."),
    ],
)
def test_a_run_that_did_not_end_by_itself_says_so(status, trouble):
    assert compose(replace(example("small"), status=status)).head.trouble == trouble


def test_no_text_of_a_view_has_a_character_that_hides_or_reorders():
    view = compose(replace(example("hostile"), run_id="\ud800\x1b\u202e"))
    assert view.head.run_id == "<U+D800><U+001B><U+202E>"
    for text in texts(view):
        assert text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable(), repr(text)


def test_the_data_is_the_whole_run_unchanged():
    results = example("hostile")
    embedded = json.dumps(compose(results).data)
    assert results_from_json(embedded.encode(), "embedded") == results


def test_a_number_that_json_cannot_say_is_null():
    results = example("small")
    odd = replace(results.cells[0], rounds=(replace(results.cells[0].rounds[0], wall_s=math.nan),))
    data = compose(replace(results, cells=(odd,))).data
    assert data["cells"][0]["rounds"][0]["wall_s"] is None


def test_times_of_very_many_iterations_stay_in_the_results_file():
    results = example("small")
    long = tuple(1.0 for _ in range(200_000))
    cell = results.cells[0]
    cell = replace(cell, rounds=(replace(cell.rounds[0], e2e_ms=long), *cell.rounds[1:]))
    view = compose(replace(results, cells=(cell,)))
    assert not view.method.iterations_embedded
    assert view.data["cells"][0]["rounds"][0].get("e2e_ms") is None
    assert view.data["cells"][0]["summary"]["median_ms"] == cell.summary.median_ms
    assert compose(results).method.iterations_embedded


def test_what_of_a_run_is_not_here_is_said_on_top_of_its_report() -> None:
    lossy = replace(make.small(), status=RunStatus.INTERRUPTED, losses=("line 3 cannot be read",))
    trouble = compose(lossy).head.trouble
    assert trouble == "The run was interrupted: cells may be missing. Not all is here: line 3 cannot be read."
    assert compose(make.small()).head.trouble is None


def test_many_files_of_a_dump_are_one_row_with_their_folder_and_are_not_embedded():
    results = make.small()
    first = results.cells[0]
    dump = tuple(Produced("io-dump", f"cells/a/io/{n}.bin", "0" * 64, 1000) for n in range(2000))
    whole = replace(results, cells=(replace(first, artifacts=dump), *results.cells[1:]))
    view = compose(whole)
    (row,) = (one for one in view.cells[0].files if one.role == "io-dump")
    assert (row.path, row.href, row.size) == ("cells/a/io/ (2000 files)", "./cells/a/io", "2 MB")
    assert "io-dump" not in json.dumps(view.data)
    few = replace(results, cells=(replace(first, artifacts=dump[:5]), *results.cells[1:]))
    assert "io-dump" in json.dumps(compose(few).data)
    assert sum(one.role == "io-dump" for one in compose(few).cells[0].files) == 5


@pytest.mark.parametrize(
    ("name", "is_linked"),
    [("a.txt", True), ("p.json", True), ("x.html", False), ("x.svg", False), ("x", False)],
)
def test_a_file_that_a_browser_may_take_for_a_page_has_no_link(name: str, is_linked: bool) -> None:
    """A click on it would run the script of a device."""
    results = example("small")
    left = Produced("file", f"cells/a/out/{name}", "0" * 64, 1)
    made = compose(replace(results, cells=(replace(results.cells[0], artifacts=(left,)),)))
    (row,) = [one for one in made.cells[0].files if one.path == left.path]
    assert (row.href is not None) == is_linked
