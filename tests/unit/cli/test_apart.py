"""Work in a child process."""

from __future__ import annotations

import os
import signal

import pytest

from farm.cli.apart import apart
from farm.errors import RequestError


def test_it_is_done_by_another_process_while_this_one_goes_on(tmp_path):
    os.mkfifo(tmp_path / "go")
    result = apart(lambda: ((tmp_path / "go").read_text(), os.getpid()))
    (tmp_path / "go").write_text("on")  # nobody would read it before `result` otherwise
    said, pid = result()
    assert said == "on"
    assert pid != os.getpid()


def test_an_error_is_raised_as_if_it_were_done_here():
    def refused():
        raise RequestError("no such device", hint="look again")

    with pytest.raises(RequestError) as error:
        apart(refused)()
    assert error.value.hint == "look again"


def test_a_child_that_dies_or_has_what_cannot_travel_is_no_reason_to_fail():
    mine = os.getpid()
    assert apart(lambda: os.getpid() if os.getpid() == mine else os._exit(9))() == mine
    assert apart(lambda: lambda: 7)()() == 7


@pytest.mark.parametrize("call", ["pipe", "fork"])
def test_where_there_can_be_no_child_it_is_done_here(monkeypatch, call):
    def refused():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    files = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, call, refused)
    assert apart(os.getpid)() == os.getpid()
    assert len(os.listdir("/proc/self/fd")) == files


def test_a_parent_that_ignores_the_ends_of_children_has_the_result_all_the_same():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert apart(lambda: 7)() == 7
    finally:
        signal.signal(signal.SIGCHLD, before)
