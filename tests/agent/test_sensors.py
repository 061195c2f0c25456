"""What the agent reads of a device beside a program, and between two of them."""

from __future__ import annotations

import os
import signal
import time

from farm.logs.processes import parse_processes
from farm.logs.telemetry import parse_gpu_telemetry, parse_telemetry
from tests.agent.shells import Phone, Talk, running, until


def test_a_round_of_no_time_has_two_readings_with_its_processor_time(agent: Talk, epoch: int):
    """The second one counts all descendants that the program has waited for."""
    spin = "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"
    agent.start(epoch, "j", "sh", "-c", f"({spin}); ({spin}); {spin}")
    assert agent.ended("j") == (0, "-")
    first, *_, last = parse_telemetry(agent.output("j", "telemetry").decode())
    assert first.own is None
    assert last.cpu.total - first.cpu.total > 0
    assert 0 < last.own <= (last.at_s - first.at_s + 0.1) * 100
    assert last.own <= last.cpu.busy - first.cpu.busy + 5  # the kernel counts the two in different ways


def test_the_processor_time_of_a_program_that_is_started_by_another_counts_while_it_runs(
    agent: Talk, epoch: int
):
    agent.start(epoch, "j", "sh", "-c", "sh -c 'while :; do :; done'; true")
    until(
        lambda: any((one.own or 0) > 30 for one in parse_telemetry(agent.output("j", "telemetry").decode()))
    )
    agent("kill", "j")


def test_only_threads_that_run_are_said_to_be_running(agent: Talk, epoch: int):
    agent.start(epoch, "busy", "sh", "-c", "while :; do :; done")
    agent.start(epoch, "idle", "sleep", "300")
    until(lambda: min(agent.output(job, "telemetry").count(b"\n") for job in ("busy", "idle")) >= 3)
    busy, idle = (parse_telemetry(agent.output(job, "telemetry").decode())[1] for job in ("busy", "idle"))
    assert (len(busy.running), len(idle.running), len(idle.cores)) == (1, 0, 1)


def test_what_is_asked_between_rounds_is_a_reading_like_those_of_a_round(agent: Talk):
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    first, second = (parse_telemetry(agent.data("sense").decode()) for _ in range(2))
    (one,), (two,) = first, second
    assert before - 0.02 <= one.at_s <= two.at_s
    assert one.cpu.total <= two.cpu.total
    assert one.own is None


def test_the_processes_of_a_device_are_told_with_their_processor_time(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", "while :; do :; done")
    ours = parse_processes(agent.data("processes").decode("utf-8", "replace"))
    assert ours[os.getpid()].used > 0
    assert agent.process.pid in ours


def test_a_gpu_is_looked_at_beside_a_round_that_asks_for_it_and_not_after_it(phone: Phone):
    """nvidia-smi, which a script stands for here, is gone with the round, however that ends."""
    tool = phone.folder / "bin" / "nvidia-smi"
    tool.write_text("#!/bin/sh\nwhile :; do echo '0, 71.50, 44, 1410, 0x0000000000000004'; sleep 0.2; done\n")
    tool.chmod(0o755)
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "1", settings=("FARM_GPU=1",))
    assert agent.ended("j") == (0, "-")
    first, *_ = parse_gpu_telemetry(agent.output("j", "out/farm-gpu.txt").decode())
    assert (first.gpu, first.power_mw, first.temperature_c, first.clock_mhz, first.reasons) == (
        0,
        71500,
        44,
        1410,
        4,
    )
    agent.start(epoch, "killed", "sleep", "300", settings=("FARM_GPU=1",))
    until(lambda: parse_gpu_telemetry(agent.output("killed", "out/farm-gpu.txt").decode()))
    (supervisor, *_) = (phone.workdir / "spool" / "killed" / "pid").read_text().split()
    os.kill(int(supervisor), signal.SIGKILL)
    until(lambda: agent("poll", "killed")[0] == "exited")
    until(lambda: not list(running(str(tool))))
    agent.start(epoch, "without", "true")
    assert agent.ended("without") == (0, "-")
    assert agent.files("without") == ()
    agent("release", epoch)
