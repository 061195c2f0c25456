"""Odd devices by name. Each was met on a real one, or is what a hostile one could do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farm.sim.properties import (
    Act,
    Ending,
    Line,
    Login,
    Program,
    Properties,
    Strike,
    Target,
    Written,
)

MIB = 1 << 20
# A file name of the same length as %00, the agent's word for an empty one.
SHORT = "abc"
EMPTY_NAME = 'case $2 in serve) REAL "$@" | sed -u "s/ abc\\$/ %00/" ;; *) exec REAL "$@" ;; esac'
LYING_WC = 'case $2 in --) REAL "$@" | sed "s/^ *[0-9]*/99999999999999/" ;; *) exec REAL "$@" ;; esac'
BASH_AS_SH = 'exec bash "$@"'


@dataclass(frozen=True)
class Oddity:
    """What is odd about a device, in words, and the properties that make it so."""

    text: str
    properties: Properties


def _runs(text: str, program: Program) -> Oddity:
    return Oddity(text, Properties(program=program))


def _writes(text: str, *written: Written) -> Oddity:
    return _runs(text, Program(writes=written))


def _struck(text: str, target: Target, act: Act = Act.KILL, lasts_s: float = 0.0) -> Oddity:
    return _runs(text, Program(strikes=(Strike(target, act, run=1, iteration=1, lasts_s=lasts_s),)))


def _login(text: str, login: Login) -> Oddity:
    return Oddity(text, Properties(login=login))


TEXT: Mapping[str, Oddity] = {
    "home-not-utf8": Oddity("its home folder has a name in Latin-1", Properties(home="caf\udce9")),
    "file-not-utf8": _writes("a run writes a file with a name in Latin-1", Written("caf\udce9.txt")),
    "log-not-utf8": _runs(
        "the log has raw bytes, NULs and escape codes",
        Program(says="\udcff\udcfe\x00 \x1b[31mred\x1b[0m \x1b]0;title\x07\r\n"),
    ),
    "facts-not-utf8": Oddity(
        "it tells facts about itself in Latin-1, with escape codes",
        Properties(tools=(("uname", r"printf 'Linux caf\351 \033[31m6.1 x86_64\n'"),)),
    ),
    "name-in-chinese": _writes("a run writes a file with a Chinese name", Written("结果.txt")),
}

WAITS: Mapping[str, Oddity] = {
    "agent-stopped": _struck("the agent is stopped (SIGSTOP) in a round", Target.AGENT, Act.STOP),
    "agent-paused": _struck("the agent is stopped for 3 s in a round", Target.AGENT, Act.STOP, 3.0),
    "supervisor-stopped": _struck("the supervisor is stopped in a round", Target.SUPERVISOR, Act.STOP),
    "agent-dies-again": _struck("each agent that comes is killed for 8 s", Target.AGENT, lasts_s=8.0),
    "black-hole": _struck(
        "the connection goes silent in a round, nobody is told", Target.CONNECTION, Act.STOP
    ),
    "power-cut": _struck("the device is gone in the middle of a round", Target.MACHINE),
    "restarted": _struck("the power is cut for 2 s in a round", Target.MACHINE, lasts_s=2.0),
    "never-ends": _runs("the program prints all its lines and never ends", Program(ending=Ending.HANG)),
    "slow-forks": Oddity("each tool takes 50 ms to start", Properties(fork_s=0.05)),
}

STARTS: Mapping[str, Oddity] = {
    "preload-noise": _login(
        "each program complains about a missing library on stderr",
        Login(environment=(("LD_PRELOAD", "/usr/lib/no-such-library.so"),)),
    ),
    "traced-shells": Oddity(
        "each shell prints on stderr what it does",
        Properties(login=Login(rc="export SHELLOPTS\nset -x"), tools=(("sh", BASH_AS_SH),)),
    ),
    "chatty-login": _login("the rc file prints 5,000 lines", Login(rc="seq -f 'Welcome, line %g' 5000")),
    "csh": _login("the login shell is csh", Login("csh")),
    "tcsh": _login("the login shell is tcsh", Login("tcsh")),
    "nologin": _login(
        "nobody may log in", Login(forced="echo 'This account is currently not available.'; exit 1")
    ),
    "forced-command": _login(
        "the key is for another command", Login(forced="echo 'backups only' >&2; exit 7")
    ),
    "agent-killed": _struck("the agent is killed in a round", Target.AGENT),
    "supervisor-killed": _struck("the supervisor is killed in a round", Target.SUPERVISOR),
    "connection-cut": _struck("the connection is cut in a round", Target.CONNECTION),
    "first-connect-reset": Oddity("the first two connections are reset", Properties(line=Line(resets=2))),
    "first-connect-refused": Oddity("nobody listens for 2 s", Properties(line=Line(deaf_s=2.0))),
}

FILES: Mapping[str, Oddity] = {
    "own-logs": _writes(
        "a run writes files with the names of its logs", Written("stdout.txt"), Written("stderr.txt")
    ),
    "logs-as-folders": _writes(
        "a run writes files below the names of its logs", Written("stdout.txt/x"), Written("stderr.txt/x")
    ),
    "odd-names": _writes(
        "a run writes names with line breaks, escape codes, blanks and dashes",
        *map(Written, ("a\nb", "\x1b[2J", " ", "-rf", "..x", "n" * 250, "d/" * 20 + "e", "%41")),
    ),
    "empty-name": Oddity(
        "it tells of a file without a name",
        Properties(program=Program(writes=(Written(SHORT, 0),)), tools=(("sh", EMPTY_NAME),)),
    ),
    "lying-sizes": Oddity(
        "it tells of a file of 100 TB",
        Properties(program=Program(writes=(Written("out.bin"),)), tools=(("wc", LYING_WC),)),
    ),
    "many-files": _writes("a run writes 49,000 files", Written("many/f", 0, 49_000)),
    "huge-file": _writes("a run writes 1.1 GB", Written("huge.bin", 1_100 * MIB)),
    "huge-log": _runs("the log of a run is 64 MiB long", Program(log_bytes=64 * MIB)),
}

ODDITIES: Mapping[str, Oddity] = {**TEXT, **WAITS, **STARTS, **FILES}
"""All of them."""
