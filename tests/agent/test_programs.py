"""Programs that the kernel does not run: `execvp` would hand them to a shell, which runs their bytes."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.agent.shells import Phone, Refused, Talk
from tests.elves import AARCH64, ARM, HEXAGON, I386, ODD, X86_64, elf, program

FOREIGN = AARCH64 if platform.machine() == "x86_64" else X86_64
FOREIGN_NAME = "64-bit ARM" if platform.machine() == "x86_64" else "64-bit x86"


def refusal(agent: Talk, epoch: int, *argv: str) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Refused) as caught:
        agent.start(epoch, "j", *argv)
    return caught.value.code, caught.value.fields


def nothing_ran(phone: Phone, agent: Talk) -> bool:
    assert agent("jobs") == (), "what was asked before is done with"
    return not list(phone.folder.rglob("ran-by-a-shell")) and not list((phone.workdir / "spool").iterdir())


@pytest.mark.parametrize("cpu", [FOREIGN, HEXAGON])
def test_a_program_of_another_architecture_is_refused_and_no_byte_of_it_is_run(
    phone: Phone, agent: Talk, epoch: int, tmp_path: Path, cpu: tuple[int, int]
) -> None:
    path = program(tmp_path / "load and run", elf(cpu))
    code, fields = refusal(agent, epoch, str(path))
    assert (code, fields[0], fields[2]) == ("wrong-architecture", str(path), platform.machine())
    assert fields[1] == (FOREIGN_NAME if cpu == FOREIGN else "another architecture")
    assert nothing_ran(phone, agent)
    # Its name may be used again: nothing of the job is left.
    agent.start(epoch, "j", "sh", "-c", "exit 3")
    assert agent.ended("j") == (3, "-")


@pytest.mark.parametrize("data", [elf(FOREIGN)[:10], elf(X86_64)[:19], b"", ODD, b"MZ\0\0" + ODD, bytes(64)])
def test_what_is_no_program_is_refused(
    phone: Phone, agent: Talk, epoch: int, tmp_path: Path, data: bytes
) -> None:
    path = program(tmp_path / "p\xe9\n%", data)
    assert refusal(agent, epoch, str(path))[0] == "not-a-program"
    assert nothing_ran(phone, agent)


def test_a_program_is_found_as_env_finds_it(phone: Phone, agent: Talk, epoch: int, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    program(tmp_path / "two" / "load_and_run", elf(FOREIGN))
    search = f"PATH={tmp_path / 'one'}:{tmp_path / 'two'}:{phone.path}"
    with pytest.raises(Refused, match="wrong-architecture"):
        agent.start(epoch, "j", "load_and_run", settings=(search,))
    program(tmp_path / "one" / "load_and_run", b"#!/bin/sh\nexit 3\n")
    agent.start(epoch, "k", "load_and_run", settings=(search,))
    assert agent.ended("k") == (3, "-")


def test_a_script_is_run_and_a_missing_program_is_told_by_env(
    agent: Talk, epoch: int, tmp_path: Path
) -> None:
    script = program(tmp_path / "script", b"#!/bin/sh\nexit 7\n")
    agent.start(epoch, "j", str(script))
    assert agent.ended("j") == (7, "-")
    agent.start(epoch, "k", str(tmp_path / "nothing"))
    assert agent.ended("k") == (127, "-")


def test_a_program_that_is_replaced_is_looked_at_again(agent: Talk, epoch: int, tmp_path: Path) -> None:
    path = tmp_path / "load_and_run"
    shutil.copy(shutil.which("true") or "/bin/true", path)
    agent.start(epoch, "first", str(path))
    assert agent.ended("first") == (0, "-")
    program(path, elf(FOREIGN))
    assert refusal(agent, epoch, str(path))[0] == "wrong-architecture"


def test_what_was_pushed_is_looked_at_once(phone: Phone, tmp_path: Path) -> None:
    """Its name has its digest: a start costs no process for it."""
    phone.change_script(
        "look_at() {", 'look_at() { put "$1" >>"$workdir/looks"; look_really "$1"; }\nlook_really() {'
    )
    agent = phone.talk()
    epoch = int(agent("lease", "me", 60)[0])
    artifact = phone.put(program(tmp_path / "p", b"#!/bin/sh\nexit 0\n"))
    (tree,) = agent("tree", "native-1", f"load_and_run={artifact.sha256}")
    for job in ("a", "b", "c"):
        agent.start(epoch, job, f"{tree}/load_and_run")
        assert agent.ended(job) == (0, "-")
    looks = (phone.workdir / "looks").read_text().split("\n")
    assert looks.count(f"{tree}/load_and_run") == 1
    agent("release", epoch)


def runs_32_bits(folder: Path) -> bool:
    """Whether this kernel does, by a compiler's word where there is one: `exit(0)` without any library."""
    source, path = folder / "narrow.c", folder / "narrow"
    source.write_text('void _start(void) { __asm__("xor %ebx,%ebx; mov $1,%eax; int $0x80"); }')
    made = subprocess.run(
        ["gcc", "-m32", "-nostdlib", "-static", "-o", path, source], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no compiler for 32 bits")
    return subprocess.run([path], check=False).returncode == 0


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for x86")
def test_whether_the_kernel_runs_32_bits_is_tried_and_not_guessed(
    phone: Phone, agent: Talk, epoch: int
) -> None:
    truth = runs_32_bits(phone.folder)
    said = agent.data("probe").decode()
    assert f"== narrow\n{'yes' if truth else 'no'}\n" in said
    assert not list((phone.workdir / "incoming").iterdir())
    path = str(phone.folder / "narrow")
    if truth:
        agent.start(epoch, "j", path)
        assert agent.ended("j") == (0, "-")
    else:
        assert refusal(agent, epoch, path)[0] == "wrong-architecture"


def test_a_kernel_without_32_bits_says_so(phone: Phone, tmp_path: Path) -> None:
    """A stand-in for such a kernel: what is tried does not end with 42."""
    phone.change_script("[ $? -ne 42 ]", "[ $? -ne 43 ]")
    agent = phone.talk()
    epoch = int(agent("lease", "me", 60)[0])
    narrow = I386 if platform.machine() == "x86_64" else ARM
    code, _ = refusal(agent, epoch, str(program(tmp_path / "narrow", elf(narrow))))
    assert code == "wrong-architecture"
    assert "== narrow\nno\n" in agent.data("probe").decode()
    agent("release", epoch)


def test_a_device_that_tells_odd_things_of_its_machine_runs_its_programs(phone: Phone):
    phone.settings["FARM_KERNEL"] = "/dev/null"
    phone.replace_tool("uname", r"printf 'Li nux \377 m\n'")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sh", "-c", "exit 7")
    assert agent.ended("j") == (7, "-")
    agent("release", epoch)
