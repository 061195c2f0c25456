"""Command lines, files and environments that nobody would think of, drawn from the table of commands."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from farm.cli.commands import COMMANDS, GROUPS, Command
from farm.cli.lazy import load
from farm.options import CATALOGUE
from tests.e2e.conftest import LOOKALIKE, ROOT

WRITES = {"--output", "-o", "--runs-dir"}
"""Options whose value is written to, perhaps as root: only names of the sandbox."""
INSIDE = ("out.html", "runs/good/x", "folder", "noise/x", "caf\udce9", "nowhere", "loop", "runs", "")
PLACES = (*INSIDE, "/proc/none", "/dev/null", "/dev/null/x", "~none/x", "n" * 5000)
"""For variables that name folders: none of them can be made outside the sandbox."""

# A bench of `local` runs the look-alike; nothing is downloaded (tests/fuzz/test_cli.py sees to that).
LAB = f"""\
defaults: {{runtime: {{kind: native, program: {LOOKALIKE}}}}}
groups: {{some: {{tags: [x]}}}}
devices:
  local: {{address: local, group: some}}
  far: {{address: 127.0.0.1, port: 1, group: some}}
"""
SUITE = "models: [bundled:tiny]\nvariants: {plain: {}, one: {multithread: 2}}\nrounds: 1\n"
ODD_NAMES = ("caf\udce9", "模型", "\u202e", "a b", "-x", "~", "'\"", "\x1b[2J", "n" * 255, ".hidden", "%s{0}")


@dataclass(frozen=True)
class Call:
    """One call of `farm`."""

    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    stdout: str
    stderr: str
    stdin: str

    def __str__(self) -> str:
        settings = " ".join(f"{name}={value!a}" for name, value in self.environment)
        return (
            f"{settings} farm {' '.join(map(ascii, self.words))} <{self.stdin} >{self.stdout} 2>{self.stderr}"
        )


def make_sandbox(folder: Path) -> None:
    """Files to name: good ones, and each kind of bad one."""
    noise = random.Random(1)
    text = {
        "lab.yaml": LAB, "suite.yaml": SUITE, "twice.yaml": "devices:\n a: {}\n a: {}\n", "list.yaml": "[1, 2]\n",
        "deep.yaml": "[" * 5000, "deep.json": "[" * 100_000, "alias.yaml": "a: &a [*a]\n", "bom.yaml": "\ufeff" + LAB,
        "nul.yaml": 'devices: {a: {address: "\\0"}}\n', "numbers.json": json.dumps({"data": 10**400}),
        "surrogate.json": '{"\\udce9": ["\\ud800"]}', "nan.json": "[NaN, 1e999, -Infinity]", "empty": "",
        "tag.yaml": "!!python/object:os.system {}\n", "ssh": "Match exec\nHost [\nPort x\n", "colon.yaml": ":\n:::\n",
        "big.yaml": "devices: {a: {port: 1e999, cores: {big: 0-99999999999}}}\n",
    }  # fmt: skip
    for name, content in text.items():
        (folder / name).write_text(content)
    (folder / "utf16.json").write_bytes('{"data": [1]}'.encode("utf-16"))
    (folder / "latin.yaml").write_bytes(b"devices: {caf\xe9: {}}\n")
    (folder / "noise").write_bytes(noise.randbytes(5000))
    tiny = (ROOT / "farm" / "bundled" / "tiny.mge").read_bytes()
    (folder / "cut.mge").write_bytes(tiny[:200])
    (folder / "noise.npy").write_bytes(b"\x93NUMPY\x01\x00" + noise.randbytes(200))
    (folder / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, "
                                      b"'shape': (99999999999, 99), }" + b" " * 40 + b"\n")  # fmt: skip
    (folder / "cut.ppm").write_bytes(b"P6\n9999999 9999999\n255\nxx")
    (folder / "folder").mkdir()
    (folder / "secret").write_text("x")
    (folder / "secret").chmod(0)
    (folder / "nowhere").symlink_to("nothing/at/all")
    (folder / "loop").symlink_to("loop")
    for name in ODD_NAMES:
        if name != "~":
            (folder / name).write_bytes(tiny)
    runs = {
        "good": (ROOT / "tests" / "data" / "results" / "hostile.json").read_bytes(), "odd": b"{}", "list": b"[]",
        "noise": noise.randbytes(500), "half": b'{"schema_version": 2, "run_id": "x"',
    }  # fmt: skip
    for name, results in runs.items():
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "results.json").write_bytes(results)


def _files(folder: Path) -> list[str]:
    names = [
        *sorted(os.listdir(folder)),
        "bundled:tiny",
        "bundled:\udce9",
        "/proc/self/mem",
        "/proc/1/environ",
        "/",
        ".",
        "..",
        "",
    ]
    return [
        *names,
        "folder/none",
        "n" * 300,
        "/dev/null",
        "noise/x",
        "runs/good",
        "good",
        "latest",
        "inventory",
    ]


def calls(folder: Path) -> st.SearchStrategy[Call]:
    """Calls in this sandbox."""
    odd = st.one_of(
        st.text(st.characters(exclude_characters="\0"), max_size=20),
        st.sampled_from(ODD_NAMES),
        st.binary(max_size=8).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
        st.integers(-(10**40), 10**40).map(str),
        st.sampled_from(
            (
                "0",
                "-1",
                "1",
                "nan",
                "inf",
                "1e999",
                "٣",
                "true",
                "--",
                "-",
                "{}",
                "[",
                "@all",
                "!x",
                "tag:x",
                "*",
                "local",
                "far",
                "soc=",
                "a=--cpu",
                "x=",
                "multithread=1,2",
                "data:noise.npy",
                "data:deep.json",
                "data:{1,2}",
                "data:[[1.,2.]]",
                "data:huge.npy",
                "data:cut.ppm",
                "data:nan.json",
                "data:utf16.json",
                "data:numbers.json",
                "data:surrogate.json",
            )
        ),
    )
    value = st.one_of(odd, st.sampled_from(_files(folder)), st.sampled_from(_files(folder)))
    return st.builds(
        Call,
        words=_words(value),
        environment=_environment(value),
        stdout=st.sampled_from(("null", "null", "null", "file", "full", "pipe", "closed", "terminal")),
        stderr=st.sampled_from(("file",) * 6 + ("null", "full", "pipe", "closed", "terminal")),
        stdin=st.sampled_from(("null", "closed", "noise")),
    )


def _words(value: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    tables = [_taken(row) for row in COMMANDS]
    command = st.sampled_from(tables).flatmap(lambda taken: _call_of(taken, value))
    groups = st.sampled_from([*GROUPS, "", "--help", "--version", "nothing"])
    other = st.tuples(groups, st.lists(value, max_size=3)).map(lambda both: (*both[0].split(), *both[1]))
    return st.one_of(command, command, command, command, command, other)


@dataclass(frozen=True)
class _Taken:
    """What a command takes: its options by spelling, with the metavar of their value (None: a flag)."""

    words: tuple[str, ...]
    arguments: int
    own: tuple[tuple[str, str | None], ...]
    of_load_and_run: tuple[tuple[str, str | None], ...]


def _taken(row: Command) -> _Taken:
    parameters = load(row).params
    names = {f"--{option.name}" for option in CATALOGUE}
    options = [one for one in parameters if one.param_type_name == "option"]
    spelled = [
        (spelling, None if getattr(one, "is_flag", False) else one.metavar or "TEXT", one.opts[0] in names)
        for one in options
        for spelling in one.opts
    ]
    return _Taken(
        tuple(row.words.split()),
        len(parameters) - len(options),
        tuple((spelling, metavar) for spelling, metavar, other in spelled if not other),
        tuple((spelling, metavar) for spelling, metavar, other in spelled if other),
    )


def _call_of(taken: _Taken, value: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    def spelled(option: tuple[str, str | None]) -> st.SearchStrategy[tuple[str, ...]]:
        name, metavar = option
        if metavar is None:
            return st.just((name,))
        values = st.sampled_from(INSIDE) if name in WRITES else value
        if metavar in ("N", "S", "X"):
            values = st.one_of(st.integers(0, 3).map(str), values)
        return st.one_of(values.map(lambda one: (name, one)), values.map(lambda one: (f"{name}={one}",)))

    options = st.sampled_from(taken.own)
    if taken.of_load_and_run:
        options = st.one_of(options, st.sampled_from(taken.of_load_and_run))
    given = st.lists(options.flatmap(spelled), max_size=3) if taken.own else st.just([])
    arguments = st.one_of(
        st.lists(value, min_size=taken.arguments, max_size=taken.arguments), st.lists(value, max_size=2)
    )
    # A call that comes further than the first check: an inventory and a model that are good.
    good = ("-i", "lab.yaml", "--rounds", "1", "-m", "bundled:tiny")
    begin = st.sampled_from(((), good, good)) if taken.of_load_and_run else st.just(())
    return st.tuples(begin, given, arguments).map(
        lambda parts: (*taken.words, *parts[0], *(word for option in parts[1] for word in option), *parts[2])
    )


def _environment(value: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    names = ("COLUMNS", "LINES", "TERM", "LANG", "LC_ALL", "TERMINAL_WIDTH", "NO_COLOR", "FORCE_COLOR", "USER", "LOGNAME",
             "PATH", "_FARM_COMPLETE", "COMP_WORDS", "COMP_CWORD", "TZ")  # fmt: skip
    folders = ("HOME", "FARM_CACHE_DIR", "XDG_CACHE_HOME", "TMPDIR", "SSH_AUTH_SOCK")
    one = st.tuples(st.sampled_from(names), value)
    place = st.tuples(st.sampled_from(folders), st.sampled_from(PLACES))
    encoding = st.tuples(st.just("PYTHONIOENCODING"), st.sampled_from(("ascii", "latin-1", "utf-8")))
    return st.lists(st.one_of(one, place, encoding), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)
