"""What a job has written: listed, gathered, and read by offset."""

from __future__ import annotations

import hashlib
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from farm.device.spool import Gathered, Stream, parse_gathered
from tests.agent.shells import ODD_NAMES, Phone, Refused, Talk, alive, shut, until

CONTENT = random.Random(7).randbytes(300_001)


def test_what_a_job_wrote_is_listed_and_read_byte_for_byte(
    phone: Phone, agent: Talk, epoch: int, tmp_path: Path
):
    agent.start(epoch, "j", "true", folders=("deep/er",))
    agent.ended("j")
    out = phone.workdir / "spool" / "j" / "out"
    wanted = {f"deep/er/{name}": os.fsencode(name) * 3 for name in ODD_NAMES}
    wanted |= {
        os.fsdecode(b"no \xff utf-8"): b"x",
        "-n": b"dash",
        "binary": bytes(range(256)) * 1000,
        "empty": b"",
    }
    wanted |= {f"many/{number:03}.bin": str(number).encode() for number in range(450)}
    for path, content in wanted.items():
        (out / path).parent.mkdir(exist_ok=True)
        (out / path).write_bytes(content)
    (out / "link").symlink_to(tmp_path)
    (out / "deep" / "self").symlink_to("..")
    os.mkfifo(out / "pipe")
    entries = agent.files("j")
    assert {entry.path: (entry.sha256, entry.size_bytes) for entry in entries} == {
        path: (hashlib.sha256(content).hexdigest(), len(content)) for path, content in wanted.items()
    }
    assert len(entries) == len(wanted)
    for path, content in wanted.items():
        if not path.startswith("many/"):
            assert agent.output("j", f"out/{path}") == content


def test_reading_goes_by_offset(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "true")
    agent.ended("j")
    (phone.workdir / "spool/j/stdout").write_bytes(CONTENT)
    blocks = [agent.data("read", "j", "stdout", at, 100_000) for at in range(0, 400_000, 100_000)]
    assert [len(block) for block in blocks] == [100_000, 100_000, 100_000, 1]
    assert b"".join(blocks) == CONTENT
    assert agent.data("read", "j", "stdout", len(CONTENT), 10) == b""
    assert agent.data("read", "j", "stdout", len(CONTENT) + 5, 10) == b""


def test_small_files_come_in_one_reply_of_the_size_that_was_asked_for(
    phone: Phone, agent: Talk, epoch: int, tmp_path: Path
):
    agent.start(epoch, "j", "true")
    agent.ended("j")
    out = phone.workdir / "spool/j/out"
    wanted = {name: os.fsencode(name) * 3 for name in (*ODD_NAMES, "-n", "plain")}
    for name, content in wanted.items():
        (out / name).write_bytes(content)
    names, whole = [f"out/{name}" for name in wanted], b"".join(wanted.values())
    assert agent.data("pick", "j", len(whole), *names) == whole
    assert agent.data("pick", "j", len(whole) - 5, *names) == whole[:-5]
    assert agent.data("pick", "j", len(whole) + 5, *names) == whole + bytes(
        5
    )  # one shrank: the line is in step
    (out / "secret").symlink_to("/etc/passwd")
    for path in ("out/secret", "out/nothing", "out"):
        with pytest.raises(Refused, match="missing"):
            agent.data("pick", "j", 10, names[0], path)
    for path in ("../limit", "/etc/passwd"):
        with pytest.raises(Refused):
            agent.data("pick", "j", 10, path)
    assert agent.data("pick", "j", len(whole), *names) == whole


