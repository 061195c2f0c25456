"""How asyncssh is imported."""

from __future__ import annotations

import subprocess
import sys

ASKED = """
import ctypes.util, subprocess
asked = []
class Counted(subprocess.Popen):
    def __init__(self, command, *args, **more):
        asked.append(command)
        super().__init__(command, *args, **more)
subprocess.Popen = Counted
search = ctypes.util._findLib_gcc
{}
print([one for one in asked if "ldconfig" not in str(one)], ctypes.util._findLib_gcc is search)
"""


def asked_by(line: str) -> str:
    command = [sys.executable, "-c", ASKED.format(line)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_no_compiler_and_no_linker_is_asked_for_optional_libraries():
    assert asked_by("from farm.transport.library import asyncssh") == "[] True"
    assert asked_by("import asyncssh") != "[] True", "asyncssh does not ask them any more: the module can go"
