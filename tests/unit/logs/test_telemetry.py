"""What is read of telemetry, whatever a device sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.logs.exact_times import parse_exact_times
from farm.logs.processes import Supervised, heaviest, parse_processes, parse_supervised
from farm.logs.telemetry import parse_gpu_telemetry, parse_telemetry
from farm.model.telemetry import CpuTime, Sample

HEAD = "uptime_s load_1m cores running cpu own cpu4_khz temp:soc%20thermal_mc energy:package-0_uj"
LINE = "34721.30 2.66 0,4 4 1,2,3,4,5,6,7,8 91+0+3+0 1800000 45123 262143328849"


def test_a_line_is_read_by_the_names_of_its_columns():
    (sample,) = parse_telemetry(f"{HEAD}\n{LINE}\n")
    assert sample == Sample(
        at_s=34721.3,
        cpu=CpuTime(total=36, idle=9, steal=8),
        own=94,
        cores=(0, 4),
        running=(4,),
        frequencies_khz=((4, 1_800_000),),
        temperatures_c=(("soc thermal", 45.123),),
        energy_uj=(("package-0", 262143328849),),
    )


def test_telemetry_of_earlier_versions_is_read_too():
    (sample,) = parse_telemetry("uptime_s load_1m cores cpu0_khz\n7.01 0.5 0 2400000\n")
    assert (sample.at_s, sample.cpu, sample.own, sample.frequencies_khz) == (
        7.01,
        None,
        None,
        ((0, 2_400_000),),
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", HEAD, f"{HEAD}\n", f"{HEAD}\n{LINE}", LINE + "\n", f"{HEAD}\n{LINE[:-20]}\n", f"{HEAD}\n{LINE} 1\n",
        f"{HEAD}\n{LINE.replace('34721.30', 'nan')}\n", f"{HEAD}\n{LINE.replace('34721.30', '-1')}\n",
        "<html>\n" * 5, "\x00\xff\n\x1b[31m\n", "uptime_s " * 6000 + "\n" + "1 " * 6000 + "\n",
    ],
)  # fmt: skip
def test_what_is_no_telemetry_or_was_cut_gives_no_sample(text):
    assert parse_telemetry(text) == ()


@pytest.mark.parametrize(
    ("good", "lie"),
    [
        ("45123", "-"), ("45123", "-273000"), ("45123", "9999999"), ("45123", "0"), ("45123", "1e9"), ("45123", "٤٥"),
        ("1800000", "-5"), ("1800000", "0"), ("1800000", "99999999999"), ("1800000", "fast"),
        ("1,2,3,4,5,6,7,8", "1,2,3"), ("1,2,3,4,5,6,7,8", "1,2,3,-4,5,6,7,8"), ("1,2,3,4,5,6,7,8", "-"),
        ("91+0+3+0", "91+-5"), ("91+0+3+0", "+"), ("262143328849", "9" * 30), ("262143328849", "-1"),
    ],
)  # fmt: skip
def test_a_reading_that_is_none_costs_itself_only(good, lie):
    (whole,), (sample,) = (
        parse_telemetry(f"{HEAD}\n{LINE}\n"),
        parse_telemetry(f"{HEAD}\n{LINE.replace(good, lie)}\n"),
    )
    differing = [name for name in vars(whole) if getattr(whole, name) != getattr(sample, name)]
    assert len(differing) == 1
    assert getattr(sample, differing[0]) in ((), None)


def test_old_kernels_have_whole_degrees():
    (sample,) = parse_telemetry("uptime_s temp:cpu_mc\n1.0 47\n")
    assert sample.temperatures_c == (("cpu", 47.0),)


def test_power_is_current_times_voltage_whatever_its_sign():
    head = "uptime_s current:battery_ua voltage:battery_uv current:lame_ua power:usb_uw"
    (sample,) = parse_telemetry(f"{head}\n1.0 -812000 4000000 5 5123000\n")
    assert sample.power_mw == (("battery", 3248.0), ("usb", 5123.0))


@given(st.text(alphabet="0123456789 ,.+-%\nuptime_s:cpukhzmc\x00é", max_size=300))
def test_no_text_whatever_raises(text):
    parse_telemetry(text)
    parse_telemetry(f"uptime_s {text}")
    parse_gpu_telemetry(text)
    parse_processes(text)
    parse_exact_times(text)


def test_gpus_are_read_and_what_a_driver_does_not_know_is_left_out():
    text = (
        "7.01 0, 71.50, 44, 1410, 0x0000000000000004\n8.02 1, [N/A], [N/A], 300, Not Active\nError\n9.0 0, 1"
    )
    first, second = parse_gpu_telemetry(text)
    assert (first.at_s, first.gpu, first.power_mw, first.temperature_c, first.reasons) == (
        7.01,
        0,
        71500,
        44,
        4,
    )
    assert (second.gpu, second.power_mw, second.temperature_c, second.clock_mhz, second.reasons) == (
        1, None, None, 300, None,
    )  # fmt: skip


# --------------------------------------------------------------------------- processes

REST = "S 1 2 2 0 -1 4194304 1 2 3 4 {} {} 0 0 20 0 1 0 100 1 1"


def test_processes_are_named_and_the_ones_that_worked_come_first():
    before = "\n".join(
        (
            f"7 (idle) {REST.format(5, 5)}",
            f"8 (a ) S (b)) {REST.format(10, 0)}",
            f"9 (ended) {REST.format(1, 1)}",
        )
    )
    after = "\n".join(
        (
            f"7 (idle) {REST.format(5, 6)}",
            f"8 (a ) S (b)) {REST.format(50, 20)}",
            f"10 (new) {REST.format(99, 9)}",
        )
    )
    found = heaviest(parse_processes(before), parse_processes(after))
    assert [(one.pid, one.name, used) for one, used in found] == [(8, "a ) S (b)", 60), (7, "idle", 1)]


def test_a_number_that_is_another_process_by_now_is_none_that_worked():
    before, after = (
        parse_processes(f"7 (old) {REST.format(5, 5)}"),
        parse_processes(f"7 (new) {REST.format(99, 9)}"),
    )
    assert heaviest(before, after) == []


def test_the_name_of_a_process_may_hold_what_a_terminal_obeys():
    (one,) = parse_processes(f"7 (\x1b[31mred\u202e{'x' * 100}) {REST.format(1, 1)}").values()
    assert "\x1b" not in one.name
    assert len(one.name) < 60


# --------------------------------------------------------------------------- exact times


def test_exact_times_are_two_numbers_a_line():
    assert parse_exact_times("46609 40012\n46129 40000\n") == ((46609, 40012), (46129, 40000))


@pytest.mark.parametrize(
    "text", ["", "1 2", "1 2\n3", "1 2\n3 x\n", "1 2\n\n", "-1 2\n", "1.5 2\n", "9" * 20 + " 1\n"]
)
def test_exact_times_that_were_cut_or_are_something_else_count_as_none(text):
    assert parse_exact_times(text) == ()


AGENT = "sh\0/home/b/farm/agents/ab.sh\0"


def test_supervisors_of_jobs_are_found_among_other_command_lines():
    text = f"s6-supervise\0web\0{AGENT}supervise\0/home/b/farm\0r1-0\0-\0-\0{AGENT}serve\0~/x\0" * 2
    assert parse_supervised(text) == (Supervised("/home/b/farm", "r1-0"),)


@pytest.mark.parametrize("cut", range(7))
def test_a_command_line_that_is_cut_is_no_supervisor(cut: int):
    words = f"{AGENT}supervise\0/w\0job\0-\0".split("\0")
    assert parse_supervised("\0".join(words[:cut])) == ()