def test_what_is_left_of_a_job_comes_at_once_as_far_as_it_is_not_long(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", "printf 123456789; printf words >&2; echo x >'a b'")
    agent.ended("j")
    for limit, out, err in ((0, b"", b""), (5, b"12345", b"words"), (1 << 20, b"123456789", b"words")):
        reply, data = agent.full("gather", "j", limit)
        left = parse_gathered(reply, data, limit)
        assert (left.stdout, left.stderr) == (Stream(out, 9), Stream(err, 5))
        assert [(entry.path, entry.size_bytes) for entry in left.files] == [("a b", 2)]
        assert agent.output("j", "telemetry").startswith(left.telemetry.begin)


def test_nothing_is_gathered_of_a_job_that_runs(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "300")
    assert shut(agent, "gather", "j", 100) == "running"


def test_streams_that_a_program_put_something_else_in_the_place_of_are_empty(agent: Talk, epoch: int):
    script = "cd ..; rm stdout stderr; ln -s /etc/passwd stdout; mkdir stderr; rm telemetry; mkfifo telemetry"
    agent.start(epoch, "j", "sh", "-c", script)
    agent.ended("j")
    reply, data = agent.full("gather", "j", 100)
    assert parse_gathered(reply, data, 100) == Gathered(Stream(b"", 0), Stream(b"", 0), Stream(b"", 0))


def test_a_stream_that_became_something_else_after_the_end_is_empty_too(
    phone: Phone, agent: Talk, epoch: int
):
    agent.start(epoch, "j", "sh", "-c", "echo a line; echo a line >&2")
    agent.ended("j")
    (phone.workdir / "spool/j/stdout").unlink()
    (phone.workdir / "spool/j/stdout").symlink_to("/etc/passwd")
    reply, data = agent.full("gather", "j", 100)
    left = parse_gathered(reply, data, 100)
    assert (left.stdout, left.stderr) == (Stream(b"", 0), Stream(b"a line\n", 7))


def test_an_end_that_a_program_wrote_itself_does_not_put_the_line_out_of_step(
    phone: Phone, agent: Talk, epoch: int
):
    agent.start(epoch, "j", "echo", "a line")
    agent.ended("j")
    supervisor = int((phone.workdir / "spool/j/pid").read_text().split()[0])
    until(lambda: not alive(supervisor))  # as long as it lives, what is no end is none yet
    for sizes in ("x y z", "-1 0 0", "999999999999999 99999 4294967301", "7 $(id) `id`", ""):
        (phone.workdir / "spool/j/exit").write_text(f"0 - {sizes}\n")
        parse_gathered(*agent.full("gather", "j", 100), 100)
        assert agent("jobs") == ("j=exited",)


def test_files_beyond_2_gib_are_read_at_the_right_place(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "true")
    agent.ended("j")
    with (phone.workdir / "spool/j/stdout").open("wb") as stream:
        stream.seek(2**31 + 5)
        stream.write(b"here")
    assert agent.data("read", "j", "stdout", 2**31 + 4, 9) == b"\0here"


def test_a_long_file_is_read_in_blocks_of_any_length(agent: Talk, epoch: int):
    """`head` of busybox reads further than it tells: the next block is where it should be all the same."""
    agent.start(epoch, "j", "seq", "200000")
    agent.ended("j")
    whole = b"".join(b"%d\n" % number for number in range(1, 200001))
    for length in (1 << 18, 100_001):
        blocks = [agent.data("read", "j", "stdout", start, length) for start in range(0, len(whole), length)]
        assert b"".join(blocks) == whole


def test_files_are_read_in_turns(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", "seq 10000; seq 10000 >&2; seq 20000 >f")
    agent.ended("j")
    for start in (0, 10_000, 5, 20_000):
        assert agent.data("read", "j", "stdout", start, 10_000) == agent.data(
            "read", "j", "stderr", start, 10_000
        )
        assert len(agent.data("read", "j", "out/f", start, 10_000)) == 10_000


def test_a_file_that_another_took_the_place_of_is_read_anew(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "echo", "a line")
    agent.ended("j")
    assert agent.data("read", "j", "stdout", 0, 3) == b"a l"
    (phone.folder / "other").write_bytes(b"something else")
    (phone.folder / "other").rename(phone.workdir / "spool/j/stdout")
    assert agent.data("read", "j", "stdout", 3, 30) == b"ething else"


def test_a_file_that_is_dropped_leaves_the_disk(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "echo", "a line")
    agent.ended("j")
    agent.output("j")
    agent("drop", "j")
    assert not [path for path in opened(agent.process.pid) if "stdout" in path]


def opened(pid: int) -> list[str]:
    """Paths that a process has open; what it closes meanwhile is left out."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return found


def test_a_file_that_shrinks_while_it_is_read_does_not_put_the_line_out_of_step(phone: Phone):
    now = phone.folder / "now"
    stdout = phone.workdir / "spool/j/stdout"
    phone.replace_tool("head", f"[ ! -e '{now}' ] || {{ rm '{now}'; : >'{stdout}'; }}; exec REAL \"$@\"")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "echo", "a line")
    agent.ended("j")
    now.touch()
    assert agent.output("j") == b"\0" * 7
    assert agent("jobs") == ("j=exited",)
    stdout.write_bytes(b"a l")
    reply, data = agent.full("gather", "j", 100)
    assert parse_gathered(reply, data, 100).stdout.begin[:3] == b"a l"
    assert agent("jobs") == ("j=exited",)
    agent("release", epoch)


def test_a_file_that_its_program_made_unreadable_is_read(phone: Phone):
    agent = phone.talk_as_nobody()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sh", "-c", "echo hidden >f; chmod 0 f")
    agent.ended("j")
    assert [entry.path for entry in agent.files("j")] == ["f"]
    assert agent.output("j", "out/f") == b"hidden\n"
    agent("release", epoch)


@pytest.mark.parametrize(
    "path", ["../../lease", "/etc/passwd", "out/../../x", "out/up/passwd", "out/file", "out"]
)
def test_reading_stays_in_the_job(phone: Phone, agent: Talk, epoch: int, path: str):
    agent.start(epoch, "j", "sh", "-c", "ln -s /etc up; ln -s /etc/passwd file")
    agent.ended("j")
    assert shut(agent, "read", "j", path, 0, 100) in {"usage", "missing"}
