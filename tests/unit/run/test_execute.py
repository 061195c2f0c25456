"""What a round's log and its end make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.device.jobs import Ended
from farm.errors import Fault
from farm.logs.round_log import round_log
from farm.model.artifact import Produced
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Round, RoundKind
from farm.model.options import OptionSet
from farm.model.run import RoundResult, RoundStatus
from farm.run.execute import Executed, judge, read_log
from farm.run.pull.collect import LIMITS, Pulled, Refused

BEGIN = "[22 17:44:14 run@x.cpp:88] load model: 1.040ms\n[22 17:44:14 run@x.cpp:88] warm up 0  5.000ms\n"


WELL = Ended(0, "-")


def judged(stderr: str, *, size_bytes: int = 100, ended: Ended = WELL) -> RoundResult:
    kept = Produced("stderr", "cells/d/m/v/timed-0/stderr.txt", "0" * 64, size_bytes)
    one = Round(RoundKind.TIMED, 0, OptionSet())
    return judge(
        one, Executed("j", (), "", 1.0, ended), Pulled({}, (kept,), frozenset()), round_log("", stderr)
    )


def test_a_log_that_was_not_taken_is_no_log_that_the_program_did_not_write() -> None:
    pulled = Pulled({}, (), frozenset(), (Refused("stderr", "more than 9 bytes of one device in a run"),))
    one = Round(RoundKind.TIMED, 0, OptionSet())
    result = judge(one, Executed("j", (), "", 1.0, WELL), pulled, round_log("", ""))
    assert (result.fault, result.cause) == (Fault.DEVICE, "output-refused")
    assert result.error == "the round's stderr was not kept: more than 9 bytes of one device in a run"


@pytest.mark.parametrize(
    ("size_bytes", "cause"),
    [(LIMITS.log_bytes, "log-too-long"), (100, "log-incomplete")],
    ids=["cut", "whole"],
)
def test_times_that_are_missing_because_the_log_was_cut_are_told_so(size_bytes: int, cause: str) -> None:
    result = judged(BEGIN, size_bytes=size_bytes)
    assert (result.status, result.cause) == (RoundStatus.FAILED, cause)
    assert result.hint


def test_a_hang_that_its_last_line_explains_is_not_told_as_a_limit_to_raise() -> None:
    result = judged(f"{BEGIN}bad err=45 in Xbyak::Error\n", ended=Ended(137, "silence-limit"))
    assert result.cause == "no-code-for-processor"
    assert "--silence-limit" not in (result.hint or "")


async def test_a_long_log_is_read_in_another_process_and_a_log_that_takes_too_long_is_told_so(
    tmp_path: Path,
) -> None:
    lines = "".join(f"iter {i}/2000: e2e=1.500 ms (host=1.000 ms)\n" for i in range(2000))
    path = tmp_path / "stderr.txt"
    path.write_text(lines)
    kept = Produced("stderr", "stderr.txt", "0" * 64, len(lines))
    pulled, one = Pulled({"stderr": path}, (kept,), frozenset()), Round(RoundKind.TIMED, 0, OptionSet())
    log = await read_log(pulled, one, Deadlines())
    assert len(log.measurement.e2e_ms) == 2000
    late = judge(
        one, Executed("j", (), "", 1.0, WELL), pulled, await read_log(pulled, one, Deadlines(read_log_s=0))
    )
    assert (late.status, late.cause) == (RoundStatus.FAILED, "log-unread")
    assert "(deadline read-log)" in (late.error or "")
